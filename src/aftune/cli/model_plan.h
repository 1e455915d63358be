// SPDX-License-Identifier: Apache-2.0
// `aftune plan --model`: what training a model takes. docs/guides/plan.md, "A model".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"

namespace aftune::cli {

/// What the flags say; 0 and empty where one is not given.
struct ModelPlanArgs {
  std::string model;  // a config.json, or a folder that has one
  std::string optimizer;
  std::vector<std::string> dtypes;  // NAME=TYPE
  std::uint64_t layers_per_block = 0, steps_per_block = 0, steps = 0;
  std::uint64_t interval = 1, edge_interval = 1, samples = 1, micro_batch = 0, sequence = 0;
  std::uint64_t lora_r = 0;  // 0: all parameters are trained
  std::vector<std::string> target_modules, modules_to_save;
};

struct ModelPlanPage {
  std::string text;
  codec::Json json;
};

/// Errors: kInvalidInput naming flag or file; kUnsupported as parse_hf_config; kNotFound.
Result<ModelPlanPage> plan_model(const ModelPlanArgs& args);

}  // namespace aftune::cli
