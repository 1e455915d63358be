// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "aftune/base/check.h"

namespace aftune::trace {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic = {'a', 'f', 't', 'o', 'b', 'j', 0, 1};
constexpr std::size_t kEncodingAt = 8, kDepthAt = 9, kScaleAt = 10, kZerosAt = 11, kSizeAt = 16,
                      kBaseAt = 24;

/// The byte of a header; none for kRaw, which has no header.
std::uint8_t code_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::kZst:
      return 1;
    case Encoding::kPlanes:
      return 2;
    case Encoding::kDelta:
      return 3;
    case Encoding::kHalves:
      return 4;
    case Encoding::kRaw:
      break;
  }
  return 0;
}

Error corrupt(std::string what) { return {Code::kCorrupt, "header: " + std::move(what)}; }

Status check_fields(const ObjectHeader& header) {
  const bool delta = header.encoding == Encoding::kDelta;
  if (delta ? header.depth < 1 || header.depth > kMaxDepth : header.depth != 0) {
    return corrupt(fmt::format("depth {} of {}", header.depth, encoding_name(header.encoding)));
  }
  if (!delta && (header.base != Digest{} || header.scale != Scale::kPlain)) {
    return corrupt(fmt::format("a base or scale of {}", encoding_name(header.encoding)));
  }
  if (header.size == 0 || header.size > kMaxObjectBytes) {
    return corrupt(fmt::format("{} bytes, the limit is {}", header.size, kMaxObjectBytes));
  }
  const std::size_t word = word_bytes(header.encoding);
  if (header.size % word != 0) {
    return corrupt(fmt::format("{} bytes are no {}-bit words", header.size, 8 * word));
  }
  return ok();
}

}  // namespace

std::size_t word_bytes(Encoding encoding) {
  switch (encoding) {
    case Encoding::kPlanes:
    case Encoding::kDelta:
      return 4;
    case Encoding::kHalves:
      return 2;
    case Encoding::kRaw:
    case Encoding::kZst:
      break;
  }
  return 1;
}

std::string_view encoding_name(Encoding encoding) {
  switch (encoding) {
    case Encoding::kRaw:
      return "raw";
    case Encoding::kPlanes:
      return "planes";
    case Encoding::kDelta:
      return "delta";
    case Encoding::kHalves:
      return "halves";
    case Encoding::kZst:
      return "zst";
  }
  return "?";
}

std::array<std::uint8_t, kObjectHeaderBytes> encode_header(const ObjectHeader& header) {
  AFTUNE_CHECK(header.encoding != Encoding::kRaw && check_fields(header), "no header of an object");
  std::array<std::uint8_t, kObjectHeaderBytes> out{};
  std::copy(kMagic.begin(), kMagic.end(), out.begin());
  out[kEncodingAt] = code_of(header.encoding);
  out[kDepthAt] = header.depth;
  out[kScaleAt] = static_cast<std::uint8_t>(header.scale);
  for (std::size_t i = 0; i < 8; ++i) {
    out[kSizeAt + i] = static_cast<std::uint8_t>(header.size >> (8 * i));
  }
  std::copy(header.base.bytes.begin(), header.base.bytes.end(), out.begin() + kBaseAt);
  return out;
}

Result<ObjectHeader> decode_header(std::span<const std::uint8_t> bytes, Encoding named) {
  if (bytes.size() != kObjectHeaderBytes) {
    return corrupt(fmt::format("{} bytes, {} are needed", bytes.size(), kObjectHeaderBytes));
  }
  if (!std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
    return corrupt("it does not begin as version 1 does");
  }
  if (named == Encoding::kRaw || bytes[kEncodingAt] != code_of(named)) {
    return corrupt(
        fmt::format("encoding {}, the name says {}", bytes[kEncodingAt], encoding_name(named)));
  }
  for (std::size_t i = kZerosAt; i < kSizeAt; ++i) {
    if (bytes[i] != 0) return corrupt(fmt::format("byte {} is {}, not 0", i, bytes[i]));
  }
  if (bytes[kScaleAt] > 1) return corrupt(fmt::format("scale {}", bytes[kScaleAt]));
  ObjectHeader out{named, bytes[kDepthAt], 0, {}, static_cast<Scale>(bytes[kScaleAt])};
  for (std::size_t i = 0; i < 8; ++i) {
    out.size |= static_cast<std::uint64_t>(bytes[kSizeAt + i]) << (8 * i);
  }
  std::copy(bytes.begin() + kBaseAt, bytes.end(), out.base.bytes.begin());
  AFTUNE_TRY(check_fields(out));
  return out;
}

}  // namespace aftune::trace
