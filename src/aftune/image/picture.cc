// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/picture.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/image/internal/picture_formats.h"

namespace aftune::image {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 28;
constexpr std::uint8_t kPng[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::uint8_t kJpeg[] = {0xff, 0xd8, 0xff};

bool begins_with(Bytes file, Bytes magic) {
  return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
}

}  // namespace

Image planes_of(Bytes interleaved, std::uint32_t channels, std::uint32_t height,
                std::uint32_t width) {
  const std::size_t plane = std::size_t{height} * width;
  Image out{channels, height, width, ByteBuffer(plane * channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < plane; ++i)
      out.pixels[c * plane + i] = interleaved[i * channels + c];
  }
  return out;
}

Status check_sides(std::uint64_t height, std::uint64_t width) {
  if (height >= 1 && height <= kMaxSide && width >= 1 && width <= kMaxSide) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("{} x {} pixels, a side has 1 to {}", width, height, kMaxSide)};
}

Result<Image> decode_picture(Bytes file) {
  if (begins_with(file, kPng)) return decode_png(file);
  if (begins_with(file, kJpeg)) return decode_jpeg(file);
  return Error{Code::kInvalidInput, "neither a PNG nor a JPEG file"};
}

Result<Image> read_picture(const Path& file) {
  AFTUNE_TRY(const ByteBuffer bytes, read_file(file, kMaxFileBytes));
  return decode_picture(bytes).in(file.string());
}

}  // namespace aftune::image
