// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/encoding.h"

#include <gtest/gtest.h>

#include <vector>

namespace aftune::trace {
namespace {

using Head = std::array<std::uint8_t, kObjectHeaderBytes>;

ObjectHeader delta() {
  ObjectHeader out{Encoding::kDelta, 3, 0x0000000123456788, {}, Scale::kByExponent};
  for (std::size_t i = 0; i < 32; ++i) out.base.bytes[i] = static_cast<std::uint8_t>(i + 1);
  return out;
}

TEST(ObjectHeader, LiesWhereThePageSays) {
  const Head head = encode_header(delta());
  const std::vector<std::uint8_t> start = {'a', 'f', 't', 'o', 'b',  'j',  0,    1,    3, 3, 1, 0,
                                           0,   0,   0,   0,   0x88, 0x67, 0x45, 0x23, 1, 0, 0, 0};
  EXPECT_EQ(std::vector<std::uint8_t>(head.begin(), head.begin() + 24), start);
  EXPECT_EQ(head[24], 1);
  EXPECT_EQ(head[55], 32);
}

TEST(ObjectHeader, ComesBack) {
  for (const ObjectHeader& header :
       {delta(), ObjectHeader{Encoding::kZst, 0, 1, {}}, ObjectHeader{Encoding::kPlanes, 0, 4, {}},
        ObjectHeader{Encoding::kPlanes, 0, kMaxObjectBytes, {}},
        ObjectHeader{Encoding::kHalves, 0, 6, {}}}) {
    const auto back = decode_header(encode_header(header), header.encoding);
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, header);
  }
}

TEST(ObjectHeader, WhatThePageDoesNotAllowIsCorrupt) {
  struct Lie {
    const char* name;
    std::size_t at;
    std::uint8_t value;
  };
  const Lie lies[] = {
      {"magic", 0, 'b'},      {"magic's zero", 6, 1},     {"version 0", 7, 0},
      {"version 2", 7, 2},    {"encoding 0", 8, 0},       {"another encoding", 8, 2},
      {"halves", 8, 4},       {"unknown encoding", 8, 5}, {"depth 0", 9, 0},
      {"depth 9", 9, 9},      {"scale 2", 10, 2},         {"first zero", 11, 1},
      {"last zero", 15, 128}, {"no words", 16, 0x89},     {"over the limit", 20, 0x20}};
  for (const Lie& lie : lies) {
    Head head = encode_header(delta());
    ASSERT_NE(head[lie.at], lie.value) << lie.name;
    head[lie.at] = lie.value;
    const auto read = decode_header(head, Encoding::kDelta);
    ASSERT_FALSE(read) << lie.name;
    EXPECT_EQ(read.error().code, Code::kCorrupt) << lie.name;
  }
}

TEST(ObjectHeader, OnlyADeltaHasDepthAndBase) {
  for (const Encoding encoding : {Encoding::kZst, Encoding::kPlanes, Encoding::kHalves}) {
    const Head honest = encode_header({encoding, 0, 8, {}});
    EXPECT_TRUE(decode_header(honest, encoding));
    Head deep = honest;
    deep[9] = 1;
    EXPECT_FALSE(decode_header(deep, encoding));
    Head scaled = honest;
    scaled[10] = 1;
    EXPECT_FALSE(decode_header(scaled, encoding));
    Head based = honest;
    based[55] = 1;
    EXPECT_FALSE(decode_header(based, encoding));
  }
}

TEST(ObjectHeader, SizesAreWholeWordsOfTheEncoding) {
  const struct {
    Encoding encoding;
    std::uint8_t size;
    bool taken;
  } rows[] = {{Encoding::kZst, 3, true},     {Encoding::kPlanes, 6, false},
              {Encoding::kPlanes, 8, true},  {Encoding::kHalves, 6, true},
              {Encoding::kHalves, 7, false}, {Encoding::kHalves, 1, false}};
  for (const auto& row : rows) {
    Head head = encode_header({row.encoding, 0, 8, {}});
    head[16] = row.size;
    EXPECT_EQ(decode_header(head, row.encoding).has_value(), row.taken)
        << encoding_name(row.encoding) << " of " << int{row.size};
  }
}

TEST(ObjectHeader, EmptyShortLongAndRawAreRefused) {
  Head head = encode_header({Encoding::kZst, 0, 8, {}});
  EXPECT_FALSE(decode_header(std::span(head).first(55), Encoding::kZst));
  EXPECT_FALSE(decode_header({}, Encoding::kZst));
  EXPECT_FALSE(decode_header(head, Encoding::kRaw));
  head[16] = 0;
  const auto empty = decode_header(head, Encoding::kZst);
  ASSERT_FALSE(empty);
  EXPECT_NE(empty.error().what.find("0 bytes"), std::string::npos);
}

TEST(Encoding, HasOneNameEach) {
  std::vector<std::string_view> names;
  for (const Encoding encoding : kEncodings) names.push_back(encoding_name(encoding));
  EXPECT_EQ(names, (std::vector<std::string_view>{"raw", "planes", "delta", "halves", "zst"}));
}

}  // namespace
}  // namespace aftune::trace
