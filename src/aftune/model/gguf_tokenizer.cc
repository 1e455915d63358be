// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/gguf_tokenizer.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

namespace aftune::model {
namespace {

using codec::Json;
using Object = Json::Object;

constexpr std::string_view kPrefix = "tokenizer.";

// Keys that are read here or by gguf_config.
constexpr std::string_view kKnownKeys[] = {
    "tokenizer.chat_template",      "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.merges",        "tokenizer.ggml.model",
    "tokenizer.ggml.pre",           "tokenizer.ggml.scores",
    "tokenizer.ggml.token_type",    "tokenizer.ggml.tokens"};

enum TokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5
};

Error unsupported(std::string what) { return {Code::kUnsupported, std::move(what)}; }

Status check_keys(const GgufFile& file) {
  for (const auto& [key, value] : file.metadata()) {
    if (!key.starts_with(kPrefix)) continue;
    const bool ignored = (key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id")) ||
                         key.starts_with("tokenizer.chat_template.");
    if (ignored || std::ranges::find(kKnownKeys, key) != std::end(kKnownKeys)) continue;
    return unsupported(fmt::format("unknown key {}", key));
  }
  return ok();
}

Result<bool> flag(const GgufFile& file, std::string_view key) {
  const GgufValue* found = file.find(key);
  if (found == nullptr) return false;
  const auto value = found->boolean();
  if (!value) return invalid_input(fmt::format("{} is no bool", key));
  return *value;
}

Status check_flags(const GgufFile& file) {
  for (const char* key : {"tokenizer.ggml.add_space_prefix", "tokenizer.ggml.add_eos_token"}) {
    AFTUNE_TRY(const bool set, flag(file, key));
    if (set) return unsupported(fmt::format("{} is true", key));
  }
  return ok();
}

Result<const GgufValue*> strings(const GgufFile& file, std::string_view key) {
  const GgufValue* found = file.find(key);
  if (found == nullptr || !found->is_array || found->type != GgufType::kString) {
    return invalid_input(fmt::format("{} is missing or no array of strings", key));
  }
  return found;
}

Result<std::string_view> text(const GgufFile& file, std::string_view key) {
  const GgufValue* found = file.find(key);
  const auto value = found == nullptr ? std::nullopt : found->string();
  if (!value) return invalid_input(fmt::format("{} is missing or no string", key));
  return *value;
}

using Vocabulary = std::unordered_set<std::string_view>;

Result<Vocabulary> vocabulary(const std::vector<std::string_view>& tokens) {
  Vocabulary out;
  out.reserve(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) return invalid_input(fmt::format("token {} is empty", id));
    if (!out.insert(tokens[id]).second) {
      return invalid_input(fmt::format("token {} \"{}\" is there twice", id, tokens[id]));
    }
  }
  return out;
}

Result<Json::Array> merges(const GgufFile& file, const Vocabulary& vocabulary) {
  AFTUNE_TRY(const GgufValue* list, strings(file, "tokenizer.ggml.merges"));
  Json::Array out;
  out.reserve(list->strings.size());
  for (const std::string_view merge : list->strings) {
    const std::size_t space = merge.find(' ');
    const bool one_space =
        space != std::string_view::npos && merge.find(' ', space + 1) == std::string_view::npos;
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = one_space ? merge.substr(space + 1) : std::string_view();
    const std::string joined = std::string(left) + std::string(right);
    if (!one_space || !vocabulary.contains(left) || !vocabulary.contains(right) ||
        !vocabulary.contains(joined)) {
      return invalid_input(fmt::format(
          "tokenizer.ggml.merges: merge {} \"{}\" is no pair of tokens", out.size(), merge));
    }
    out.emplace_back(merge);
  }
  return out;
}

Result<std::vector<std::int32_t>> token_types(const GgufFile& file, std::size_t count) {
  const GgufValue* found = file.find("tokenizer.ggml.token_type");
  if (found == nullptr) return std::vector<std::int32_t>(count, kNormal);
  auto types = found->i32_array();
  if (!types || types->size() != count) {
    return invalid_input(fmt::format("tokenizer.ggml.token_type is no array of {} i32", count));
  }
  for (std::size_t id = 0; id < count; ++id) {
    const std::int32_t type = (*types)[id];
    if (type < kNormal || type > kUnused) {
      return unsupported(fmt::format("tokenizer.ggml.token_type: token {} has type {}", id, type));
    }
  }
  return *std::move(types);
}

Json::Array added_tokens(const std::vector<std::string_view>& tokens,
                         const std::vector<std::int32_t>& types) {
  Json::Array out;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::int32_t type = types[id];
    if (type == kNormal || type == kUnused) continue;
    out.emplace_back(Object{{"id", static_cast<std::uint64_t>(id)},
                            {"content", tokens[id]},
                            {"single_word", false},
                            {"lstrip", false},
                            {"rstrip", false},
                            {"normalized", false},
                            {"special", type != kUserDefined}});
  }
  return out;
}

