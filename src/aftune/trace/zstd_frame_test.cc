// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/zstd_frame.h"

#include <gtest/gtest.h>

namespace aftune::trace {
namespace {

/// Few different bytes in no order.
ByteBuffer skewed(std::size_t size) {
  ByteBuffer out(size);
  std::uint32_t state = 1;
  for (std::uint8_t& byte : out) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(__builtin_ctz(state >> 8 | 1U << 20));
  }
  return out;
}

class ZstdFramesTest : public ::testing::Test {
 protected:
  Code code_of(Bytes frame, std::size_t size) {
    ByteBuffer out(size);
    const Status done = frames_.decompress(frame, out);
    return done ? Code::kUnavailable : done.error().code;
  }
  ZstdFrames frames_;
};

TEST_F(ZstdFramesTest, GivesBackWhatWasTaken) {
  for (const FrameKind kind : {FrameKind::kText, FrameKind::kSymbols}) {
    for (const std::size_t size : {std::size_t{2000}, std::size_t{65536}, std::size_t{262144}}) {
      const ByteBuffer plain = skewed(size);
      ByteBuffer out = {7};
      const std::size_t length = frames_.compress(plain, kind, out);
      ASSERT_GT(length, 0U) << size;
      ASSERT_LT(length, size / 3 + 60);
      ASSERT_EQ(out.size(), length + 1) << "it is appended";
      ByteBuffer back(size);
      ASSERT_TRUE(frames_.decompress(Bytes(out).subspan(1), back));
      EXPECT_EQ(back, plain);
    }
  }
}

TEST_F(ZstdFramesTest, WhatGetsNoShorterIsLeft) {
  ByteBuffer out;
  for (const std::string_view plain : {"", "a", "ab", "xyzw"}) {
    EXPECT_EQ(frames_.compress(as_bytes(plain), FrameKind::kSymbols, out), 0U);
    EXPECT_TRUE(out.empty());
  }
}

TEST_F(ZstdFramesTest, AnotherSizeIsCorruptAndABombStaysSmall) {
  const ByteBuffer zeros(1 << 24);
  ByteBuffer bomb;
  ASSERT_GT(frames_.compress(zeros, FrameKind::kText, bomb), 0U);
  ASSERT_LT(bomb.size(), 4096U);
  EXPECT_EQ(code_of(bomb, 1000), Code::kCorrupt);
  EXPECT_EQ(code_of(bomb, zeros.size() - 1), Code::kCorrupt);
  EXPECT_EQ(code_of(bomb, zeros.size() + 1), Code::kCorrupt);
  EXPECT_EQ(code_of(bomb, zeros.size()), Code::kUnavailable) << "the right size";
}

TEST_F(ZstdFramesTest, OneWholeFrameAndNothingElse) {
  const ByteBuffer plain = skewed(1000);
  ByteBuffer frame;
  frames_.compress(plain, FrameKind::kSymbols, frame);
  EXPECT_EQ(code_of(frame, 1000), Code::kUnavailable) << "honest";
  EXPECT_EQ(code_of(Bytes(frame).first(frame.size() - 1), 1000), Code::kCorrupt) << "short";
  ByteBuffer longer = frame;
  longer.push_back(0);
  EXPECT_EQ(code_of(longer, 1000), Code::kCorrupt) << "long";
  ByteBuffer twice = frame;
  append(twice, frame);
  EXPECT_EQ(code_of(twice, 2000), Code::kCorrupt) << "two frames";
  const ByteBuffer skippable = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
  EXPECT_EQ(code_of(skippable, 1000), Code::kCorrupt) << "a frame that holds nothing";
  EXPECT_EQ(code_of({}, 1000), Code::kCorrupt) << "none";
  EXPECT_EQ(code_of(plain, 1000), Code::kCorrupt) << "no frame";
}

}  // namespace
}  // namespace aftune::trace
