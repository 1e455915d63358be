// SPDX-License-Identifier: Apache-2.0
// Low-rank adapters beside frozen weights, as PEFT has them: docs/formats/lora.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/model/llama_config.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// The key of one stream of the counter generator.
using PhiloxKey = std::array<std::uint32_t, 2>;

struct LoraSpec {
  std::uint32_t rank = 0;
  double alpha = 0, dropout = 0;
  bool rslora = false;
  std::vector<std::string> target_modules;   // ascending
  std::vector<std::string> modules_to_save;  // ascending

  friend bool operator==(const LoraSpec&, const LoraSpec&) = default;
};

/// The layers' linear modules, as PEFT names them, ascending: what "all-linear" means. An adapter
/// can stand beside each of them, and beside a decoder's kHeadModule.
std::vector<std::string> linear_modules(const LlamaConfig& config);
inline constexpr const char* kHeadModule = "lm_head";
/// Where nobody says, as PEFT has it.
inline const std::vector<std::string> kUsualTargets = {"q_proj", "v_proj"};

/// Errors: kInvalidInput or kUnsupported, beginning with the member's name.
Status check_lora(const LoraSpec& lora, const LlamaConfig& config);

/// alpha / r or alpha / sqrt(r), rounded to fp32.
float lora_scaling(const LoraSpec& lora);

/// Before the base's names in those of an adapter folder.
inline constexpr std::string_view kPeftPrefix = "base_model.model.";
/// Names of a target's two tensors, from the name of its weight in PEFT (peft_names.h).
std::string lora_a_name(std::string_view weight);
std::string lora_b_name(std::string_view weight);
/// "Place" of the target with this weight. Requires: the weight of a target, as above.
std::uint32_t lora_place(std::string_view weight);

/// The name of a base's parameter where it is trained as a whole.
std::string saved_name(std::string_view parameter);

/// What is trained, ascending by name: adapters and saved modules, or all parameters without
/// `lora`.
std::vector<TensorSpec> trained_specs(const LlamaConfig& config,
                                      const std::optional<LoraSpec>& lora);
/// What is not, ascending by name. None without `lora`.
std::vector<TensorSpec> frozen_specs(const LlamaConfig& config,
                                     const std::optional<LoraSpec>& lora);
/// The base's name of a trained tensor that starts as the base's, or empty for one of an adapter.
std::string base_name(std::string_view trained);

/// A or B as an adapter starts, by its full name. Requires: base_name(spec.name) is empty.
Tensor first_adapter(const TensorSpec& spec, const PhiloxKey& key);

}  // namespace aftune::model
