// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/chunk_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/trace/difference_block.h"

namespace aftune::trace {
namespace {

constexpr std::size_t kLengthBytes = 4;

std::uint8_t exponent_of(std::uint32_t word) { return static_cast<std::uint8_t>(word >> 23); }

void set_length(ByteBuffer& out, std::size_t head, std::size_t index, std::size_t length) {
  const auto value = static_cast<std::uint32_t>(length);
  std::memcpy(out.data() + head + kLengthBytes * index, &value, kLengthBytes);
}

std::size_t length_at(Bytes head, std::size_t index) {
  return load_le<std::uint32_t>(head.data() + kLengthBytes * index);
}

/// Whether a plane looks like noise, by some 1024 of its bytes. As many equal pairs as random bytes
/// have, and a tenth more (five times their standard deviation), are noise.
bool is_noise(Bytes plane) {
  const std::size_t step = plane.size() / 1024 | 1;
  std::array<std::uint32_t, 256> counts{};
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < plane.size(); i += step, ++n) ++counts[plane[i]];
  std::uint64_t pairs = 0;
  for (const std::uint64_t count : counts) pairs += count * count;
  return pairs * 256 * 10 < (n * 256 + n * n) * 11;
}

}  // namespace

std::size_t block_count(Encoding encoding) {
  switch (encoding) {
    case Encoding::kZst:
      return 1;
    case Encoding::kPlanes:
      return 4;
    case Encoding::kDelta:
    case Encoding::kHalves:
      return 2;
    case Encoding::kRaw:
      break;
  }
  AFTUNE_CHECK(false, "raw objects have no blocks");
  return 0;
}

Result<std::size_t> blocks_size(Encoding encoding, Bytes head, std::size_t plain_bytes) {
  const std::size_t words = plain_bytes / word_bytes(encoding);
  std::size_t all = 0;
  for (std::size_t i = 0; i < block_count(encoding); ++i) {
    const bool packed = encoding == Encoding::kDelta && i == 1;
    const std::size_t most = packed ? most_packed(words) : words;
    const std::size_t length = length_at(head, i);
    if (length > most || (length == 0 && !packed)) {
      return corrupt_chunk(
          fmt::format("block {} has {} bytes, 1 to {} are allowed", i, length, most));
    }
    all += length;
  }
  return all;
}

void ChunkCodec::encode(Form form, Bytes plain, Bytes base, ByteBuffer& out) {
  AFTUNE_CHECK(!plain.empty() && plain.size() <= kChunkBytes, "not the size of a chunk");
  AFTUNE_CHECK(plain.size() % word_bytes(form.encoding) == 0, "no whole words");
  AFTUNE_CHECK(form.encoding != Encoding::kDelta || base.size() == plain.size(),
               "another base's size");
  const std::size_t head = out.size();
  out.resize(head + kLengthBytes * block_count(form.encoding));
  switch (form.encoding) {
    case Encoding::kZst:
      return add_block(plain, FrameKind::kText, out, head, 0);
    case Encoding::kPlanes:
      return encode_planes(plain, out, head);
    case Encoding::kDelta:
      return encode_delta(form.scale, plain, base, out, head);
    case Encoding::kHalves:
      return encode_halves(plain, out, head);
    case Encoding::kRaw:
      return;
  }
}

void ChunkCodec::add_block(Bytes plain, FrameKind kind, ByteBuffer& out, std::size_t head,
                           std::size_t index) {
  const bool tried = kind == FrameKind::kText || !is_noise(plain);
  std::size_t length = tried ? frames_.compress(plain, kind, out) : 0;
  if (length == 0) {
    length = plain.size();
    append(out, plain);
  }
  set_length(out, head, index, length);
}

void ChunkCodec::encode_planes(Bytes plain, ByteBuffer& out, std::size_t head) {
  const std::size_t words = plain.size() / 4;
  scratch_.resize(4 * words);
  std::uint8_t* const exponents = scratch_.data();
  std::uint8_t* const high = exponents + words;
  std::uint8_t* const middle = high + words;
  std::uint8_t* const low = middle + words;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t word = load_le<std::uint32_t>(plain.data() + 4 * i);
    exponents[i] = exponent_of(word);
    high[i] = static_cast<std::uint8_t>((word >> 16 & 0x7f) | (word >> 24 & 0x80));
    middle[i] = static_cast<std::uint8_t>(word >> 8);
    low[i] = static_cast<std::uint8_t>(word);
  }
  for (std::size_t block = 0; block < 4; ++block) {
    add_block({exponents + block * words, words}, FrameKind::kSymbols, out, head, block);
  }
}

