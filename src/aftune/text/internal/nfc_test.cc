// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/nfc.h"

#include <gtest/gtest.h>

namespace aftune::text {
namespace {

TEST(Nfc, ComposesOrdersAndKeepsExclusions) {
  struct Case {
    std::string name, from, to;
  };
  const Case cases[] = {
      {"empty", "", ""},
      {"ascii", "a b\n", "a b\n"},
      {"composed stays", "\u00e9", "\u00e9"},
      {"accent", "e\u0301", "\u00e9"},
      {"marks in another order", "a\u0301\u0323", "\u1ea1\u0301"},
      {"blocked mark", "a\u0300\u0301", "\u00e0\u0301"},
      {"hangul", "\u1100\u1161\u11a8", "\uac01"},
      {"hangul with a tail", "\uac00\u11a8", "\uac01"},
      {"singleton", "\u212b", "\u00c5"},
      {"excluded from composition", "\u0958", "\u0915\u093c"},
      {"compatibility stays", "\ufb01\u00b2", "\ufb01\u00b2"},
      {"mark without a base", "\u0301a", "\u0301a"},
      {"unassigned and noncharacter", "\U000e0fff\uffff", "\U000e0fff\uffff"},
  };
  for (const Case& c : cases) EXPECT_EQ(*nfc(c.from), c.to) << c.name;
}

TEST(Nfc, LongRunsOfMarksTakeNoQuadraticTime) {
  std::string marks = "a";
  for (int i = 0; i < 150'000; ++i) marks += i < 75'000 ? "\u0315" : "\u0316";  // classes 232, 220
  const std::string done = *nfc(marks);
  EXPECT_EQ(done.substr(0, 3), "a\u0316");
  EXPECT_EQ(done.size(), marks.size());
}

}  // namespace
}  // namespace aftune::text
