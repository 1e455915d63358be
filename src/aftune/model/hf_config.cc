// SPDX-License-Identifier: Apache-2.0
// config.json of a LlamaForCausalLM, both ways. Every member is in one of the tables below.
#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "aftune/model/llama_config.h"

namespace aftune::model {
namespace {

using codec::Json;

constexpr const char* kFile = "config.json";
constexpr double kDefaultRopeTheta = 10000;  // of transformers' LlamaConfig

// They describe how the file came about or how text is generated; no logit depends on them.
constexpr std::string_view kIgnored[] = {"_attn_implementation_autoset",
                                         "_name_or_path",
                                         "bos_token_id",
                                         "dtype",
                                         "eos_token_id",
                                         "id2label",
                                         "initializer_range",
                                         "is_llama_config",
                                         "label2id",
                                         "output_attentions",
                                         "output_hidden_states",
                                         "pad_token_id",
                                         "problem_type",
                                         "return_dict",
                                         "torch_dtype",
                                         "transformers.js_config",
                                         "transformers_version",
                                         "unk_token_id",
                                         "use_cache"};

// Members that take() reads.
constexpr std::string_view kRead[] = {
    "architectures",       "head_dim",          "hidden_size",     "intermediate_size",
    "num_attention_heads", "num_hidden_layers", "vocab_size",      "max_position_embeddings",
    "num_key_value_heads", "rms_norm_eps",      "rope_parameters", "rope_theta",
    "tie_word_embeddings"};

struct Fixed {
  std::string_view name;
  Json value;
  std::string_view spelling;
};

const std::vector<Fixed>& fixed_members() {
  static const std::vector<Fixed> members = {
      {"attention_bias", false, "false"},     {"attention_dropout", 0, "0"},
      {"chunk_size_feed_forward", 0, "0"},    {"hidden_act", "silu", "\"silu\""},
      {"is_encoder_decoder", false, "false"}, {"mlp_bias", false, "false"},
      {"model_type", "llama", "\"llama\""},   {"pretraining_tp", 1, "1"},
      {"rope_interleaved", false, "false"},   {"rope_scaling", Json(), "null"},
      {"sliding_window", Json(), "null"}};
  return members;
}

Error invalid(std::string what) { return {Code::kInvalidInput, std::move(what)}; }
Error unsupported(std::string what) { return {Code::kUnsupported, std::move(what)}; }

std::optional<double> number(const Json& value) {
  if (const auto* real = value.real()) return *real;
  if (const auto* integer = value.integer()) return static_cast<double>(*integer);
  return std::nullopt;
}

bool same_value(const Json& a, const Json& b) {
  const auto x = number(a);
  const auto y = number(b);
  return x && y ? *x == *y : a == b;
}

template <typename List>
bool contains(const List& list, std::string_view name) {
  for (const auto& item : list) {
    if (item == name) return true;
  }
  return false;
}

Status check_member(const std::string& name, const Json& value) {
  if (contains(kIgnored, name) || contains(kRead, name)) return ok();
  for (const Fixed& fixed : fixed_members()) {
    if (fixed.name != name) continue;
    if (same_value(value, fixed.value)) return ok();
    return unsupported(fmt::format("{}: {} is not {}", kFile, name, fixed.spelling));
  }
  return unsupported(fmt::format("{}: unknown member {}", kFile, name));
}

Status check_architectures(const Json& config) {
  const Json* list = config.find("architectures");
  if (list == nullptr || list->is_null()) return ok();
  if (*list == Json(Json::Array{"LlamaForCausalLM"})) return ok();
  return unsupported(fmt::format("{}: architectures is not [\"LlamaForCausalLM\"]", kFile));
}

Status take(const Json& config, std::string_view name, std::uint32_t& target) {
  const Json* value = config.find(name);
  if (value == nullptr) return invalid(fmt::format("{}: {} is missing", kFile, name));
  const auto* integer = value->integer();
  if (integer == nullptr || *integer < 1 || *integer > std::numeric_limits<std::uint32_t>::max()) {
    return invalid(fmt::format("{}: {} is no integer from 1 to 2^32-1", kFile, name));
  }
  target = static_cast<std::uint32_t>(*integer);
  return ok();
}

bool absent(const Json& config, std::string_view name) {
  const Json* value = config.find(name);
  return value == nullptr || value->is_null();
}

Status take_heads(const Json& config, LlamaConfig& c) {
  AFTUNE_TRY(take(config, "num_attention_heads", c.head_count));
  c.kv_head_count = c.head_count;
  if (!absent(config, "num_key_value_heads")) {
    AFTUNE_TRY(take(config, "num_key_value_heads", c.kv_head_count));
  }
  if (!absent(config, "head_dim")) return take(config, "head_dim", c.head_dim);
  if (c.hidden_size % c.head_count != 0) {
    return invalid(fmt::format("{}: hidden_size {} is no multiple of num_attention_heads {}", kFile,
                               c.hidden_size, c.head_count));
  }
  c.head_dim = c.hidden_size / c.head_count;
  return ok();
}

/// Newer files hold {"rope_theta", "rope_type"} in rope_parameters, older ones rope_theta alone.
Result<double> rope_theta(const Json& config) {
  std::optional<double> theta;
  if (!absent(config, "rope_theta")) {
    theta = number(*config.find("rope_theta"));
    if (!theta) return invalid(fmt::format("{}: rope_theta is no number", kFile));
  }
  if (absent(config, "rope_parameters")) return theta.value_or(kDefaultRopeTheta);
  const auto* parameters = config.find("rope_parameters")->object();
  if (parameters == nullptr) {
    return invalid(fmt::format("{}: rope_parameters is no object", kFile));
  }
  for (const auto& [name, value] : *parameters) {
    if (name == "rope_theta") {
      const auto inner = number(value);
      if (!inner || (theta && *theta != *inner)) {
        return invalid(
            fmt::format("{}: rope_parameters.rope_theta is no number or contradicts "
                        "rope_theta",
                        kFile));
      }
      theta = inner;
    } else if (name != "rope_type" || value != Json("default")) {
      return unsupported(fmt::format("{}: rope_parameters.{} is not supported", kFile, name));
    }
  }
  return theta.value_or(kDefaultRopeTheta);
}

/// The double that the shortest decimal of `value` spells, so that 1e-5 reads as 1e-05.
double short_double(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double out = 0;
  std::from_chars(text, written.ptr, out);
  return static_cast<float>(out) == value ? out : static_cast<double>(value);
}

/// An integer where the value is one, as people write bases: 100000, not 1e+05.
Json plain_number(double value) {
  const bool whole = value < 0x1p53 && value == std::floor(value);
  return whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

}  // namespace

Result<LlamaConfig> parse_hf_config(const Json& config) {
  if (config.object() == nullptr) return invalid(fmt::format("{}: no object", kFile));
  if (config.find("model_type") == nullptr) {
    return invalid(fmt::format("{}: model_type is missing", kFile));
  }
  for (const auto& [name, value] : *config.object()) AFTUNE_TRY(check_member(name, value));
  AFTUNE_TRY(check_architectures(config));
  LlamaConfig c;
  AFTUNE_TRY(take(config, "vocab_size", c.vocab_size));
  AFTUNE_TRY(take(config, "hidden_size", c.hidden_size));
  AFTUNE_TRY(take(config, "intermediate_size", c.intermediate_size));
  AFTUNE_TRY(take(config, "num_hidden_layers", c.layer_count));
  AFTUNE_TRY(take(config, "max_position_embeddings", c.max_positions));
  AFTUNE_TRY(take_heads(config, c));
  AFTUNE_TRY(c.rope_theta, rope_theta(config));
  const Json* eps = config.find("rms_norm_eps");
  if (eps == nullptr || !number(*eps)) {
    return invalid(fmt::format("{}: rms_norm_eps is missing or no number", kFile));
  }
  c.rms_norm_eps = static_cast<float>(*number(*eps));
  if (!absent(config, "tie_word_embeddings")) {
    const bool* tied = config.find("tie_word_embeddings")->boolean();
    if (tied == nullptr) {
      return invalid(fmt::format("{}: tie_word_embeddings is neither true nor false", kFile));
    }
    c.tied_embeddings = *tied;
  }
  AFTUNE_TRY(check_config(c).in(kFile));
  return c;
}

Json to_hf_config(const LlamaConfig& config) {
  Json::Object rope;
  rope["rope_theta"] = plain_number(config.rope_theta);
  rope["rope_type"] = "default";
  Json::Object out;
  out["architectures"] = Json::Array{"LlamaForCausalLM"};
  out["attention_bias"] = false;
  out["attention_dropout"] = 0.0;
  out["head_dim"] = config.head_dim;
  out["hidden_act"] = "silu";
  out["hidden_size"] = config.hidden_size;
  out["intermediate_size"] = config.intermediate_size;
  out["max_position_embeddings"] = config.max_positions;
  out["mlp_bias"] = false;
  out["model_type"] = "llama";
  out["num_attention_heads"] = config.head_count;
  out["num_hidden_layers"] = config.layer_count;
  out["num_key_value_heads"] = config.kv_head_count;
  out["rms_norm_eps"] = short_double(config.rms_norm_eps);
  out["rope_parameters"] = rope;
  out["rope_theta"] = plain_number(config.rope_theta);
  out["tie_word_embeddings"] = config.tied_embeddings;
  out["torch_dtype"] = "float32";
  out["use_cache"] = true;
  out["vocab_size"] = config.vocab_size;
  return out;
}

}  // namespace aftune::model
