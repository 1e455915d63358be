// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/gguf_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

namespace aftune::model {
namespace {

constexpr float kDefaultRopeBase = 10000.0F;

Error unsupported(std::string what) { return {Code::kUnsupported, std::move(what)}; }

/// Keys under "llama." that gguf_config reads.
constexpr std::string_view kKnownKeys[] = {"attention.head_count",
                                           "attention.head_count_kv",
                                           "attention.key_length",
                                           "attention.layer_norm_rms_epsilon",
                                           "attention.value_length",
                                           "block_count",
                                           "context_length",
                                           "embedding_length",
                                           "expert_count",
                                           "expert_used_count",
                                           "feed_forward_length",
                                           "rope.dimension_count",
                                           "rope.freq_base",
                                           "rope.scaling.type",
                                           "vocab_size"};

constexpr std::string_view kPrefix = "llama.";

Status check_keys(const GgufFile& file) {
  for (const auto& [key, value] : file.metadata()) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string_view name = std::string_view(key).substr(kPrefix.size());
    if (std::ranges::find(kKnownKeys, name) == std::end(kKnownKeys)) {
      return unsupported(fmt::format("unknown key {}", key));
    }
  }
  return ok();
}

/// The key is absent or the string `value`.
Status expect_string(const GgufFile& file, std::string_view key, std::string_view value) {
  const GgufValue* found = file.find(key);
  if (found == nullptr || found->string() == value) return ok();
  return unsupported(fmt::format("{} is not \"{}\"", key, value));
}

/// The key is absent or an integer up to `max`.
Status expect_at_most(const GgufFile& file, std::string_view key, std::uint64_t max) {
  const GgufValue* found = file.find(key);
  if (found == nullptr) return ok();
  const auto value = found->integer();
  if (value && *value <= max) return ok();
  return unsupported(fmt::format("{} is not an integer up to {}", key, max));
}

Result<std::uint32_t> integer(const GgufFile& file, std::string_view name) {
  const std::string key = fmt::format("{}{}", kPrefix, name);
  const GgufValue* found = file.find(key);
  if (found == nullptr) return invalid_input(fmt::format("key {} is missing", key));
  if (found->is_array) return unsupported(fmt::format("{} differs between layers", key));
  const auto value = found->integer();
  if (!value || *value > std::numeric_limits<std::uint32_t>::max()) {
    return invalid_input(fmt::format("{} is no integer from 0 to 2^32-1", key));
  }
  return static_cast<std::uint32_t>(*value);
}

bool has(const GgufFile& file, std::string_view name) {
  return file.find(fmt::format("{}{}", kPrefix, name)) != nullptr;
}

Result<float> real(const GgufFile& file, std::string_view name) {
  const std::string key = fmt::format("{}{}", kPrefix, name);
  const GgufValue* found = file.find(key);
  if (found == nullptr) return invalid_input(fmt::format("key {} is missing", key));
  const auto value = found->f32();
  if (!value) return invalid_input(fmt::format("{} is no f32", key));
  return *value;
}

/// The key is absent or says `expected`.
Status expect_integer(const GgufFile& file, std::string_view name, std::uint32_t expected) {
  if (!has(file, name)) return ok();
  AFTUNE_TRY(const std::uint32_t value, integer(file, name));
  if (value == expected) return ok();
  return unsupported(fmt::format("{}{} is {}, expected {}", kPrefix, name, value, expected));
}

Status read_heads(const GgufFile& file, LlamaConfig& c) {
  AFTUNE_TRY(c.head_count, integer(file, "attention.head_count"));
  c.kv_head_count = c.head_count;
  if (has(file, "attention.head_count_kv")) {
    AFTUNE_TRY(c.kv_head_count, integer(file, "attention.head_count_kv"));
  }
  if (has(file, "attention.key_length")) {
    AFTUNE_TRY(c.head_dim, integer(file, "attention.key_length"));
  } else if (c.head_count == 0 || c.hidden_size % c.head_count != 0) {
    return invalid_input(
        fmt::format("llama.embedding_length {} is no multiple of "
                    "llama.attention.head_count {}",
                    c.hidden_size, c.head_count));
  } else {
    c.head_dim = c.hidden_size / c.head_count;
  }
  AFTUNE_TRY(expect_integer(file, "attention.value_length", c.head_dim));
  return expect_integer(file, "rope.dimension_count", c.head_dim);
}

Result<std::uint32_t> vocabulary(const GgufFile& file) {
  const GgufValue* tokens = file.find("tokenizer.ggml.tokens");
  if (tokens == nullptr || !tokens->is_array || tokens->type != GgufType::kString) {
    return invalid_input("tokenizer.ggml.tokens is missing or no array of strings");
  }
  return static_cast<std::uint32_t>(tokens->count);
}

/// Status of keys that must not say anything else.
Status check_fixed(const GgufFile& file) {
  const GgufValue* architecture = file.find("general.architecture");
  if (architecture == nullptr) return invalid_input("key general.architecture is missing");
  AFTUNE_TRY(expect_string(file, "general.architecture", "llama"));
  AFTUNE_TRY(expect_string(file, "general.type", "model"));
  AFTUNE_TRY(expect_string(file, "llama.rope.scaling.type", "none"));
  AFTUNE_TRY(expect_at_most(file, "split.count", 1));
  AFTUNE_TRY(expect_at_most(file, "llama.expert_count", 0));
  AFTUNE_TRY(expect_at_most(file, "llama.expert_used_count", 0));
  return check_keys(file);
}

struct NamePair {
  std::string_view hf;
  std::string_view gguf;
};

constexpr NamePair kModelNames[] = {{"model.embed_tokens.weight", "token_embd.weight"},
                                    {"model.norm.weight", "output_norm.weight"},
                                    {"lm_head.weight", "output.weight"}};

constexpr NamePair kLayerNames[] = {{"input_layernorm.weight", "attn_norm.weight"},
                                    {"post_attention_layernorm.weight", "ffn_norm.weight"},
                                    {"self_attn.q_proj.weight", "attn_q.weight"},
                                    {"self_attn.k_proj.weight", "attn_k.weight"},
                                    {"self_attn.v_proj.weight", "attn_v.weight"},
                                    {"self_attn.o_proj.weight", "attn_output.weight"},
                                    {"mlp.gate_proj.weight", "ffn_gate.weight"},
                                    {"mlp.up_proj.weight", "ffn_up.weight"},
                                    {"mlp.down_proj.weight", "ffn_down.weight"}};

/// llama.cpp's name of a parameter, from Hugging Face's.
std::string gguf_name(std::string_view hf) {
  constexpr std::string_view kLayers = "model.layers.";
  for (const NamePair& pair : kModelNames) {
    if (pair.hf == hf) return std::string(pair.gguf);
  }
  const std::string_view rest = hf.substr(kLayers.size());
  const std::size_t dot = rest.find('.');
  for (const NamePair& pair : kLayerNames) {
    if (pair.hf == rest.substr(dot + 1)) {
      return fmt::format("blk.{}.{}", rest.substr(0, dot), pair.gguf);
    }
  }
  return {};
}

/// Row h d + a d/2 + j of the result is row h d + 2 j + a of `rows`.
Tensor split_halves(const Tensor& rows, std::uint64_t head_dim) {
  Tensor out = Tensor::zeros(rows.shape());
  const std::uint64_t width = rows.shape()[1];
  for (std::uint64_t row = 0; row < rows.shape()[0]; ++row) {
    const std::uint64_t in_head = row % head_dim;
    const std::uint64_t a = in_head / (head_dim / 2);
    const std::uint64_t j = in_head % (head_dim / 2);
    const std::uint64_t from = row - in_head + 2 * j + a;
    std::ranges::copy(rows.f32().subspan(from * width, width), out.data() + row * width);
  }
  return out;
}

Result<Tensor> read_parameter(const GgufFile& file, const LlamaConfig& config,
                              const TensorSpec& spec) {
  const std::string name = gguf_name(spec.name);
  const auto found = file.tensors().find(name);
  if (found == file.tensors().end())
    return invalid_input(fmt::format("tensor {} is missing", name));
  const GgufTensor& encoded = found->second;
  if (encoded.shape != spec.shape) {
    return invalid_input(fmt::format("tensor {} is {}, expected {}", name, to_string(encoded.shape),
                                     to_string(spec.shape)));
  }
  Tensor tensor(Dtype::kF32, spec.shape);
  dequantise(encoded.type, encoded.bytes, tensor.f32());
  const bool rotated = spec.name.ends_with("q_proj.weight") || spec.name.ends_with("k_proj.weight");
  return rotated ? split_halves(tensor, config.head_dim) : std::move(tensor);
}

}  // namespace

