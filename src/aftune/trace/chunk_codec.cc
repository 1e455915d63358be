// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/chunk_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "aftune/base/check.h"

namespace aftune::trace {
namespace {

static_assert(std::endian::native == std::endian::little, "objects are copied as they lie");

constexpr std::size_t kLengthBytes = 4;
constexpr unsigned kMaxBits = 32;  // of a difference without its sign

std::uint32_t word_at(const std::uint8_t* bytes, std::size_t index) {
  std::uint32_t out = 0;
  std::memcpy(&out, bytes + 4 * index, 4);
  return out;
}

std::uint8_t exponent_of(std::uint32_t word) { return static_cast<std::uint8_t>(word >> 23); }

/// What symbols are shifted by beside the base's word.
std::uint32_t shift_of(Scale scale, std::uint32_t base) {
  return scale == Scale::kByExponent ? exponent_of(base) : 0;
}

/// `a` with the sign bit `s` as two's complement.
std::uint32_t with_sign(std::uint32_t a, std::uint32_t s) {
  return (a ^ (std::uint32_t{0} - s)) + s;
}

void set_length(ByteBuffer& out, std::size_t head, std::size_t index, std::size_t length) {
  const auto value = static_cast<std::uint32_t>(length);
  std::memcpy(out.data() + head + kLengthBytes * index, &value, kLengthBytes);
}

std::size_t length_at(Bytes head, std::size_t index) { return word_at(head.data(), index); }

/// Whether a plane looks like noise, by some 4096 of its bytes. As many equal pairs as random bytes
/// have, and a tenth more, are noise.
bool is_noise(Bytes plane) {
  const std::size_t step = plane.size() / 4096 | 1;
  std::array<std::uint32_t, 256> counts{};
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < plane.size(); i += step, ++n) ++counts[plane[i]];
  std::uint64_t pairs = 0;
  for (const std::uint64_t count : counts) pairs += count * count;
  return pairs * 256 * 10 < (n * 256 + n * n) * 11;
}

/// Bits of changing width, least significant first.
class BitWriter {
 public:
  /// `into` has room for 8 bytes more than what is written.
  explicit BitWriter(std::uint8_t* into) : begin_(into), at_(into) {}
  /// Requires: width <= 31, no bit above it.
  void put(std::uint32_t bits, unsigned width) {
    held_ |= static_cast<std::uint64_t>(bits) << fill_;
    fill_ += width;
    std::memcpy(at_, &held_, 8);
    at_ += fill_ >> 3;
    held_ >>= fill_ & ~7U;
    fill_ &= 7;
  }
  /// Bytes in all.
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(at_ - begin_) + (fill_ > 0 ? 1 : 0);
  }

 private:
  std::uint8_t *begin_, *at_;
  std::uint64_t held_ = 0;
  unsigned fill_ = 0;  // below 8 between calls
};

/// The 8 bytes from `byte` on, zeros behind the end.
std::uint64_t eight_bytes(Bytes bytes, std::size_t byte) {
  std::uint64_t out = 0;
  if (byte + 8 <= bytes.size()) {
    std::memcpy(&out, bytes.data() + byte, 8);
  } else if (byte < bytes.size()) {
    std::memcpy(&out, bytes.data() + byte, bytes.size() - byte);
  }
  return out;
}

Error corrupt(std::string what) { return {Code::kCorrupt, "chunk: " + std::move(what)}; }

/// Takes the exponents out of symbols, in place: 2 n + s is left.
/// Returns: the bits of the packed block.
Result<std::uint64_t> bits_of(Scale scale, std::span<std::uint8_t> symbols,
                              const std::uint8_t* base) {
  std::uint64_t bits = 0;
  std::uint32_t longest = 0;
  bool negative_zero = false;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::uint32_t shift = shift_of(scale, word_at(base, i));
    const std::uint32_t plain = (symbols[i] - 2 * shift) & 0xff;
    symbols[i] = static_cast<std::uint8_t>(plain);
    const std::uint32_t n = plain >> 1;
    longest = std::max(longest, n);
    negative_zero = negative_zero || plain == 1;
    bits += n > 0 ? n - 1 : 0;
  }
  if (longest > kMaxBits || negative_zero) {
    return corrupt(
        fmt::format("a difference of {} bits, {} is the most, or one of -0", longest, kMaxBits));
  }
  return bits;
}

/// Adds the differences to the base's words, which `words` holds.
void add_differences(Bytes symbols, Bytes packed, std::uint8_t* words) {
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const unsigned n = symbols[i] >> 1;
    std::uint32_t a = n;  // 0 and 1 are what their numbers of bits are
    if (n > 1) {
      const auto low = static_cast<std::uint32_t>(eight_bytes(packed, at >> 3) >> (at & 7));
      const std::uint32_t top = std::uint32_t{1} << (n - 1);
      a = top | (low & (top - 1));
      at += n - 1;
    }
    const std::uint32_t word = word_at(words, i) + with_sign(a, symbols[i] & 1);
    std::memcpy(words + 4 * i, &word, 4);
  }
}

}  // namespace

