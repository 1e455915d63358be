// SPDX-License-Identifier: Apache-2.0
// Adapters on disk, in PEFT's form, and merged into their base: docs/formats/lora.md.
#pragma once

#include <string>

#include "aftune/base/file.h"
#include "aftune/model/lora.h"
#include "aftune/model/model_folder.h"

namespace aftune::model {

inline constexpr const char* kAdapterConfig = "adapter_config.json";
inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";

struct AdapterFolder {
  LoraSpec lora;
  TensorMap tensors;  // exactly trained_specs(config, lora), fp32, finite
};

/// The bytes of adapter_config.json.
std::string adapter_config(const LoraSpec& lora, const LlamaConfig& base);

/// What PEFT wrote, or write_adapter_folder.
/// Errors: kNotFound, kUnavailable; kInvalidInput or kUnsupported naming file and member or tensor.
Result<AdapterFolder> open_adapter_folder(const Path& folder, const LlamaConfig& config);

/// `folder` must not exist or be empty. Requires: the tensors are those of `lora` for this base.
/// Errors: kInvalidInput, kUnavailable.
Status write_adapter_folder(const Path& folder, const LoraSpec& lora, const LlamaConfig& base,
                            const TensorMap& tensors);

/// Puts the adapter into its base's parameters. Requires: exactly those.
void merge_into(TensorMap& base, const AdapterFolder& adapter);

/// The base's parameters with the adapter in them. Errors: kInvalidInput for one that is not
/// finite.
Result<TensorMap> merge_adapter(const ModelFolder& base, const AdapterFolder& adapter);

}  // namespace aftune::model
