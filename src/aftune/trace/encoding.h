// SPDX-License-Identifier: Apache-2.0
// How an object lies in its file: names and headers of docs/formats/store.md.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "aftune/crypto/digest.h"

namespace aftune::trace {

/// In the order in which a reader looks for them.
enum class Encoding : std::uint8_t { kRaw, kPlanes, kDelta, kHalves, kZst };
inline constexpr std::array<Encoding, 5> kEncodings = {
    Encoding::kRaw, Encoding::kPlanes, Encoding::kDelta, Encoding::kHalves, Encoding::kZst};

/// How a recorder writes objects. Its log is the same.
enum class StoreEncoding : std::uint8_t {
  kRaw,
  kAuto,  // smaller where that is cheap
};

/// Bytes of the words that an encoding takes: 4, 2, or 1 for one that takes any bytes.
std::size_t word_bytes(Encoding encoding);

/// "planes": what follows the address in a file's name.
std::string_view encoding_name(Encoding encoding);

/// Of a delta's symbols: differences by themselves, or beside the size of what they are added to.
enum class Scale : std::uint8_t { kPlain, kByExponent };

inline constexpr std::uint64_t kMaxObjectBytes = std::uint64_t{1} << 36;
inline constexpr std::uint8_t kMaxDepth = 8;  // deltas in a chain
inline constexpr std::size_t kObjectHeaderBytes = 56;
inline constexpr std::size_t kChunkBytes = 262144;  // of the decoded object

/// An encoding with what it leaves to choose.
struct Form {
  Encoding encoding = Encoding::kRaw;
  Scale scale = Scale::kPlain;  // of a delta

  friend bool operator==(const Form&, const Form&) = default;
};

/// What stands before the chunks of an encoded file.
struct ObjectHeader {
  Encoding encoding = Encoding::kZst;
  std::uint8_t depth = 0;
  std::uint64_t size = 0;  // decoded
  Digest base;             // of a delta; else zero
  Scale scale = Scale::kPlain;

  [[nodiscard]] Form form() const { return {encoding, scale}; }

  friend bool operator==(const ObjectHeader&, const ObjectHeader&) = default;
};

/// Requires: a header that decode_header() takes.
std::array<std::uint8_t, kObjectHeaderBytes> encode_header(const ObjectHeader& header);

/// Errors: kCorrupt for what the page does not allow, and for another encoding than `named`.
Result<ObjectHeader> decode_header(std::span<const std::uint8_t> bytes, Encoding named);

}  // namespace aftune::trace
