// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/dataset.h"

#include <gtest/gtest.h>

#include "aftune/base/endian.h"
#include "aftune/crypto/sha256.h"

namespace aftune::text {
namespace {

const ByteBuffer kSalt(16, 0x5A);

TEST(Dataset, RowsAreLinesWithoutTheirEnds) {
  for (const char* text : {"{}\n{\"a\":1}\n", "{}\n{\"a\":1}"}) {
    const auto dataset = Dataset::parse(text);
    ASSERT_TRUE(dataset);
    ASSERT_EQ(dataset->row_count(), 2u);
    EXPECT_EQ(dataset->row(0), "{}");
    EXPECT_EQ(dataset->row(1), "{\"a\":1}");
  }
}

TEST(Dataset, RefusesOtherLinesByNumber) {
  const std::string longest(std::size_t{1} << 20, 'x');
  struct Lie {
    std::string name, text, named;
  };
  const Lie lies[] = {
      {"empty file", "", "0 rows"},
      {"only a line feed", "\n", "line 1"},
      {"empty line", "{}\n\n{}\n", "line 2"},
      {"empty line at the end", "{}\n\n", "line 2"},
      {"carriage return", "{}\n{}\r\n", "line 2"},
      {"carriage return at the end", "{}\r", "line 1"},
      {"row too long", "{}\n" + longest + "x\n", "1048577"},
  };
  for (const Lie& lie : lies) {
    const auto dataset = Dataset::parse(lie.text);
    ASSERT_FALSE(dataset) << lie.name;
    EXPECT_EQ(dataset.error().code, Code::kInvalidInput) << lie.name;
    EXPECT_NE(dataset.error().what.find(lie.named), std::string::npos) << dataset.error().what;
  }
  EXPECT_TRUE(Dataset::parse(longest + "\n"));
}

TEST(Dataset, RowsStayValidWhenTheObjectMoves) {
  auto dataset = Dataset::parse("{}\n");  // short enough to be stored inside the string
  ASSERT_TRUE(dataset);
  const Dataset moved = *std::move(dataset);
  EXPECT_EQ(moved.row(0), "{}");
}

Digest leaf(std::uint64_t index, std::string_view row) {
  const std::uint8_t zero = 0;
  return crypto::sha256({Bytes(&zero, 1), store_be(index), kSalt, as_bytes(row)});
}

Digest node(const Digest& left, const Digest& right) {
  const std::uint8_t one = 1;
  return crypto::sha256({Bytes(&one, 1), left.view(), right.view()});
}

TEST(Dataset, RootIsTheTreeOverIndexSaltAndRow) {
  EXPECT_EQ(Dataset::parse("r0")->root(kSalt), leaf(0, "r0"));
  EXPECT_EQ(Dataset::parse("r0\nr1\nr2\n")->root(kSalt),
            node(node(leaf(0, "r0"), leaf(1, "r1")), leaf(2, "r2")));
}

TEST(Dataset, RootChangesWithEveryInput) {
  const Digest root = Dataset::parse("r0\nr1\nr2\n")->root(kSalt);
  EXPECT_EQ(Dataset::parse("r0\nr1\nr2")->root(kSalt), root) << "the last line feed is no content";
  EXPECT_NE(Dataset::parse("r1\nr0\nr2\n")->root(kSalt), root) << "swapped";
  EXPECT_NE(Dataset::parse("r0\nr1\n")->root(kSalt), root) << "short";
  EXPECT_NE(Dataset::parse("r0\nr1\nr2\nr3\n")->root(kSalt), root) << "long";
  EXPECT_NE(Dataset::parse("r0\nr1\nr2 \n")->root(kSalt), root) << "a space more";
  ByteBuffer other = kSalt;
  other[15] ^= 1;
  EXPECT_NE(Dataset::parse("r0\nr1\nr2\n")->root(other), root) << "other salt";
}

TEST(Dataset, MissingFilesAreNotFound) {
  const auto dataset = Dataset::load("/nonexistent/data.jsonl");
  ASSERT_FALSE(dataset);
  EXPECT_EQ(dataset.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace aftune::text