void ChunkCodec::encode_halves(Bytes plain, ByteBuffer& out, std::size_t head) {
  const std::size_t words = plain.size() / 2;
  scratch_.resize(2 * words);
  std::uint8_t* const exponents = scratch_.data();
  std::uint8_t* const rest = exponents + words;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t word = load_le<std::uint16_t>(plain.data() + 2 * i);
    exponents[i] = static_cast<std::uint8_t>(word >> 7);
    rest[i] = static_cast<std::uint8_t>((word & 0x7f) | (word >> 8 & 0x80));
  }
  for (std::size_t block = 0; block < 2; ++block) {
    add_block({exponents + block * words, words}, FrameKind::kSymbols, out, head, block);
  }
}

void ChunkCodec::encode_delta(Scale scale, Bytes plain, Bytes base, ByteBuffer& out,
                              std::size_t head) {
  const std::size_t words = plain.size() / 4;
  scratch_.resize(words + packed_room(words));
  std::uint8_t* const symbols = scratch_.data();
  std::uint8_t* const packed = symbols + words;
  const std::size_t size = take_differences(scale, plain, base, symbols, packed);
  add_block({symbols, words}, FrameKind::kSymbols, out, head, 0);
  append(out, {packed, size});
  set_length(out, head, 1, size);
}

Status ChunkCodec::decode(Form form, Bytes head, Bytes blocks, std::span<std::uint8_t> plain) {
  switch (form.encoding) {
    case Encoding::kZst:
      return take_block(head, 0, blocks, plain);
    case Encoding::kPlanes:
      return decode_planes(head, blocks, plain);
    case Encoding::kDelta:
      return decode_delta(form.scale, head, blocks, plain);
    case Encoding::kHalves:
      return decode_halves(head, blocks, plain);
    case Encoding::kRaw:
      break;
  }
  return corrupt_chunk("raw objects have none");
}

Status ChunkCodec::take_block(Bytes head, std::size_t index, Bytes& blocks,
                              std::span<std::uint8_t> plain) {
  const Bytes block = blocks.first(length_at(head, index));
  blocks = blocks.subspan(block.size());
  if (block.size() != plain.size()) return frames_.decompress(block, plain);
  std::copy(block.begin(), block.end(), plain.begin());
  return ok();
}

Status ChunkCodec::decode_planes(Bytes head, Bytes blocks, std::span<std::uint8_t> plain) {
  const std::size_t words = plain.size() / 4;
  scratch_.resize(4 * words);
  for (std::size_t block = 0; block < 4; ++block) {
    AFTUNE_TRY(take_block(head, block, blocks, {scratch_.data() + block * words, words}));
  }
  const std::uint8_t* const exponents = scratch_.data();
  const std::uint8_t* const high = exponents + words;
  const std::uint8_t* const middle = high + words;
  const std::uint8_t* const low = middle + words;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t h = high[i];
    const std::uint32_t word = (h & 0x80) << 24 | std::uint32_t{exponents[i]} << 23 |
                               (h & 0x7f) << 16 | std::uint32_t{middle[i]} << 8 | low[i];
    std::memcpy(plain.data() + 4 * i, &word, 4);
  }
  return ok();
}

Status ChunkCodec::decode_halves(Bytes head, Bytes blocks, std::span<std::uint8_t> plain) {
  const std::size_t words = plain.size() / 2;
  scratch_.resize(2 * words);
  for (std::size_t block = 0; block < 2; ++block) {
    AFTUNE_TRY(take_block(head, block, blocks, {scratch_.data() + block * words, words}));
  }
  const std::uint8_t* const exponents = scratch_.data();
  const std::uint8_t* const rest = exponents + words;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t r = rest[i];
    const auto word =
        static_cast<std::uint16_t>((r & 0x80) << 8 | std::uint32_t{exponents[i]} << 7 | (r & 0x7f));
    std::memcpy(plain.data() + 2 * i, &word, 2);
  }
  return ok();
}

Status ChunkCodec::decode_delta(Scale scale, Bytes head, Bytes blocks,
                                std::span<std::uint8_t> plain) {
  const std::size_t words = plain.size() / 4;
  scratch_.resize(words);
  AFTUNE_TRY(take_block(head, 0, blocks, scratch_));
  return add_differences(scale, scratch_, blocks, plain);
}

}  // namespace aftune::trace