Json byte_level(bool add_prefix_space, bool use_regex) {
  return Object{{"type", "ByteLevel"},
                {"add_prefix_space", add_prefix_space},
                {"trim_offsets", true},
                {"use_regex", use_regex}};
}

Json sequence(Json first, Json second) {
  return Object{{"type", "Sequence"},
                {"pretokenizers", Json::Array{std::move(first), std::move(second)}}};
}

Json split_by(const char* expression) {
  return Object{{"type", "Split"},
                {"pattern", Object{{"Regex", expression}}},
                {"behavior", "Isolated"},
                {"invert", false}};
}

/// What distinguishes the supported values of tokenizer.ggml.pre.
struct Splitting {
  Json normalizer;  // null: none
  Json pre_tokenizer;
  bool ignore_merges = false;
};

Result<Splitting> splitting(std::string_view name) {
  if (name == "smollm") {
    const Json digits = Object{{"type", "Digits"}, {"individual_digits", true}};
    return Splitting{{}, sequence(digits, byte_level(false, true)), false};
  }
  if (name == "gpt-2") return Splitting{{}, byte_level(false, true), false};
  if (name == "llama-bpe") {
    const Json split =
        split_by(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
                 R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)");
    return Splitting{{}, sequence(split, byte_level(false, false)), true};
  }
  if (name == "qwen2") {
    const Json split = split_by(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
                                R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)");
    return Splitting{Object{{"type", "NFC"}}, sequence(split, byte_level(false, false)), false};
  }
  return unsupported(
      fmt::format("tokenizer.ggml.pre is \"{}\", supported are \"smollm\", "
                  "\"gpt-2\", \"llama-bpe\", \"qwen2\"",
                  name));
}

using SpecialIds = std::map<std::string, std::uint64_t>;  // "bos" -> id

Result<SpecialIds> special_ids(const GgufFile& file, std::size_t count) {
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"bos", "bos"}, {"eos", "eos"}, {"pad", "padding"}, {"unk", "unknown"}};
  SpecialIds out;
  for (const auto& [name, gguf_name] : kNames) {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", gguf_name);
    const GgufValue* found = file.find(key);
    if (found == nullptr) continue;
    const auto id = found->integer();
    if (!id || *id >= count) {
      return invalid_input(fmt::format("{} is no id below {}", key, count));
    }
    out[name] = *id;
  }
  return out;
}

/// Puts the first token in front of every text.
Json bos_template(std::uint64_t id, std::string_view token) {
  const Json bos = Object{{"SpecialToken", Object{{"id", token}, {"type_id", 0}}}};
  const auto sequence_part = [](const char* name, int type) -> Json {
    return Object{{"Sequence", Object{{"id", name}, {"type_id", type}}}};
  };
  const Json bos_of_pair = Object{{"SpecialToken", Object{{"id", token}, {"type_id", 1}}}};
  const Json described =
      Object{{"id", token}, {"ids", Json::Array{id}}, {"tokens", Json::Array{token}}};
  return Object{
      {"type", "TemplateProcessing"},
      {"single", Json::Array{bos, sequence_part("A", 0)}},
      {"pair", Json::Array{bos, sequence_part("A", 0), bos_of_pair, sequence_part("B", 1)}},
      {"special_tokens", Object{{std::string(token), described}}}};
}

