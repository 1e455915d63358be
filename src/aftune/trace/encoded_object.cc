// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/encoded_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/base/thread_pool.h"
#include "aftune/trace/chunk_codec.h"

namespace aftune::trace {
namespace {

/// Each candidate codes a sample of this part of an object, within limits.
constexpr std::size_t kSamplePart = 64, kSampleBytes = 8192, kMostSampleBytes = 65536;

/// Chunks that are in memory at once: enough to keep all threads busy.
std::size_t slot_count(const ThreadPool* pool) {
  return pool == nullptr ? 1 : std::size_t{2} * pool->thread_count();
}

void for_each(ThreadPool* pool, std::size_t count, const std::function<void(std::size_t)>& body) {
  if (pool != nullptr && count > 1) return pool->parallel_for(count, body);
  for (std::size_t i = 0; i < count; ++i) body(i);
}

std::size_t chunk_count(std::uint64_t size) { return (size + kChunkBytes - 1) / kChunkBytes; }

/// The bytes of chunk `index`; nothing of a base that is not there.
template <typename Span>
Span chunk_of(Span whole, std::size_t index) {
  const std::size_t begin = std::min(whole.size(), index * kChunkBytes);
  return whole.subspan(begin, std::min(kChunkBytes, whole.size() - begin));
}

struct EncodingSlot {
  ChunkCodec codec;
  ByteBuffer out;
};

struct DecodingSlot {
  ChunkCodec codec;
  ByteBuffer head, blocks;
  Status done = ok();
};

/// Takes one chunk from the file; nothing is decoded yet.
Status read_chunk(Encoding encoding, FileReader& file, std::size_t plain_bytes,
                  DecodingSlot& slot) {
  slot.head.resize(4 * block_count(encoding));
  AFTUNE_TRY(file.read(slot.head));
  AFTUNE_TRY(const std::size_t size, blocks_size(encoding, slot.head, plain_bytes));
  slot.blocks.resize(size);
  return file.read(slot.blocks);
}

}  // namespace

Form choose_form(Bytes plain, Bytes base, std::span<const Form> candidates) {
  std::size_t size = std::clamp(plain.size() / kSamplePart, kSampleBytes, kMostSampleBytes);
  size = std::min(plain.size(), size - size % 4);
  const std::size_t middle = (plain.size() - size) / 2;
  const std::size_t begin = middle - middle % 4;
  Form best;
  std::size_t best_size = size - size / 50;
  ChunkCodec codec;
  for (const Form& candidate : candidates) {
    if (plain.empty() || plain.size() % word_bytes(candidate.encoding) != 0) continue;
    ByteBuffer out;
    codec.encode(candidate, plain.subspan(begin, size),
                 candidate.encoding == Encoding::kDelta ? base.subspan(begin, size) : Bytes(), out);
    if (out.size() + kObjectHeaderBytes >= best_size) continue;
    best = candidate;
    best_size = out.size() + kObjectHeaderBytes;
  }
  return best;
}

Status encode_object(const ObjectHeader& header, Bytes plain, Bytes base, ThreadPool* pool,
                     const std::function<Status(Bytes)>& take) {
  AFTUNE_CHECK(plain.size() == header.size, "another size than the header's");
  const auto head = encode_header(header);
  AFTUNE_TRY(take(head));
  std::vector<EncodingSlot> slots(slot_count(pool));
  const std::size_t chunks = chunk_count(header.size);
  for (std::size_t first = 0; first < chunks; first += slots.size()) {
    const std::size_t count = std::min(slots.size(), chunks - first);
    for_each(pool, count, [&](std::size_t i) {
      slots[i].out.clear();
      slots[i].codec.encode(header.form(), chunk_of(plain, first + i), chunk_of(base, first + i),
                            slots[i].out);
    });
    for (std::size_t i = 0; i < count; ++i) AFTUNE_TRY(take(slots[i].out));
  }
  return ok();
}

Status decode_object(const ObjectHeader& header, FileReader& file, ThreadPool* pool,
                     std::span<std::uint8_t> plain) {
  AFTUNE_CHECK(plain.size() == header.size, "another size than the header's");
  std::vector<DecodingSlot> slots(slot_count(pool));
  const std::size_t chunks = chunk_count(header.size);
  for (std::size_t first = 0; first < chunks; first += slots.size()) {
    const std::size_t count = std::min(slots.size(), chunks - first);
    for (std::size_t i = 0; i < count; ++i) {
      AFTUNE_TRY(read_chunk(header.encoding, file, chunk_of(plain, first + i).size(), slots[i]));
    }
    for_each(pool, count, [&](std::size_t i) {
      slots[i].done = slots[i].codec.decode(header.form(), slots[i].head, slots[i].blocks,
                                            chunk_of(plain, first + i));
    });
    for (std::size_t i = 0; i < count; ++i) AFTUNE_TRY(std::move(slots[i].done));
  }
  if (file.left() != 0) {
    return Error{Code::kCorrupt, fmt::format("{} bytes behind the last chunk", file.left())};
  }
  return ok();
}

}  // namespace aftune::trace
