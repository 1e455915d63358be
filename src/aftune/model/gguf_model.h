// SPDX-License-Identifier: Apache-2.0
// What the metadata and tensors of a GGUF file say about a Llama: docs/formats/gguf.md, "Model".
#pragma once

#include "aftune/base/result.h"
#include "aftune/model/gguf.h"
#include "aftune/model/llama_config.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// Errors: kInvalidInput for a missing key or one of another type or range, kUnsupported for a key
///         or value that this build does not know, each naming the key.
Result<LlamaConfig> gguf_config(const GgufFile& file);

/// Every parameter in fp32 under Hugging Face's name, rotary permutation undone.
/// Errors: kInvalidInput for a missing tensor or another shape, naming both; kUnsupported for an
///         unknown tensor.
Result<TensorMap> gguf_parameters(const GgufFile& file, const LlamaConfig& config);

}  // namespace aftune::model
