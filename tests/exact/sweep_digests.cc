// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/one_input_testing.h"
#include "aftune/numerics/product.h"
#include "exact/digest_line.h"
#include "exact/digests.h"
#include "exact/painted.h"

namespace aftune::exact {
namespace {

/// What x16 makes of a number beside a fixed larger one, which chooses the exponent.
void quantised_digest(const numerics::Engine& engine, const Values& inputs) {
  constexpr std::size_t kCount = 1 << 16;
  Values pairs, results(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    const float x = inputs[i * (inputs.size() / kCount)];
    const bool is_small = x > -0x1p10F && x < 0x1p10F;  // no NaN either
    pairs.insert(pairs.end(), {is_small ? x : 1.0F, 0x1p10F});
  }
  const Values weights = {1.0F, -1.0F};
  const auto status = numerics::linear(engine, {pairs.data(), kCount, 2}, {weights.data(), 1, 2},
                                       {results.data(), kCount, 1}, numerics::Store::kWrite);
  DigestLine line("sweep.quantised");
  line.take(std::uint32_t{status.has_value()});
  line.take(results);
}

}  // namespace

void sweep_digests(const numerics::Engine& engine) {
  const Values inputs = numerics::stratified_inputs();
  Values out(inputs.size());
  for (const numerics::OneInputFunction& function : numerics::kOneInputFunctions) {
    function.run(engine.kernels().elementwise, inputs.data(), inputs.size(), out.data());
    DigestLine(std::string("sweep.") + function.name).take(out);
  }
  quantised_digest(engine, inputs);
}

}  // namespace aftune::exact
