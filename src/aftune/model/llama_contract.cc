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

}  // namespace

codec::Json to_contract(const LlamaConfig& config) {
  codec::Json::Object out;
  out["family"] = "llama";
  for (const auto& [name, value] : kMembers) out[name] = config.*value;
  out["rms_norm_eps"] = codec::hex_float(config.rms_norm_eps);
  out["rope_theta"] = codec::hex_float(config.rope_theta);
  out["tied_embeddings"] = config.tied_embeddings;
  return out;
}

Result<LlamaConfig> architecture_from_contract(codec::JsonReader& reader) {
  AFTUNE_TRY(const std::string family, reader.string("family"));
  if (family != "llama") {
    return Error{Code::kUnsupported,
                 fmt::format("{}.family: \"{}\", supported is \"llama\"", reader.path(), family)};
  }
  LlamaConfig c;
  for (const auto& [name, target] : kMembers) {
    AFTUNE_TRY(const std::int64_t value, reader.integer(name, 1, kMaxExtent));
    c.*target = static_cast<std::uint32_t>(value);
  }
  AFTUNE_TRY(const double eps, reader.hex_real("rms_norm_eps"));
  c.rms_norm_eps = static_cast<float>(eps);
  if (static_cast<double>(c.rms_norm_eps) != eps) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.rms_norm_eps: {} is no fp32 value", reader.path(), eps)};
  }
  AFTUNE_TRY(c.rope_theta, reader.hex_real("rope_theta"));
  AFTUNE_TRY(c.tied_embeddings, reader.boolean("tied_embeddings"));
  AFTUNE_TRY(reader.finish());
  AFTUNE_TRY(check_config(c).in(reader.path()));
  return c;
}

}  // namespace aftune::model
