// SPDX-License-Identifier: Apache-2.0
// The contract's "model.architecture" of an image classifier, both ways: docs/formats/contract.md.
#include <fmt/core.h>

#include "aftune/model/llama_config.h"

namespace aftune::model {
namespace {

constexpr std::int64_t kMaxExtent = 1 << 24;

struct Member {
  const char* name;
  std::uint32_t LlamaConfig::*value;
};
constexpr Member kMembers[] = {{"classes", &LlamaConfig::vocab_size},
                               {"head_count", &LlamaConfig::head_count},
                               {"hidden_size", &LlamaConfig::hidden_size},
                               {"layer_count", &LlamaConfig::layer_count}};

struct ImageMember {
  const char* name;
  std::uint32_t VisionConfig::*value;
};
constexpr ImageMember kImageMembers[] = {{"channels", &VisionConfig::channels},
                                         {"image_size", &VisionConfig::image_size},
                                         {"patch_size", &VisionConfig::patch_size}};

Result<std::uint32_t> read_extent(codec::JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(const std::int64_t value, reader.integer(name, 1, kMaxExtent));
  return static_cast<std::uint32_t>(value);
}

}  // namespace

codec::Json vision_to_contract(const LlamaConfig& config) {
  codec::Json::Object out;
  out["family"] = traits_of(config.family).name;
  for (const auto& [name, value] : kMembers) out[name] = config.*value;
  for (const auto& [name, value] : kImageMembers) out[name] = (*config.vision).*value;
  out["layer_norm_eps"] = codec::hex_float(config.rms_norm_eps);
  out["qkv_bias"] = config.vision->qkv_bias;
  if (config.family == Family::kVit) {
    out["intermediate_size"] = config.intermediate_size;
    return out;
  }
  out["mlp_ratio"] = config.vision->mlp_ratio;
  out["swiglu"] = config.vision->swiglu;
  return out;
}

Result<LlamaConfig> vision_from_contract(codec::JsonReader& reader, Family family) {
  LlamaConfig c;
  c.family = family;
  VisionConfig& v = c.vision.emplace();
  for (const auto& [name, target] : kMembers) {
    AFTUNE_TRY(c.*target, read_extent(reader, name));
  }
  for (const auto& [name, target] : kImageMembers) {
    AFTUNE_TRY(v.*target, read_extent(reader, name));
  }
  AFTUNE_TRY(const double eps, reader.hex_real("layer_norm_eps"));
  c.rms_norm_eps = static_cast<float>(eps);
  if (static_cast<double>(c.rms_norm_eps) != eps) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.layer_norm_eps: {} is no fp32 value", reader.path(), eps)};
  }
  AFTUNE_TRY(v.qkv_bias, reader.boolean("qkv_bias"));
  if (family == Family::kVit) {
    AFTUNE_TRY(c.intermediate_size, read_extent(reader, "intermediate_size"));
  } else {
    AFTUNE_TRY(v.mlp_ratio, read_extent(reader, "mlp_ratio"));
    AFTUNE_TRY(v.swiglu, reader.boolean("swiglu"));
  }
  AFTUNE_TRY(reader.finish());
  derive_vision_members(c);
  AFTUNE_TRY(check_config(c).in(reader.path()));
  return c;
}

}  // namespace aftune::model
