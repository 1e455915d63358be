// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace aftune::image {
namespace {

Image painted(std::uint32_t channels, std::uint32_t height, std::uint32_t width) {
  Image image{channels, height, width, ByteBuffer(std::size_t{channels} * height * width)};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
  }
  return image;
}

TEST(Resize, TheSameSizeIsTheSameImage) {
  const Image image = painted(3, 5, 8);
  EXPECT_EQ(resize(image, 5, 8), image);
}

TEST(Resize, AConstantStaysOne) {
  const Image image{1, 7, 9, ByteBuffer(63, 200)};
  for (const std::uint32_t side : {1, 2, 7, 16, 50}) {
    EXPECT_EQ(resize(image, side, side).pixels, ByteBuffer(std::size_t{side} * side, 200)) << side;
  }
}

TEST(Resize, HalfTheSizeWeighsThePixelsByATriangle) {
  // Weights of output 0 of 2 from 4 inputs: 5/8 - ... by distance to 1: 3, 3, 1 of 7.
  const Image line{1, 1, 4, {10, 20, 90, 200}};
  const Image out = resize(line, 1, 2);
  EXPECT_EQ(out.pixels[0], (3 * 10 + 3 * 20 + 1 * 90) * 2 / 14 + (180 * 2 % 14 >= 7 ? 1 : 0));
  EXPECT_EQ(out.pixels[1],
            static_cast<std::uint8_t>(std::floor((20 + 3 * 90 + 3 * 200) / 7.0 + 0.5)));
}

TEST(Resize, TwiceTheSizeGoesBetweenNeighbours) {
  const Image line{1, 1, 2, {0, 200}};
  EXPECT_EQ(resize(line, 1, 4).pixels, (ByteBuffer{0, 50, 150, 200}));
}

TEST(Resize, AHalfIsRoundedUp) {
  const Image line{1, 1, 2, {0, 1}};
  EXPECT_EQ(resize(line, 1, 1).pixels, (ByteBuffer{1}));
}

TEST(Resize, RowsComeBeforeColumnsAndChannelsStayApart) {
  const Image image = painted(2, 6, 4);
  const Image out = resize(image, 3, 2);
  const Image wide = resize(image, 6, 2);
  EXPECT_EQ(resize(wide, 3, 2), out);
  Image second{1, 6, 4, ByteBuffer(image.pixels.begin() + 24, image.pixels.end())};
  const Image alone = resize(second, 3, 2);
  EXPECT_TRUE(std::equal(alone.pixels.begin(), alone.pixels.end(), out.pixels.begin() + 6));
}

TEST(CenterSquare, IsTheMiddleAndTheUpperLeftOfTwo) {
  const Image tall{1, 4, 1, {1, 2, 3, 4}};
  EXPECT_EQ(center_square(tall).pixels, (ByteBuffer{2}));
  const Image wide{1, 2, 5, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
  EXPECT_EQ(center_square(wide), (Image{1, 2, 2, {1, 2, 6, 7}}));
}

TEST(Channels, GrayIsTheStatedMixtureAndColoursOfGrayAreEqual) {
  const Image colours{3, 1, 2, {255, 0, 255, 0, 255, 100}};
  EXPECT_EQ(with_channels(colours, 1), (Image{1, 1, 2, {255, 11}}));
  const Image gray{1, 1, 2, {7, 9}};
  EXPECT_EQ(with_channels(gray, 3), (Image{3, 1, 2, {7, 9, 7, 9, 7, 9}}));
  EXPECT_EQ(with_channels(gray, 1), gray);
}

}  // namespace
}  // namespace aftune::image
