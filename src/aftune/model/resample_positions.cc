// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/resample_positions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "aftune/base/check.h"

namespace aftune::model {
namespace {

constexpr double kA = -0.75;
constexpr std::size_t kTaps = 4;

/// The four places that a new one is made from, and their shares.
struct Taps {
  std::array<std::size_t, kTaps> at;
  std::array<double, kTaps> share;
};

double near_share(double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; }
double far_share(double x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; }

Taps taps_of(std::uint32_t i, std::uint32_t from, std::uint32_t to) {
  const double place = (static_cast<double>(i) + 0.5) * from / to - 0.5;
  const double below = std::floor(place);
  const double f = place - below;
  Taps out{{}, {far_share(f + 1), near_share(f), near_share(1 - f), far_share(2 - f)}};
  for (std::size_t k = 0; k < kTaps; ++k) {
    const double at = below + static_cast<double>(k) - 1;
    out.at[k] = static_cast<std::size_t>(std::clamp(at, 0.0, from - 1.0));
  }
  return out;
}

}  // namespace

Tensor resample_positions(const Tensor& table, std::uint32_t from, std::uint32_t to) {
  const std::size_t width = table.shape()[2];
  AFTUNE_CHECK(table.shape()[1] == 1 + std::size_t{from} * from, "positions of another shape");
  Tensor out = Tensor::unwritten(Dtype::kF32, {1, 1 + std::size_t{to} * to, width});
  std::copy_n(table.data(), width, out.data());
  const float* const old = table.data() + width;
  float* row = out.data() + width;
  std::vector<Taps> taps;
  taps.reserve(to);
  for (std::uint32_t i = 0; i < to; ++i) taps.push_back(taps_of(i, from, to));
  for (const Taps& y : taps) {
    for (const Taps& x : taps) {
      for (std::size_t d = 0; d < width; ++d) {
        double sum = 0;
        for (std::size_t a = 0; a < kTaps; ++a) {
          double line = 0;
          for (std::size_t b = 0; b < kTaps; ++b) {
            line += x.share[b] * static_cast<double>(old[(y.at[a] * from + x.at[b]) * width + d]);
          }
          sum += y.share[a] * line;
        }
        row[d] = static_cast<float>(sum);
      }
      row += width;
    }
  }
  return out;
}

}  // namespace aftune::model