Result<LlamaConfig> gguf_config(const GgufFile& file) {
  AFTUNE_TRY(check_fixed(file));
  LlamaConfig c;
  AFTUNE_TRY(c.vocab_size, vocabulary(file));
  AFTUNE_TRY(expect_integer(file, "vocab_size", c.vocab_size));
  AFTUNE_TRY(c.hidden_size, integer(file, "embedding_length"));
  AFTUNE_TRY(c.intermediate_size, integer(file, "feed_forward_length"));
  AFTUNE_TRY(c.layer_count, integer(file, "block_count"));
  AFTUNE_TRY(c.max_positions, integer(file, "context_length"));
  AFTUNE_TRY(read_heads(file, c));
  AFTUNE_TRY(c.rms_norm_eps, real(file, "attention.layer_norm_rms_epsilon"));
  float base = kDefaultRopeBase;
  if (has(file, "rope.freq_base")) {
    AFTUNE_TRY(base, real(file, "rope.freq_base"));
  }
  c.rope_theta = base;
  c.tied_embeddings = !file.tensors().contains("output.weight");
  AFTUNE_TRY(check_config(c));
  return c;
}

Result<TensorMap> gguf_parameters(const GgufFile& file, const LlamaConfig& config) {
  const std::vector<TensorSpec> specs = parameter_specs(config);
  std::vector<std::string> known;
  known.reserve(specs.size());
  for (const TensorSpec& spec : specs) known.push_back(gguf_name(spec.name));
  std::ranges::sort(known);
  for (const auto& [name, tensor] : file.tensors()) {
    if (!std::ranges::binary_search(known, name)) {
      return unsupported(fmt::format("unknown tensor {}", name));
    }
  }
  TensorMap out;
  for (const TensorSpec& spec : specs) {
    AFTUNE_TRY(Tensor tensor, read_parameter(file, config, spec));
    out.emplace(spec.name, std::move(tensor));
  }
  return out;
}

}  // namespace aftune::model
