// SPDX-License-Identifier: Apache-2.0
// The self-test of elementwise kernels: each of them on values of every size, at lengths around
// the 64 lanes, against the scalar ones.
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "aftune/numerics/internal/elementwise_probes.h"
#include "aftune/numerics/internal/kernel_set.h"

namespace aftune::numerics {

Status self_test(const ElementwiseKernels& kernels) {
  const std::vector<ElementwiseProbe> probes = all_elementwise_probes();
  for (const bool wide : {false, true}) {
    const ProbeInputs inputs = probe_inputs(331, wide);
    for (const ElementwiseProbe& probe : probes) {
      for (const std::size_t n : {1u, 63u, 64u, 65u, 331u}) {
        const std::vector<float> expected = probe.run(kScalarElementwiseKernels, inputs, n);
        const std::vector<float> got = probe.run(kernels, inputs, n);
        const std::size_t index = first_difference(got, expected);
        if (index == got.size()) continue;
        return Error{Code::kUnsupported,
                     "kernel " + probe.name + " over " + std::to_string(n) + " values has bits " +
                         std::to_string(std::bit_cast<std::uint32_t>(got[index])) + " at index " +
                         std::to_string(index) + ", the reference " +
                         std::to_string(std::bit_cast<std::uint32_t>(expected[index]))};
      }
    }
  }
  return ok();
}

}  // namespace aftune::numerics
