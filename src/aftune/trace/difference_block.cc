// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/difference_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "aftune/base/endian.h"

namespace aftune::trace {
namespace {

constexpr unsigned kMaxBits = 32;  // of a difference without its sign

/// What of a base's exponent symbols are shifted by.
std::uint32_t shift_mask(Scale scale) { return scale == Scale::kByExponent ? 0xff : 0; }

/// `a` with the sign bit `s` as two's complement.
std::uint32_t with_sign(std::uint32_t a, std::uint32_t s) {
  return (a ^ (std::uint32_t{0} - s)) + s;
}

/// Bits of changing width, least significant first.
class BitWriter {
 public:
  static constexpr unsigned kMostAtOnce = 56;  // 7 more may be waiting

  /// `into` has room for 8 bytes more than what is written.
  explicit BitWriter(std::uint8_t* into) : begin_(into), at_(into) {}
  /// Requires: width <= kMostAtOnce, no bit above it.
  void put(std::uint64_t bits, unsigned width) {
    held_ |= bits << fill_;
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

/// Differences of some words, taken apart.
struct Differences {
  static constexpr std::size_t kMost = 1024;  // stays in a first-level cache
  std::array<std::uint32_t, kMost> sizes;     // without sign
  std::array<std::uint8_t, kMost> widths;     // bits below the top one

  /// Of `count` words; writes their symbols. Without branches or shifts by what is computed, so
  /// that a compiler takes several words at a time.
  void take(Scale scale, const std::uint8_t* plain, const std::uint8_t* base, std::size_t count,
            std::uint8_t* symbols) {
    const std::uint32_t mask = shift_mask(scale);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t before = load_le<std::uint32_t>(base + 4 * i);
      const std::uint32_t difference = load_le<std::uint32_t>(plain + 4 * i) - before;
      const std::uint32_t s = difference >> 31;
      const std::uint32_t a = with_sign(difference, s);
      // The exponent of a as a float is its number of bits, 126 apart; 0 has none. The bit below
      // the top one is cleared, so that rounding cannot reach the next power of two.
      const auto as_float = static_cast<float>(static_cast<std::int32_t>(a & ~(a >> 1)));
      const std::uint32_t exponent = std::bit_cast<std::uint32_t>(as_float) >> 23 & 0xff;
      const std::uint32_t n = std::max<std::uint32_t>(exponent, 126) - 126;
      sizes[i] = a;
      widths[i] = static_cast<std::uint8_t>(std::max<std::uint32_t>(n, 1) - 1);
      symbols[i] = static_cast<std::uint8_t>(2 * (n + (before >> 23 & mask)) + s);
    }
  }

  [[nodiscard]] std::uint64_t low_bits(std::size_t i) const {
    return sizes[i] & ((std::uint64_t{1} << widths[i]) - 1);
  }

  /// Two words at a time: what one call of put() waits for is the call before it.
  void pack(std::size_t count, BitWriter& packed) const {
    std::size_t i = 0;
    for (; i + 1 < count; i += 2) {
      const unsigned first = widths[i], both = first + widths[i + 1];
      if (both <= BitWriter::kMostAtOnce) {
        packed.put(low_bits(i) | low_bits(i + 1) << first, both);
      } else {
        packed.put(low_bits(i), first);
        packed.put(low_bits(i + 1), widths[i + 1]);
      }
    }
    if (i < count) packed.put(low_bits(i), widths[i]);
  }
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

/// Takes the exponents out of symbols, in place: 2 n + s is left.
/// Returns: the bits of the packed block.
Result<std::uint64_t> bits_of(Scale scale, std::span<std::uint8_t> symbols,
                              const std::uint8_t* base) {
  const std::uint32_t mask = shift_mask(scale);
  std::uint32_t bits = 0;  // of a chunk: at most 65536 words of 127
  std::uint32_t longest = 0, negative_zeros = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::uint32_t shift = load_le<std::uint32_t>(base + 4 * i) >> 23 & mask;
    const std::uint32_t plain = (symbols[i] - 2 * shift) & 0xff;
    symbols[i] = static_cast<std::uint8_t>(plain);
    const std::uint32_t n = plain >> 1;
    longest = std::max(longest, n);
    negative_zeros += plain == 1 ? 1 : 0;
    bits += std::max<std::uint32_t>(n, 1) - 1;
  }
  if (longest > kMaxBits || negative_zeros > 0) {
    return corrupt_chunk(
        fmt::format("a difference of {} bits, {} is the most, or one of -0", longest, kMaxBits));
  }
  return bits;
}

/// Adds the difference with these symbol and lower bits to word `i`. Returns: how many they are.
unsigned add_difference(std::uint8_t symbol, std::uint64_t low, std::uint8_t* words,
                        std::size_t i) {
  const unsigned n = symbol >> 1;
  const unsigned width = std::max(n, 1U) - 1;
  const std::uint64_t top = std::uint64_t{n > 0} << width;
  const auto a = static_cast<std::uint32_t>((low & ((std::uint64_t{1} << width) - 1)) | top);
  const std::uint32_t word = load_le<std::uint32_t>(words + 4 * i) + with_sign(a, symbol & 1);
  std::memcpy(words + 4 * i, &word, 4);
  return width;
}

/// Requires: a packed block as long as the symbols say.
void add_all(Bytes symbols, Bytes packed, std::uint8_t* words) {
  std::uint64_t at = 0;
  std::size_t i = 0;
  // As long as eight bytes can be read at once.
  const std::uint64_t whole = packed.size() < 8 ? 0 : 8 * (packed.size() - 7);
  for (; i < symbols.size() && at < whole; ++i) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, packed.data() + (at >> 3), 8);
    at += add_difference(symbols[i], eight >> (at & 7), words, i);
  }
  for (; i < symbols.size(); ++i) {
    at += add_difference(symbols[i], eight_bytes(packed, at >> 3) >> (at & 7), words, i);
  }
}

}  // namespace

std::size_t most_packed(std::size_t words) { return (words * (kMaxBits - 1) + 7) / 8; }

std::size_t packed_room(std::size_t words) { return most_packed(words) + 8; }

std::size_t take_differences(Scale scale, Bytes plain, Bytes base, std::uint8_t* symbols,
                             std::uint8_t* packed) {
  const std::size_t words = plain.size() / 4;
  BitWriter bits(packed);
  Differences differences;
  for (std::size_t first = 0; first < words; first += Differences::kMost) {
    const std::size_t count = std::min(Differences::kMost, words - first);
    differences.take(scale, plain.data() + 4 * first, base.data() + 4 * first, count,
                     symbols + first);
    differences.pack(count, bits);
  }
  return bits.size();
}

Status add_differences(Scale scale, std::span<std::uint8_t> symbols, Bytes packed,
                       std::span<std::uint8_t> words) {
  AFTUNE_TRY(const std::uint64_t bits, bits_of(scale, symbols, words.data()));
  if (packed.size() != (bits + 7) / 8) {
    return corrupt_chunk(
        fmt::format("{} bytes of differences, their symbols say {} bits", packed.size(), bits));
  }
  if (bits % 8 != 0 && packed.back() >> (bits % 8) != 0) {
    return corrupt_chunk("bits behind the last difference");
  }
  add_all(symbols, packed, words.data());
  return ok();
}

}  // namespace aftune::trace
