// SPDX-License-Identifier: Apache-2.0
// Makes a model folder from other formats. Rules: docs/formats/gguf.md,
// docs/formats/model-folder.md.
#pragma once

#include <cstdint>
#include <optional>

#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/model/llama_config.h"

namespace aftune::model {

/// From GGUF v2 or v3, architecture "llama" (little-endian): F32, F16, BF16, Q8_0, Q4_0, Q4_1
/// tensors become fp32, the rotary permutation of q and k is undone, tokenizer.json and
/// tokenizer_config.json are made from the file's vocabulary and merges.
/// Errors: kInvalidInput, kUnsupported, each naming key or tensor; kUnavailable. `folder` must not
///         exist or be empty; on an error nothing stays there.
Status import_gguf(const Path& file, const Path& folder);

/// What becomes of elements in F16 or BF16.
enum class Elements {
  kWidened,  // fp32 of the same value
  kKept,     // as they are: a narrow folder
};

/// From a Hugging Face folder: config.json, weights in one file or several (F32, F16, BF16),
/// tokenizer.json or, of an image classifier, preprocessor_config.json. `image_size`: of the model
/// that is made, an image classifier whose positions are resampled (docs/formats/vit.md).
/// Errors: as import_gguf; with kKept kUnsupported for tensors of several types.
Status import_hf(const Path& source, const Path& folder, Elements elements = Elements::kWidened,
                 std::optional<std::uint32_t> image_size = std::nullopt);

/// A folder with a randomly initialised model, for tests and examples: weights from Philox by
/// `seed` (normal by sum of uniforms times 0.02, norms 1), equal bytes for equal arguments.
/// `companion` is copied unchanged: tokenizer.json, or the preprocessor_config.json of an image
/// classifier.
Status make_random_model(const LlamaConfig& config, std::uint64_t seed, const Path& companion,
                         const Path& folder);

}  // namespace aftune::model