std::size_t block_count(Encoding encoding) {
  switch (encoding) {
    case Encoding::kZst:
      return 1;
    case Encoding::kPlanes:
      return 4;
    case Encoding::kDelta:
      return 2;
    case Encoding::kRaw:
      break;
  }
  AFTUNE_CHECK(false, "raw objects have no blocks");
  return 0;
}

Result<std::size_t> blocks_size(Encoding encoding, Bytes head, std::size_t plain_bytes) {
  const std::size_t words = plain_bytes / 4;
  std::size_t all = 0;
  for (std::size_t i = 0; i < block_count(encoding); ++i) {
    const bool packed = encoding == Encoding::kDelta && i == 1;
    const std::size_t most = encoding == Encoding::kZst ? plain_bytes
                             : packed                   ? (words * (kMaxBits - 1) + 7) / 8
                                                        : words;
    const std::size_t length = length_at(head, i);
    if (length > most || (length == 0 && !packed)) {
      return corrupt(fmt::format("block {} has {} bytes, 1 to {} are allowed", i, length, most));
    }
    all += length;
  }
  return all;
}

void ChunkCodec::encode(Form form, Bytes plain, Bytes base, ByteBuffer& out) {
  AFTUNE_CHECK(!plain.empty() && plain.size() <= kChunkBytes, "not the size of a chunk");
  AFTUNE_CHECK(form.encoding == Encoding::kZst || plain.size() % 4 == 0, "no whole words");
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
  std::uint8_t *const high = exponents + words, *const middle = high + words,
                      *const low = middle + words;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t word = word_at(plain.data(), i);
    exponents[i] = exponent_of(word);
    high[i] = static_cast<std::uint8_t>((word >> 16 & 0x7f) | (word >> 24 & 0x80));
    middle[i] = static_cast<std::uint8_t>(word >> 8);
    low[i] = static_cast<std::uint8_t>(word);
  }
  for (std::size_t block = 0; block < 4; ++block) {
    add_block({exponents + block * words, words}, FrameKind::kSymbols, out, head, block);
  }
}

void ChunkCodec::encode_delta(Scale scale, Bytes plain, Bytes base, ByteBuffer& out,
                              std::size_t head) {
  const std::size_t words = plain.size() / 4;
  scratch_.resize(5 * words + 8);
  std::uint8_t* const symbols = scratch_.data();
  BitWriter packed(symbols + words);
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t before = word_at(base.data(), i);
    const std::uint32_t difference = word_at(plain.data(), i) - before;
    const std::uint32_t s = difference >> 31;
    const std::uint32_t a = with_sign(difference, s);
    const auto n = static_cast<unsigned>(std::bit_width(a));
    symbols[i] = static_cast<std::uint8_t>(2 * (n + shift_of(scale, before)) + s);
    const unsigned width = n > 0 ? n - 1 : 0;
    packed.put(a & ((std::uint32_t{1} << width) - 1), width);
  }
  add_block({symbols, words}, FrameKind::kSymbols, out, head, 0);
  append(out, {symbols + words, packed.size()});
  set_length(out, head, 1, packed.size());
}

Status ChunkCodec::decode(Form form, Bytes head, Bytes blocks, std::span<std::uint8_t> plain) {
  switch (form.encoding) {
    case Encoding::kZst:
      return take_block(head, 0, blocks, plain);
    case Encoding::kPlanes:
      return decode_planes(head, blocks, plain);
    case Encoding::kDelta:
      return decode_delta(form.scale, head, blocks, plain);
    case Encoding::kRaw:
      break;
  }
  return corrupt("raw objects have none");
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
  const std::uint8_t *const high = exponents + words, *const middle = high + words,
                            *const low = middle + words;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t h = high[i];
    const std::uint32_t word = (h & 0x80) << 24 | std::uint32_t{exponents[i]} << 23 |
                               (h & 0x7f) << 16 | std::uint32_t{middle[i]} << 8 | low[i];
    std::memcpy(plain.data() + 4 * i, &word, 4);
  }
  return ok();
}

Status ChunkCodec::decode_delta(Scale scale, Bytes head, Bytes blocks,
                                std::span<std::uint8_t> plain) {
  const std::size_t words = plain.size() / 4;
  scratch_.resize(words);
  AFTUNE_TRY(take_block(head, 0, blocks, scratch_));
  AFTUNE_TRY(const std::uint64_t bits, bits_of(scale, scratch_, plain.data()));
  if (blocks.size() != (bits + 7) / 8) {
    return corrupt(
        fmt::format("{} bytes of differences, their symbols say {} bits", blocks.size(), bits));
  }
  if (bits % 8 != 0 && blocks.back() >> (bits % 8) != 0) {
    return corrupt("bits behind the last difference");
  }
  add_differences(scratch_, blocks, plain.data());
  return ok();
}

}  // namespace aftune::trace
