// SPDX-License-Identifier: Apache-2.0
// What every importer ends with: a model folder from parts in memory.
#pragma once

#include <map>
#include <string>

#include "aftune/base/file.h"
#include "aftune/model/llama_config.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

struct NewModel {
  LlamaConfig config;
  codec::Json::Object extra_config;          // members of config.json besides the architecture
  Dtype dtype = Dtype::kF32;                 // of every parameter
  TensorMap parameters;                      // exactly parameter_specs(config), of that dtype
  Tensor normalization = {};                 // an image classifier's frozen table; else empty
  std::map<std::string, std::string> files;  // tokenizer.json and other companions, by name
};

/// Writes the folder, the frozen table and config.json included.
/// Errors: kInvalidInput for a folder that is not empty or a parameter that is not finite, naming
///         it; kUnavailable.
Status write_new_model(const NewModel& model, const Path& folder);

/// The tensors, borrowed, for a safetensors file.
std::vector<NamedTensor> named_tensors(const TensorMap& tensors);

/// Errors: kInvalidInput naming the first element of `tensor` that is not finite.
Status check_finite(const std::string& name, const Tensor& tensor);

/// As check_finite for each, and the names, dtypes and shapes are exactly `specs`.
Status check_parameters(const TensorMap& tensors, const std::vector<TensorSpec>& specs);

}  // namespace aftune::model
