// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <random>

#include "aftune/numerics/philox.h"
#include "aftune/numerics/scalar_math.h"
#include "exact/digest_line.h"
#include "exact/digests.h"

namespace aftune::exact {
namespace {

constexpr int kCount = 20000;

/// In [-1, 1), exactly.
double uniform(std::mt19937_64& random) {
  return static_cast<double>(static_cast<std::int64_t>(random()) >> 11) * 0x1p-52;
}

}  // namespace

void scalar_digests() {
  std::mt19937_64 random(2024);
  DigestLine cos("exact_cos"), sin("exact_sin"), exp("exact_exp"), log("exact_log"),
      power("exact_power"), philox("philox4x32");
  for (int i = 0; i < kCount; ++i) {
    const double angle = std::ldexp(uniform(random), i % 40 - 20);
    cos.take(numerics::exact_cos(angle));
    sin.take(numerics::exact_sin(angle));
    exp.take(numerics::exact_exp(std::ldexp(uniform(random), i % 29 - 20)));
    log.take(numerics::exact_log(std::ldexp(1.5 + uniform(random) / 2, i % 2000 - 1000)));
    const std::uint64_t exponent = random() % 5000;
    power.take(numerics::exact_power(uniform(random), exponent));
    std::array<std::uint32_t, 4> counter{};
    for (auto& word : counter) word = static_cast<std::uint32_t>(random());
    const auto key = random();
    for (const std::uint32_t word : numerics::philox4x32(
             counter, {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)})) {
      philox.take(word);
    }
  }
}

}  // namespace aftune::exact
