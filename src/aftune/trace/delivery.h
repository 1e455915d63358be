// SPDX-License-Identifier: Apache-2.0
// The delivered model folder: written at the close, bound by path, size and SHA-256.
#pragma once

#include <vector>

#include "aftune/tensor/tensor_map.h"
#include "aftune/trace/contract.h"

namespace aftune::trace {

/// The file with the trained tensors: model.safetensors, or that of an adapter folder.
const char* weights_file(const Contract& contract);

/// What the delivered folder holds besides: the base's companions, or the adapter's configuration.
std::vector<BoundFile> other_files(const Contract& contract);

/// Writes `parameters` and the other files (companions from `base`) to `folder` so that the folder
/// appears whole or not at all. A folder that is there already must be equal in every byte.
/// Returns: its files, ascending by path. Errors: kInvalidInput for another folder's content,
///          kCorrupt for companions that are not the contract's, kUnavailable.
Result<std::vector<BoundFile>> deliver(const Contract& contract, const Path& base,
                                       const TensorMap& parameters, const Path& folder);

/// Size and SHA-256 of the weights file that these parameters give, without a file.
BoundFile expected_weights(const Contract& contract, const TensorMap& parameters);

/// Bytes of the contract's weights file.
std::uint64_t expected_weights_size(const Contract& contract);

}  // namespace aftune::trace
