// SPDX-License-Identifier: Apache-2.0
// One row of an image data set: pixels and a class. Rules: docs/formats/dataset.md, "Images".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"

namespace aftune::image {

inline constexpr std::uint32_t kMaxSide = 4096;
inline constexpr std::uint32_t kMaxChannels = 16;
inline constexpr std::uint32_t kMaxClass = (1U << 22) - 1;

/// Dense planes, [channels, height, width].
struct Image {
  std::uint32_t channels = 0, height = 0, width = 0;
  ByteBuffer pixels;
  friend bool operator==(const Image&, const Image&) = default;
};

struct ImageRow {
  Image image;
  std::uint32_t label = 0;
  friend bool operator==(const ImageRow&, const ImageRow&) = default;
};

/// Errors: kInvalidInput naming the member.
Result<ImageRow> parse_row(std::string_view row);

/// What parse_row gives back, without a line end.
std::string spell_row(const ImageRow& row);

}  // namespace aftune::image
