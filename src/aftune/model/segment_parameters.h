// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "aftune/model/partition.h"

namespace aftune::model {

/// The parameters that one segment reads, ascending by name: a tied head has the embedding's.
std::vector<TensorSpec> segment_parameters(const LlamaConfig& config, const Segment& segment);

}  // namespace aftune::model
