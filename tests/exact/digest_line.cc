// SPDX-License-Identifier: Apache-2.0
#include "exact/digest_line.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <vector>

#include "aftune/base/endian.h"

namespace aftune::exact {
namespace {

constexpr std::uint32_t kAnyNaN = 0x7fc00000;

}  // namespace

DigestLine::~DigestLine() { std::printf("%s %s\n", name_.c_str(), hasher_.digest().hex().c_str()); }

void DigestLine::take(std::span<const float> values) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(4 * values.size());
  for (const float value : values) {
    const auto word = store_le(std::isnan(value) ? kAnyNaN : std::bit_cast<std::uint32_t>(value));
    bytes.insert(bytes.end(), word.begin(), word.end());
  }
  hasher_.update(bytes);
}

void DigestLine::take(double value) {
  hasher_.update(store_le(std::bit_cast<std::uint64_t>(value)));
}

void DigestLine::take(std::uint32_t word) { hasher_.update(store_le(word)); }

}  // namespace aftune::exact
