// SPDX-License-Identifier: Apache-2.0
// Writes GGUF files for tests, honest ones and others.
#pragma once

#include <bit>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/endian.h"
#include "aftune/model/gguf.h"

namespace aftune::model::testing {

inline std::string u32(std::uint32_t value) {
  const auto bytes = store_le(value);
  return std::string(as_text(bytes));
}
inline std::string u64(std::uint64_t value) {
  const auto bytes = store_le(value);
  return std::string(as_text(bytes));
}
inline std::string f32(float value) { return u32(std::bit_cast<std::uint32_t>(value)); }
inline std::string text(std::string_view value) { return u64(value.size()) + std::string(value); }

inline std::string floats(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) out += f32(value);
  return out;
}

/// Parts of a file in the order of writing; any of them may be changed before bytes().
struct GgufText {
  struct Key {
    std::string name;
    std::uint32_t type;
    std::string value;  // as in the file, behind the type
  };
  struct TensorText {
    std::string name;
    std::vector<std::uint64_t> dimensions;  // fastest first
    std::uint32_t type = 0;
    std::string data;
  };
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::vector<Key> keys;
  std::vector<TensorText> tensors;

  void set(const std::string& name, std::uint32_t type, std::string value) {
    for (Key& key : keys) {
      if (key.name != name) continue;
      key = {name, type, std::move(value)};
      return;
    }
    keys.push_back({name, type, std::move(value)});
  }
  void set_u32(const std::string& name, std::uint32_t value) { set(name, 4, u32(value)); }
  void set_f32(const std::string& name, float value) { set(name, 6, f32(value)); }
  void set_bool(const std::string& name, bool value) { set(name, 7, std::string(1, value)); }
  void set_text(const std::string& name, std::string_view value) { set(name, 8, text(value)); }
  void set_texts(const std::string& name, const std::vector<std::string>& values) {
    std::string raw = u32(8) + u64(values.size());
    for (const auto& value : values) raw += text(value);
    set(name, 9, raw);
  }
  void set_i32s(const std::string& name, const std::vector<int>& values) {
    std::string raw = u32(5) + u64(values.size());
    for (const int value : values) raw += u32(static_cast<std::uint32_t>(value));
    set(name, 9, raw);
  }
  void drop(const std::string& name) {
    std::erase_if(keys, [&](const Key& key) { return key.name == name; });
  }
  TensorText& tensor(const std::string& name) {
    for (TensorText& t : tensors) {
      if (t.name == name) return t;
    }
    return tensors.emplace_back(TensorText{name, {}, 0, {}});
  }

  [[nodiscard]] std::string padded(std::string raw) const {
    raw.resize((raw.size() + alignment - 1) / alignment * alignment, '\0');
    return raw;
  }
  [[nodiscard]] std::string bytes() const {
    std::string head = "GGUF" + u32(version) + u64(tensors.size()) + u64(keys.size());
    for (const Key& key : keys) head += text(key.name) + u32(key.type) + key.value;
    std::string data;
    for (const TensorText& t : tensors) {
      head += text(t.name) + u32(static_cast<std::uint32_t>(t.dimensions.size()));
      for (const std::uint64_t extent : t.dimensions) head += u64(extent);
      head += u32(t.type) + u64(data.size());
      data += padded(t.data);
    }
    return padded(head) + data;
  }
};

/// A whole small model: one layer, two heads of width 4 on one key/value head, tied.
inline GgufText tiny_gguf() {
  GgufText out;
  out.set_text("general.architecture", "llama");
  out.set_u32("llama.block_count", 1);
  out.set_u32("llama.context_length", 64);
  out.set_u32("llama.embedding_length", 8);
  out.set_u32("llama.feed_forward_length", 16);
  out.set_u32("llama.attention.head_count", 2);
  out.set_u32("llama.attention.head_count_kv", 1);
  out.set_f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  out.set_f32("llama.rope.freq_base", 100000.0F);
  out.set_text("tokenizer.ggml.model", "gpt2");
  out.set_text("tokenizer.ggml.pre", "smollm");
  out.set_texts("tokenizer.ggml.tokens", {"<|end|>", "a", "b", "ab", "<tool>"});
  out.set_i32s("tokenizer.ggml.token_type", {3, 1, 1, 1, 4});
  out.set_texts("tokenizer.ggml.merges", {"a b"});
  out.set_u32("tokenizer.ggml.eos_token_id", 0);
  float next = 0;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> dimensions) {
    std::uint64_t count = 1;
    for (const std::uint64_t extent : dimensions) count *= extent;
    std::string data;
    for (std::uint64_t i = 0; i < count; ++i) data += f32(next++);
    out.tensors.push_back({name, std::move(dimensions), 0, std::move(data)});
  };
  add("token_embd.weight", {8, 5});
  add("blk.0.attn_norm.weight", {8});
  add("blk.0.ffn_norm.weight", {8});
  add("blk.0.attn_q.weight", {8, 8});
  add("blk.0.attn_k.weight", {8, 4});
  add("blk.0.attn_v.weight", {8, 4});
  add("blk.0.attn_output.weight", {8, 8});
  add("blk.0.ffn_gate.weight", {8, 16});
  add("blk.0.ffn_up.weight", {8, 16});
  add("blk.0.ffn_down.weight", {16, 8});
  add("output_norm.weight", {8});
  return out;
}

}  // namespace aftune::model::testing
