// SPDX-License-Identifier: Apache-2.0
// A model on disk: a Hugging Face folder plus aftune.safetensors with the frozen tables.
// Files and rules: docs/formats/model-folder.md.
#pragma once

#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/thread_pool.h"
#include "aftune/model/llama_config.h"
#include "aftune/tensor/safetensors.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// A folder whose config, tensor names, dtypes and shapes were checked. The parameters stay in
/// the mapped file.
struct ModelFolder {
  Path folder;
  LlamaConfig config;
  Dtype dtype = Dtype::kF32;   // of every parameter
  SafetensorsFile parameters;  // model.safetensors: exactly parameter_specs(config), but for dtype
  SafetensorsFile tables;      // aftune.safetensors: exactly table_spec(config)
};

/// Which parameters a caller takes.
enum class Width {
  kF32,  // a narrow folder is refused
  kAny,
};

/// Opens a folder that import wrote: one model.safetensors with parameters of one type.
/// Errors: kNotFound, kUnavailable; kInvalidInput naming the file, the tensor and both shapes.
Result<ModelFolder> open_model_folder(const Path& folder, Width width = Width::kF32);

/// Errors: kUnsupported for an image classifier.
Status check_generates(const ModelFolder& model);

/// The parameters as owned fp32 tensors, read by the threads of `pool`.
/// Errors: kNotFound for a name that the file lacks.
Result<TensorMap> load_parameters(const ModelFolder& model, const std::vector<TensorSpec>& specs,
                                  ThreadPool* pool = nullptr);

/// The same to be read only: matrices are borrowed from the mapped file, so the folder must outlive
/// them.
Result<TensorMap> borrow_parameters(const ModelFolder& model, const std::vector<TensorSpec>& specs);

/// The same with the file's elements as they are; the specs' dtype is not looked at.
Result<TensorMap> load_as_stored(const ModelFolder& model, const std::vector<TensorSpec>& specs);

/// `specs` with another type.
std::vector<TensorSpec> of_dtype(std::vector<TensorSpec> specs, Dtype dtype);

/// Names of the files that travel unchanged from base to delivered model when present:
/// everything but model.safetensors, ascending: aftune.safetensors, config.json,
/// generation_config.json, preprocessor_config.json, special_tokens_map.json, tokenizer.json,
/// tokenizer_config.json.
const std::vector<std::string>& companion_files();

/// Which companion files `folder` has, ascending.
std::vector<std::string> companions_of(const Path& folder);

/// Writes model.safetensors from `parameters` (canonical: docs/formats/safetensors.md) and copies
/// the companions of `base` byte by byte. `folder` must not exist or be empty.
/// Errors: kInvalidInput, kUnavailable.
Status write_model_folder(const Path& folder, const Path& base, const TensorMap& parameters);

}  // namespace aftune::model
