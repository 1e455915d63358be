// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/blake3.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "aftune/base/thread_pool.h"

namespace aftune::crypto {
namespace {

constexpr std::size_t kChunk = 1024;
constexpr std::size_t kGroup = 128 * kChunk;  // what one thread hashes at a time

// The input of the published vectors: 0, 1, ... 250, 0, 1, ...
ByteBuffer painted(std::size_t size) {
  ByteBuffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i % 251);
  return out;
}

TEST(Blake3, KnownDigests) {
  EXPECT_EQ(blake3({}).hex(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(blake3(as_bytes("abc")).hex(),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
}

TEST(Blake3, AgreesWithThePublishedVectors) {
  std::ifstream file(AFTUNE_SOURCE_DIR "/../shared/vectors/blake3/test_vectors.json");
  if (!file) GTEST_SKIP() << "the published BLAKE3 vectors are not beside the source tree";
  const auto vectors = nlohmann::json::parse(file);
  ThreadPool pool(2);
  int seen = 0;
  for (const auto& entry : vectors["cases"]) {
    const ByteBuffer input = painted(entry["input_len"].get<std::size_t>());
    const std::string expected = entry["hash"].get<std::string>().substr(0, 64);
    EXPECT_EQ(blake3(input).hex(), expected) << input.size();
    EXPECT_EQ(blake3(input, pool).hex(), expected) << input.size();
    ++seen;
  }
  EXPECT_EQ(seen, 35);
}

// Lengths around the edges of blocks, chunks, groups and trees of groups.
std::vector<std::size_t> edge_lengths() {
  std::vector<std::size_t> out;
  for (std::size_t groups : {1, 2, 3, 4, 5, 7, 8, 9}) {
    const std::size_t edge = groups * kGroup;
    for (std::size_t more : {std::size_t{1}, std::size_t{64}, std::size_t{65}, kChunk, kChunk + 1,
                             2 * kChunk, 3 * kChunk, 3 * kChunk + 7, 5 * kChunk, kGroup / 2,
                             kGroup / 2 + 1, kGroup - kChunk, kGroup - 1}) {
      out.push_back(edge + more);
    }
    out.push_back(edge);
  }
  return out;
}

TEST(Blake3, AnyNumberOfThreadsGivesTheSameDigest) {
  const ByteBuffer data = painted(10 * kGroup);
  for (const unsigned threads : {1U, 2U, 3U}) {
    ThreadPool pool(threads);
    for (const std::size_t size : edge_lengths()) {
      const Bytes part = Bytes(data).first(size);
      ASSERT_EQ(blake3(part, pool), blake3(part)) << threads << " threads, " << size << " bytes";
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kChunk, kGroup - 1}) {
      const Bytes part = Bytes(data).first(size);
      ASSERT_EQ(blake3(part, pool), blake3(part)) << threads << " threads, " << size << " bytes";
    }
  }
}

TEST(Blake3, EveryChunkCountOfTheLastGroupJoinsRight) {
  const ByteBuffer data = painted(3 * kGroup);
  ThreadPool pool(2);
  for (std::size_t chunks = 1; chunks <= 128; ++chunks) {
    const Bytes part = Bytes(data).first(2 * kGroup + chunks * kChunk - chunks % 2);
    ASSERT_EQ(blake3(part, pool), blake3(part)) << chunks;
  }
}

TEST(Blake3, AChangedByteOrLengthChangesTheDigestOfThreadsToo) {
  ByteBuffer data = painted(3 * kGroup + 5);
  ThreadPool pool(2);
  const Digest honest = blake3(data, pool);
  for (const std::size_t at : {std::size_t{0}, kGroup - 1, kGroup, 3 * kGroup, data.size() - 1}) {
    data[at] ^= 0x80;
    EXPECT_NE(blake3(data, pool), honest) << at;
    data[at] ^= 0x80;
  }
  EXPECT_NE(blake3(Bytes(data).first(data.size() - 1), pool), honest);
  std::swap_ranges(data.begin(), data.begin() + kGroup, data.begin() + kGroup);
  EXPECT_NE(blake3(data, pool), honest);
}

TEST(Blake3, PiecesGiveTheDigestOfTheWhole) {
  const ByteBuffer data = painted(5000);
  for (const std::size_t piece : {1, 63, 64, 65, 1024, 4999, 5000}) {
    Blake3 hasher;
    for (std::size_t at = 0; at < data.size(); at += piece) {
      hasher.update(Bytes(data).subspan(at, std::min(piece, data.size() - at)));
    }
    EXPECT_EQ(hasher.digest(), blake3(data)) << piece;
  }
}

TEST(Blake3, AskingForTheDigestEndsNothing) {
  Blake3 hasher;
  hasher.update(as_bytes("a"));
  EXPECT_EQ(hasher.digest(), blake3(as_bytes("a")));
  hasher.update({});
  hasher.update(as_bytes("b"));
  Blake3 moved = std::move(hasher);
  EXPECT_EQ(moved.digest(), blake3(as_bytes("ab")));
}

}  // namespace
}  // namespace aftune::crypto
