// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/philox.h"

#include <gtest/gtest.h>

namespace aftune::numerics {
namespace {

using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, ChangesWithEveryBitOfCounterAndKey) {
  const Counter counter{1, 2, 3, 4};
  const Key key{5, 6};
  const Counter honest = philox4x32(counter, key);
  for (unsigned bit = 0; bit < 192; ++bit) {
    Counter other_counter = counter;
    Key other_key = key;
    if (bit < 128) {
      other_counter[bit / 32] ^= 1u << bit % 32;
    } else {
      other_key[bit / 32 - 4] ^= 1u << bit % 32;
    }
    EXPECT_NE(philox4x32(other_counter, other_key), honest) << bit;
  }
}

}  // namespace
}  // namespace aftune::numerics
