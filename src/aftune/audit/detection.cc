// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/detection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace aftune::audit {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr double kNegligible = -745;  // below it exp() is 0

/// ln(C(total - bad, sampled) / C(total, sampled)). The quotient is the same with `bad` and
/// `sampled` exchanged, so the shorter product is taken.
double log_missed(std::uint64_t total, std::uint64_t bad, std::uint64_t sampled) {
  if (bad > total - sampled) return kNever;
  const std::uint64_t few = std::min(bad, sampled), many = std::max(bad, sampled);
  double out = 0;
  for (std::uint64_t i = 0; i < few && out > kNegligible; ++i) {
    out += std::log1p(-static_cast<double>(many) / static_cast<double>(total - i));
  }
  return out;
}

double missed(std::uint64_t total, std::uint64_t bad, std::uint64_t sampled) {
  return std::exp(log_missed(total, bad, sampled));
}

/// Every stratum gives sampled / n blocks, and as many as remain one more, each choice of them
/// equally likely: the mean over the choices of a product, by adding one stratum at a time.
double missed_by_strata(std::uint64_t step_blocks, const BadBlocks& bad, std::uint64_t sampled) {
  const std::uint64_t strata = bad.size(), each = sampled / strata, more = sampled % strata;
  // mean[r]: over the choices of r of the strata so far that give one more block.
  std::vector<double> mean(more + 1, 0.0);
  mean[0] = 1;
  for (std::uint64_t s = 0; s < strata; ++s) {
    const double without = missed(step_blocks, bad[s], each);
    const double with = more > 0 ? missed(step_blocks, bad[s], each + 1) : 0;
    const double seen = static_cast<double>(s + 1);
    for (std::uint64_t r = std::min(more, s + 1);; --r) {
      const double share = static_cast<double>(r) / seen;  // that stratum s is one of the r
      const double kept = r <= s ? mean[r] * without * (1 - share) : 0;
      mean[r] = kept + (r > 0 ? mean[r - 1] * with * share : 0);
      if (r == 0) break;
    }
  }
  return mean[more];
}

}  // namespace

double detection_probability(std::uint64_t total, std::uint64_t bad, std::uint64_t sampled) {
  return -std::expm1(log_missed(total, bad, sampled));
}

std::string spell_probability(double probability) {
  constexpr double kDigits = 1e6, kRounding = 1e-6;  // of the sums, so that 0.3 stays 0.300000
  return fmt::format("{:.6f}", std::floor(probability * kDigits + kRounding) / kDigits);
}

std::uint64_t count_of(const BadBlocks& bad) {
  return std::accumulate(bad.begin(), bad.end(), std::uint64_t{0});
}

double missed_probability(trace::Strategy strategy, std::uint64_t step_blocks, const BadBlocks& bad,
                          std::uint64_t sampled) {
  const std::uint64_t total = bad.size() * step_blocks, all_bad = count_of(bad);
  switch (strategy) {
    case trace::Strategy::kUniform:
      return missed(total, all_bad, sampled);
    case trace::Strategy::kStratified:
      return missed_by_strata(step_blocks, bad, sampled);
    case trace::Strategy::kInputBlocks: {
      const std::uint64_t first = std::min(sampled, step_blocks);
      return missed(step_blocks, bad[0], first) *
             missed(total - step_blocks, all_bad - bad[0], sampled - first);
    }
    case trace::Strategy::kStateChanges:
      if (all_bad > total - sampled) return 0;
      return missed(total, all_bad, (sampled + 1) / 2);
  }
  return 1;
}

std::uint64_t blocks_needed(trace::Strategy strategy, std::uint64_t step_blocks,
                            const BadBlocks& bad, double probability) {
  constexpr double kRounding = 1 + 1e-12;  // a chance that is met exactly counts
  std::uint64_t low = 1, high = bad.size() * step_blocks;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (missed_probability(strategy, step_blocks, bad, middle) <= (1 - probability) * kRounding) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace aftune::audit
