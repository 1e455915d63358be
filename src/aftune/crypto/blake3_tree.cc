// SPDX-License-Identifier: Apache-2.0
// The tree of BLAKE3 (specification section 2.1): chunks of 1024 bytes are leaves; the left side of
// an inner node has the largest power of two of chunks that leaves a byte for the right side.
// Pairing neighbours level by level, an odd last one moving up as it is, makes the same tree. So
// groups of 2^n chunks are subtrees, and the levels above them can be joined the same way.
#include "aftune/crypto/blake3_tree.h"

// The library's internal header has no C++ linkage of its own; its own includes come first so that
// they stay outside of the block.
#include <blake3.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cassert>
#include <cstring>
extern "C" {
#include <blake3_impl.h>
}

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "aftune/crypto/blake3.h"

namespace aftune::crypto {
namespace {

constexpr std::size_t kChunkBytes = 1024;
constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kGroupChunks = 128;
constexpr std::size_t kGroupBytes = kGroupChunks * kChunkBytes;

using ChainingValue = std::array<std::uint8_t, 32>;
using Level = std::vector<ChainingValue>;

ChainingValue to_bytes(const std::array<std::uint32_t, 8>& words) {
  ChainingValue out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(words[i / 4] >> (8 * (i % 4)));
  }
  return out;
}

std::array<std::uint32_t, 8> start_words() {
  std::array<std::uint32_t, 8> words;
  std::copy(std::begin(IV), std::end(IV), words.begin());
  return words;
}

// The last chunk of an input: 1 to 1024 bytes.
ChainingValue compress_last_chunk(Bytes chunk, std::uint64_t counter) {
  auto words = start_words();
  unsigned flags = CHUNK_START;
  while (chunk.size() > kBlockBytes) {
    blake3_compress_in_place(words.data(), chunk.data(), kBlockBytes, counter,
                             static_cast<std::uint8_t>(flags));
    flags = 0;
    chunk = chunk.subspan(kBlockBytes);
  }
  std::array<std::uint8_t, kBlockBytes> block{};
  std::copy(chunk.begin(), chunk.end(), block.begin());
  blake3_compress_in_place(words.data(), block.data(), static_cast<std::uint8_t>(chunk.size()),
                           counter, static_cast<std::uint8_t>(flags | CHUNK_END));
  return to_bytes(words);
}

// One level up: parents of neighbours; an odd last value moves up as it is.
void join_pairs(Level& values, Level& parents, std::vector<const std::uint8_t*>& pairs) {
  const std::size_t pair_count = values.size() / 2;
  pairs.resize(pair_count);
  for (std::size_t i = 0; i < pair_count; ++i) pairs[i] = values[2 * i].data();
  parents.resize(values.size() - pair_count);
  blake3_hash_many(pairs.data(), pair_count, 1, IV, 0, false, PARENT, 0, 0, parents[0].data());
  if (values.size() % 2 != 0) parents.back() = values.back();
  values.swap(parents);
}

void join_until(std::size_t count, Level& values) {
  Level parents;
  std::vector<const std::uint8_t*> pairs;
  while (values.size() > count) join_pairs(values, parents, pairs);
}

// The chaining value of a group, which is not the root: 1 byte to kGroupBytes.
ChainingValue compress_group(Bytes data, std::uint64_t first_chunk) {
  const std::size_t full_chunks = data.size() / kChunkBytes;
  std::array<const std::uint8_t*, kGroupChunks> chunks;
  for (std::size_t i = 0; i < full_chunks; ++i) chunks[i] = data.data() + i * kChunkBytes;
  Level values((data.size() + kChunkBytes - 1) / kChunkBytes);
  blake3_hash_many(chunks.data(), full_chunks, kChunkBytes / kBlockBytes, IV, first_chunk, true, 0,
                   CHUNK_START, CHUNK_END, values[0].data());
  if (values.size() > full_chunks) {
    values.back() =
        compress_last_chunk(data.subspan(full_chunks * kChunkBytes), first_chunk + full_chunks);
  }
  join_until(1, values);
  return values.front();
}

Digest compress_root(const ChainingValue& left, const ChainingValue& right) {
  std::array<std::uint8_t, kBlockBytes> block;
  std::copy(left.begin(), left.end(), block.begin());
  std::copy(right.begin(), right.end(), block.begin() + left.size());
  auto words = start_words();
  blake3_compress_in_place(words.data(), block.data(), kBlockBytes, 0, PARENT | ROOT);
  return {to_bytes(words)};
}

}  // namespace

Digest blake3_over_pool(Bytes data, ThreadPool& pool) {
  if (data.size() <= kGroupBytes) return blake3(data);
  blake3_simd_degree();  // the library looks at the CPU once, here before other threads do
  Level values((data.size() + kGroupBytes - 1) / kGroupBytes);
  pool.parallel_for(values.size(), [&values, data](std::size_t i) {
    const Bytes group =
        data.subspan(i * kGroupBytes, std::min(kGroupBytes, data.size() - i * kGroupBytes));
    values[i] = compress_group(group, i * kGroupChunks);
  });
  join_until(2, values);
  return compress_root(values[0], values[1]);
}

}  // namespace aftune::crypto
