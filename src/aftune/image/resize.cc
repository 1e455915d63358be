// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/resize.h"

#include <algorithm>
#include <vector>

#include "aftune/base/check.h"

namespace aftune::image {
namespace {

/// What one output takes of a line of inputs.
struct Share {
  std::uint32_t first = 0;
  std::vector<std::uint64_t> weights;
  std::uint64_t sum = 0;
};

std::vector<Share> shares_of(std::uint32_t inputs, std::uint32_t outputs) {
  std::vector<Share> out(outputs);
  const std::int64_t m = inputs, n = outputs, half_width = 2 * std::max(m, n);
  for (std::int64_t i = 0; i < n; ++i) {
    Share& share = out[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < m; ++j) {
      const std::int64_t distance = std::abs((2 * i + 1) * m - (2 * j + 1) * n);
      if (distance >= half_width) continue;
      if (share.weights.empty()) share.first = static_cast<std::uint32_t>(j);
      share.weights.push_back(static_cast<std::uint64_t>(half_width - distance));
      share.sum += share.weights.back();
    }
  }
  return out;
}

/// Of values that lie `stride` apart, to nearest, halves upwards.
std::uint8_t mean_of(const Share& share, const std::uint8_t* line, std::size_t stride) {
  std::uint64_t sum = 0;
  for (std::size_t k = 0; k < share.weights.size(); ++k) {
    sum += share.weights[k] * line[(share.first + k) * stride];
  }
  return static_cast<std::uint8_t>((2 * sum + share.sum) / (2 * share.sum));
}

Image blank(std::uint32_t channels, std::uint32_t height, std::uint32_t width) {
  return {channels, height, width, ByteBuffer(std::size_t{channels} * height * width)};
}

}  // namespace

Image resize(const Image& image, std::uint32_t height, std::uint32_t width) {
  const std::vector<Share> across = shares_of(image.width, width);
  Image wide = blank(image.channels, image.height, width);
  const std::size_t lines = std::size_t{image.channels} * image.height;
  for (std::size_t line = 0; line < lines; ++line) {
    for (std::uint32_t x = 0; x < width; ++x) {
      wide.pixels[line * width + x] = mean_of(across[x], &image.pixels[line * image.width], 1);
    }
  }
  const std::vector<Share> down = shares_of(image.height, height);
  Image out = blank(image.channels, height, width);
  for (std::size_t c = 0; c < image.channels; ++c) {
    for (std::uint32_t y = 0; y < height; ++y) {
      for (std::uint32_t x = 0; x < width; ++x) {
        out.pixels[(c * height + y) * width + x] =
            mean_of(down[y], &wide.pixels[c * image.height * width + x], width);
      }
    }
  }
  return out;
}

Image center_square(const Image& image) {
  const std::uint32_t side = std::min(image.height, image.width);
  const std::uint32_t top = (image.height - side) / 2, left = (image.width - side) / 2;
  Image out = blank(image.channels, side, side);
  for (std::size_t c = 0; c < image.channels; ++c) {
    for (std::uint32_t y = 0; y < side; ++y) {
      const auto* row = &image.pixels[(c * image.height + top + y) * image.width + left];
      std::copy_n(row, side, &out.pixels[(c * side + y) * side]);
    }
  }
  return out;
}

Image with_channels(const Image& image, std::uint32_t channels) {
  if (image.channels == channels) return image;
  const std::size_t plane = std::size_t{image.height} * image.width;
  Image out = blank(channels, image.height, image.width);
  if (image.channels == 1) {
    for (std::size_t i = 0; i < out.pixels.size(); ++i) out.pixels[i] = image.pixels[i % plane];
    return out;
  }
  AFTUNE_CHECK(image.channels == 3 && channels == 1, "channels that nobody defined");
  for (std::size_t i = 0; i < plane; ++i) {
    const unsigned sum = 299U * image.pixels[i] + 587U * image.pixels[plane + i] +
                         114U * image.pixels[2 * plane + i] + 500U;
    out.pixels[i] = static_cast<std::uint8_t>(sum / 1000U);
  }
  return out;
}

}  // namespace aftune::image
