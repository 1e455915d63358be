// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/idx.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <functional>

#include "aftune/image/internal/gunzip.h"

namespace aftune::image {
namespace {

/// Two images of 2 x 3.
ByteBuffer small_file() {
  ByteBuffer file = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3};
  for (std::uint8_t i = 0; i < 12; ++i) file.push_back(i);
  return file;
}

ByteBuffer packed(Bytes bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  ByteBuffer out(bytes.size() + 1000);
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

TEST(Idx, HasItsExtentsAndBytes) {
  const auto got = parse_idx(small_file());
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->extents, (std::vector<std::uint32_t>{2, 2, 3}));
  EXPECT_EQ(got->bytes, (ByteBuffer{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

TEST(Idx, WhatIsNoWholeFileOfBytesIsRefused) {
  const std::tuple<const char*, std::function<void(ByteBuffer&)>, const char*> lies[] = {
      {"short", [](ByteBuffer& f) { f.pop_back(); }, "11 bytes of elements, the extents say 12"},
      {"long", [](ByteBuffer& f) { f.push_back(0); }, "13 bytes of elements, the extents say 12"},
      {"floats", [](ByteBuffer& f) { f[2] = 0x0d; },
       "begins with 00000d, an IDX file of bytes with 000008"},
      {"no axis", [](ByteBuffer& f) { f[3] = 0; }, "0 axes, supported are 1 to 4"},
      {"five axes", [](ByteBuffer& f) { f[3] = 5; }, "5 axes, supported are 1 to 4"},
      {"no extents", [](ByteBuffer& f) { f.resize(9); }, "9 bytes, 3 axes need 16"},
      {"nothing", [](ByteBuffer& f) { f.resize(3); }, "3 bytes, an IDX file has more"},
      {"huge", [](ByteBuffer& f) { f[4] = f[8] = f[12] = 0xff; }, "more than 8589934592 elements"},
  };
  for (const auto& [name, lie, what] : lies) {
    ByteBuffer file = small_file();
    lie(file);
    const auto got = parse_idx(file);
    ASSERT_FALSE(got) << name;
    EXPECT_EQ(got.error().what, what) << name;
  }
}

TEST(Gunzip, GivesBackWhatWasPacked) {
  ByteBuffer large(3'000'000);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::uint8_t>(i * i / 7);
  for (const ByteBuffer& bytes : {ByteBuffer{}, small_file(), large}) {
    const auto got = gunzip(packed(bytes), bytes.size());
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(*got, bytes);
  }
}

TEST(Gunzip, RefusesDamagedCutLongAndLargeFiles) {
  const ByteBuffer whole = packed(ByteBuffer(5000, 3));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(gunzip(Bytes(whole).first(size), 5000)) << size;
  }
  for (const std::size_t at : {0UL, 2UL, whole.size() / 2, whole.size() - 6, whole.size() - 1}) {
    ByteBuffer damaged = whole;
    damaged[at] ^= 0x11;
    EXPECT_FALSE(gunzip(damaged, 5000)) << at;
  }
  ByteBuffer more = whole;
  more.push_back(0);
  EXPECT_EQ(gunzip(more, 5000).error().what, "1 bytes behind the gzip data");
  EXPECT_EQ(gunzip(packed(ByteBuffer(3 << 20)), 1 << 20).error().what,
            "more than 1048576 bytes unpacked");
}

}  // namespace
}  // namespace aftune::image