Json bpe_model(const std::vector<std::string_view>& tokens, Json::Array merge_list,
               bool ignore_merges) {
  Object ids;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    ids.emplace(tokens[id], static_cast<std::uint64_t>(id));
  }
  return Object{{"type", "BPE"},
                {"dropout", Json()},
                {"unk_token", Json()},
                {"continuing_subword_prefix", Json()},
                {"end_of_word_suffix", Json()},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", ignore_merges},
                {"vocab", std::move(ids)},
                {"merges", std::move(merge_list)}};
}

Result<Json> tokenizer_json(const GgufFile& file, const std::vector<std::string_view>& tokens,
                            const SpecialIds& ids) {
  AFTUNE_TRY(const std::string_view pre, text(file, "tokenizer.ggml.pre"));
  AFTUNE_TRY(Splitting split, splitting(pre));
  AFTUNE_TRY(const Vocabulary known, vocabulary(tokens));
  AFTUNE_TRY(Json::Array merge_list, merges(file, known));
  AFTUNE_TRY(const auto types, token_types(file, tokens.size()));
  AFTUNE_TRY(const bool add_bos, flag(file, "tokenizer.ggml.add_bos_token"));
  Json post;
  if (add_bos) {
    const auto bos = ids.find("bos");
    if (bos == ids.end()) {
      return invalid_input("tokenizer.ggml.add_bos_token is true, bos_token_id is missing");
    }
    post = bos_template(bos->second, tokens[bos->second]);
  }
  return Json(Object{{"version", "1.0"},
                     {"truncation", Json()},
                     {"padding", Json()},
                     {"added_tokens", added_tokens(tokens, types)},
                     {"normalizer", std::move(split.normalizer)},
                     {"pre_tokenizer", std::move(split.pre_tokenizer)},
                     {"post_processor", std::move(post)},
                     {"decoder", byte_level(true, true)},
                     {"model", bpe_model(tokens, std::move(merge_list), split.ignore_merges)}});
}

Result<Json> tokenizer_config(const GgufFile& file, const std::vector<std::string_view>& tokens,
                              const SpecialIds& ids) {
  Object out{{"add_prefix_space", false},
             {"clean_up_tokenization_spaces", false},
             {"tokenizer_class", "PreTrainedTokenizerFast"}};
  for (const auto& [name, id] : ids) out[name + "_token"] = tokens[id];
  if (const GgufValue* length = file.find("llama.context_length")) {
    if (const auto value = length->integer()) out["model_max_length"] = *value;
  }
  if (file.find("tokenizer.chat_template") != nullptr) {
    AFTUNE_TRY(const std::string_view chat, text(file, "tokenizer.chat_template"));
    out["chat_template"] = chat;
  }
  return Json(std::move(out));
}

}  // namespace

Result<GgufTokenizer> gguf_tokenizer(const GgufFile& file) {
  AFTUNE_TRY(const std::string_view kind, text(file, "tokenizer.ggml.model"));
  if (kind != "gpt2") {
    return unsupported(fmt::format("tokenizer.ggml.model is \"{}\", supported is \"gpt2\"", kind));
  }
  AFTUNE_TRY(check_keys(file));
  AFTUNE_TRY(check_flags(file));
  AFTUNE_TRY(const GgufValue* list, strings(file, "tokenizer.ggml.tokens"));
  const std::vector<std::string_view>& tokens = list->strings;
  AFTUNE_TRY(const SpecialIds ids, special_ids(file, tokens.size()));
  GgufTokenizer out;
  AFTUNE_TRY(out.tokenizer, tokenizer_json(file, tokens, ids));
  AFTUNE_TRY(out.tokenizer_config, tokenizer_config(file, tokens, ids));
  for (const char* name : {"bos", "eos", "pad"}) {
    const auto found = ids.find(name);
    if (found != ids.end()) out.special_ids[std::string(name) + "_token_id"] = found->second;
  }
  return out;
}

}  // namespace aftune::model
