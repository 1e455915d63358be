// SPDX-License-Identifier: Apache-2.0
// One call of each elementwise kernel on given values: what the self-test and the tests compare.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "aftune/numerics/internal/elementwise_kernels.h"

namespace aftune::numerics {

/// Four rows of at least max(n, 3) values each.
struct ProbeInputs {
  std::vector<float> a, b, c, d;
};

/// Finite values, the same at every call. `wide`: of every exponent, subnormal ones and zeros of
/// both signs among them; else of sizes from 2^-7 to 2.
ProbeInputs probe_inputs(std::size_t count, bool wide);

/// Runs one kernel over n values and returns all that it wrote, with kProbeGuards values behind
/// each output that it must not write, so that one vector shows every difference.
struct ElementwiseProbe {
  std::string name;
  std::function<std::vector<float>(const ElementwiseKernels&, const ProbeInputs&, std::size_t n)>
      run;
};

inline constexpr std::size_t kProbeGuards = 8;
inline constexpr float kProbeGuard = 12345.0f;

/// One probe or more of every kernel. Those of element_probes() end with guards.
std::vector<ElementwiseProbe> row_probes();
std::vector<ElementwiseProbe> element_probes();
std::vector<ElementwiseProbe> norm_probes();
std::vector<ElementwiseProbe> layer_norm_probes();
std::vector<ElementwiseProbe> update_probes();
std::vector<ElementwiseProbe> all_elementwise_probes();

/// The first index at which the bits differ, or the count. All NaNs count as equal: no result
/// with one is ever used. Requires: equal counts.
std::size_t first_difference(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace aftune::numerics
