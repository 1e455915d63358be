// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/idx.h"

#include <fmt/format.h>

#include "aftune/image/internal/gunzip.h"

namespace aftune::image {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 33;
constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::size_t kMaxAxes = 4;

std::uint32_t big_endian(Bytes bytes) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes.first(4)) value = value << 8 | byte;
  return value;
}

}  // namespace

Result<Idx> parse_idx(Bytes file) {
  if (file.size() < 4)
    return invalid_input(fmt::format("{} bytes, an IDX file has more", file.size()));
  if (file[0] != 0 || file[1] != 0 || file[2] != kUnsignedByte) {
    return invalid_input(
        fmt::format("begins with {:02x}{:02x}{:02x}, an IDX file of bytes with 000008", file[0],
                    file[1], file[2]));
  }
  const std::size_t axes = file[3];
  if (axes < 1 || axes > kMaxAxes) {
    return invalid_input(fmt::format("{} axes, supported are 1 to {}", axes, kMaxAxes));
  }
  if (file.size() < 4 + 4 * axes) {
    return invalid_input(fmt::format("{} bytes, {} axes need {}", file.size(), axes, 4 + 4 * axes));
  }
  Idx out;
  std::uint64_t count = 1;
  for (std::size_t i = 0; i < axes; ++i) {
    out.extents.push_back(big_endian(file.subspan(4 + 4 * i)));
    // Never above 2^33 before the next factor.
    count *= out.extents.back();
    if (count > kMaxFileBytes)
      return invalid_input(fmt::format("more than {} elements", kMaxFileBytes));
  }
  const Bytes rest = file.subspan(4 + 4 * axes);
  if (rest.size() != count) {
    return invalid_input(
        fmt::format("{} bytes of elements, the extents say {}", rest.size(), count));
  }
  out.bytes.assign(rest.begin(), rest.end());
  return out;
}

Result<Idx> read_idx(const Path& file) {
  AFTUNE_TRY(ByteBuffer bytes, read_file(file, kMaxFileBytes));
  if (bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
    AFTUNE_TRY(bytes, gunzip(bytes, kMaxFileBytes).in(file.string()));
  }
  return parse_idx(bytes).in(file.string());
}

}  // namespace aftune::image
