// SPDX-License-Identifier: Apache-2.0
// The contract's "model.architecture", both ways: docs/formats/contract.md.
#include <fmt/core.h>

#include "aftune/model/llama_config.h"

namespace aftune::model {
namespace {

struct Member {
  const char* name;
  std::uint32_t LlamaConfig::*value;
};

constexpr Member kMembers[] = {{"vocab_size", &LlamaConfig::vocab_size},
                               {"hidden_size", &LlamaConfig::hidden_size},
                               {"intermediate_size", &LlamaConfig::intermediate_size},
                               {"layer_count", &LlamaConfig::layer_count},
                               {"head_count", &LlamaConfig::head_count},
                               {"kv_head_count", &LlamaConfig::kv_head_count},
                               {"head_dim", &LlamaConfig::head_dim},
                               {"max_positions", &LlamaConfig::max_positions}};

/// No extent is larger; check_config has the limit of each.
constexpr std::int64_t kMaxExtent = 1 << 24;

codec::Json to_json(const RopeScaling& scaling) {
  return codec::Json::Object{{"factor", codec::hex_float(scaling.factor)},
                             {"high_freq_factor", codec::hex_float(scaling.high_freq_factor)},
                             {"low_freq_factor", codec::hex_float(scaling.low_freq_factor)},
                             {"original_max_positions", scaling.original_max_positions},
                             {"type", "llama3"}};
}

Result<Family> read_family(codec::JsonReader& reader) {
  AFTUNE_TRY(const std::string name, reader.string("family"));
  if (const FamilyTraits* traits = find_family(name)) return traits->family;
  std::string known;
  for (const FamilyTraits& each : families()) {
    known += (known.empty() ? "" : ", ") + std::string(each.name);
  }
  return Error{Code::kUnsupported,
               fmt::format("{}.family: \"{}\", supported are {}", reader.path(), name, known)};
}

Result<std::uint32_t> read_extent(codec::JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(const std::int64_t value, reader.integer(name, 1, kMaxExtent));
  return static_cast<std::uint32_t>(value);
}

Result<RopeScaling> read_scaling(codec::JsonReader& reader) {
  AFTUNE_TRY(codec::JsonReader object, reader.object("rope_scaling"));
  AFTUNE_TRY(const std::string type, object.string("type"));
  if (type != "llama3") {
    return Error{Code::kUnsupported,
                 fmt::format("{}.type: \"{}\", supported is \"llama3\"", object.path(), type)};
  }
  RopeScaling out;
  AFTUNE_TRY(out.factor, object.hex_real("factor"));
  AFTUNE_TRY(out.low_freq_factor, object.hex_real("low_freq_factor"));
  AFTUNE_TRY(out.high_freq_factor, object.hex_real("high_freq_factor"));
  AFTUNE_TRY(out.original_max_positions, read_extent(object, "original_max_positions"));
  AFTUNE_TRY(object.finish());
  return out;
}

}  // namespace

codec::Json to_contract(const LlamaConfig& config) {
  if (config.vision) return vision_to_contract(config);
  codec::Json::Object out;
  out["family"] = traits_of(config.family).name;
  for (const auto& [name, value] : kMembers) out[name] = config.*value;
  out["rms_norm_eps"] = codec::hex_float(config.rms_norm_eps);
  out["rope_theta"] = codec::hex_float(config.rope_theta);
  out["tied_embeddings"] = config.tied_embeddings;
  if (config.rope_scaling) out["rope_scaling"] = to_json(*config.rope_scaling);
  if (config.sliding_window != 0) out["sliding_window"] = config.sliding_window;
  return out;
}

Result<LlamaConfig> architecture_from_contract(codec::JsonReader& reader) {
  LlamaConfig c;
  AFTUNE_TRY(c.family, read_family(reader));
  if (traits_of(c.family).vision) return vision_from_contract(reader, c.family);
  for (const auto& [name, target] : kMembers) {
    AFTUNE_TRY(c.*target, read_extent(reader, name));
  }
  AFTUNE_TRY(const double eps, reader.hex_real("rms_norm_eps"));
  c.rms_norm_eps = static_cast<float>(eps);
  if (static_cast<double>(c.rms_norm_eps) != eps) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.rms_norm_eps: {} is no fp32 value", reader.path(), eps)};
  }
  AFTUNE_TRY(c.rope_theta, reader.hex_real("rope_theta"));
  AFTUNE_TRY(c.tied_embeddings, reader.boolean("tied_embeddings"));
  if (reader.has("rope_scaling")) {
    AFTUNE_TRY(c.rope_scaling, read_scaling(reader));
  }
  if (reader.has("sliding_window")) {
    AFTUNE_TRY(c.sliding_window, read_extent(reader, "sliding_window"));
  }
  AFTUNE_TRY(reader.finish());
  AFTUNE_TRY(check_config(c).in(reader.path()));
  return c;
}

}  // namespace aftune::model
