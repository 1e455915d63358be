// SPDX-License-Identifier: Apache-2.0
// Rotary positions in config.json. Older files have "rope_theta" and "rope_scaling", newer ones
// "rope_parameters" with everything; some have both.
#include <fmt/core.h>

#include <algorithm>

#include "aftune/model/hf_members.h"

namespace aftune::model {
namespace {

using codec::Json;

constexpr double kDefaultTheta = 10000;  // of transformers, in every family here

constexpr std::string_view kScalingMembers[] = {"factor", "high_freq_factor", "low_freq_factor",
                                                "original_max_position_embeddings"};

/// What one of the two objects says.
struct RopeObject {
  std::optional<double> theta;
  std::optional<RopeScaling> scaling;
};

Result<std::string> read_type(const Json& object, const char* name) {
  std::string type;
  for (const char* member : {"rope_type", "type"}) {
    if (absent(object, member)) continue;
    const Json& value = *object.find(member);
    const std::string* text = value.string();
    if (text == nullptr || (*text != "default" && *text != "llama3")) {
      return hf_unsupported(fmt::format("{}.{} is {}, supported are \"default\" and \"llama3\"",
                                        name, member, spelled(value)));
    }
    if (!type.empty() && type != *text) {
      return hf_invalid(fmt::format("{}: rope_type and type differ", name));
    }
    type = *text;
  }
  return type.empty() ? "default" : type;
}

Status check_members(const Json& object, const char* name, const std::string& type) {
  for (const auto& [member, value] : *object.object()) {
    if (member == "rope_type" || member == "type" || member == "rope_theta") continue;
    const bool of_scaling = std::find(std::begin(kScalingMembers), std::end(kScalingMembers),
                                      member) != std::end(kScalingMembers);
    if (of_scaling && type == "llama3") continue;
    return hf_unsupported(fmt::format("{}.{} is {}, not supported with rope_type \"{}\"", name,
                                      member, spelled(value), type));
  }
  return ok();
}

Result<RopeObject> read_object(const Json& config, const char* name) {
  if (absent(config, name)) return RopeObject{};
  const Json& object = *config.find(name);
  if (object.object() == nullptr) {
    return hf_invalid(fmt::format("{} is {}, no object", name, spelled(object)));
  }
  AFTUNE_TRY(const std::string type, read_type(object, name));
  AFTUNE_TRY(check_members(object, name, type));
  const std::string path = std::string(name) + ".";
  RopeObject out;
  if (object.find("rope_theta") != nullptr) {
    AFTUNE_TRY(out.theta, read_number(object, "rope_theta", path));
  }
  if (type == "default") return out;
  RopeScaling scaling;
  AFTUNE_TRY(scaling.factor, read_number(object, "factor", path));
  AFTUNE_TRY(scaling.low_freq_factor, read_number(object, "low_freq_factor", path));
  AFTUNE_TRY(scaling.high_freq_factor, read_number(object, "high_freq_factor", path));
  AFTUNE_TRY(scaling.original_max_positions,
             read_extent(object, "original_max_position_embeddings", path));
  out.scaling = scaling;
  return out;
}

}  // namespace

Result<Rope> read_rope(const Json& config) {
  AFTUNE_TRY(const RopeObject older, read_object(config, "rope_scaling"));
  AFTUNE_TRY(const RopeObject newer, read_object(config, "rope_parameters"));
  if (!absent(config, "rope_scaling") && !absent(config, "rope_parameters") &&
      older.scaling != newer.scaling) {
    return hf_invalid("rope_scaling contradicts rope_parameters");
  }
  Rope out;
  out.scaling = older.scaling ? older.scaling : newer.scaling;
  std::optional<double> theta;
  if (!absent(config, "rope_theta")) {
    AFTUNE_TRY(theta, read_number(config, "rope_theta"));
  }
  for (const auto& [name, inner] :
       {std::pair{"rope_scaling", older.theta}, std::pair{"rope_parameters", newer.theta}}) {
    if (!inner) continue;
    if (theta && *theta != *inner) {
      return hf_invalid(
          fmt::format("{}.rope_theta is {}, contradicts rope_theta {}", name, *inner, *theta));
    }
    theta = inner;
  }
  out.theta = theta.value_or(kDefaultTheta);
  return out;
}

}  // namespace aftune::model
