// SPDX-License-Identifier: Apache-2.0
// What a model makes of a held-out data set: docs/formats/training.md, "Evaluation".
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/model/parameter_view.h"
#include "aftune/model/segment_function.h"
#include "aftune/train/step_batches.h"

namespace aftune::train {

struct Evaluation {
  double loss = 0;            // mean over the counted labels
  std::uint64_t counted = 0;  // tokens, or images
};

/// All samples once, in order, as many at a time as a micro-batch; without dropout.
/// Requires: blocks[i] holds what layer block i of `partition` computes with.
/// Errors: kInvalidInput for a malformed row or none that counts; kNonFinite with the place.
Result<Evaluation> evaluate(const numerics::Engine& engine, const model::Llama& model,
                            const model::Partition& partition,
                            const std::vector<model::ParameterView>& blocks,
                            const StepBatches& samples);

}  // namespace aftune::train
