// SPDX-License-Identifier: Apache-2.0
// What every finished edge tensor is asked, whatever the family. Inside the model module only.
#pragma once

#include <string>

#include "aftune/base/check.h"
#include "aftune/model/segment_function.h"
#include "aftune/numerics/elementwise.h"

namespace aftune::model {

inline Status check_edge(const numerics::Engine& engine, const Tensor& edge, std::uint32_t index,
                         const char* kind) {
  if (numerics::all_finite(engine, edge.f32())) return ok();
  return Error{Code::kNonFinite,
               "edge " + std::to_string(index) + ": " + kind + ": non-finite value"};
}

inline void check_edge_shape(const Tensor& edge, const MicroBatch& batch,
                             const LlamaConfig& config) {
  const Shape expected = {batch.rows * batch.sequence, config.hidden_size};
  AFTUNE_CHECK(edge.shape() == expected, "edge of another shape");
}

}  // namespace aftune::model
