// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/train/step.h"

namespace aftune::train {

/// For steps whose hand-overs nobody records: an unrecorded run, the replay of an abort.
class NoObserver final : public StepObserver {
 public:
  Status on_edge(const EdgeId&, EdgeTensor) override { return ok(); }
  Status before_update(std::uint32_t) override { return ok(); }
};

}  // namespace aftune::train
