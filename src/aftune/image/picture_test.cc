// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/picture.h"

#include <gtest/gtest.h>
#include <png.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

// After <cstdio>: the header takes FILE and size_t as given.
#include <jpeglib.h>

namespace aftune::image {
namespace {

ByteBuffer png_of(png_uint_32 format, std::uint32_t width, std::uint32_t height,
                  const ByteBuffer& pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.format = format;
  image.width = width;
  image.height = height;
  png_alloc_size_t size = 1 << 20;
  ByteBuffer out(size);
  EXPECT_NE(png_image_write_to_memory(&image, out.data(), &size, 0, pixels.data(), 0, nullptr), 0)
      << image.message;
  out.resize(size);
  return out;
}

ByteBuffer jpeg_of(J_COLOR_SPACE space, int channels, unsigned width, unsigned height,
                   ByteBuffer pixels) {
  jpeg_error_mgr errors = {};
  jpeg_compress_struct info = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = width;
  info.image_height = height;
  info.input_components = channels;
  info.in_color_space = space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < height) {
    JSAMPROW row = &pixels[info.next_scanline * width * static_cast<unsigned>(channels)];
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  ByteBuffer out(bytes, bytes + size);
  std::free(bytes);
  return out;
}

TEST(Png, HasItsPixelsByChannel) {
  const auto got = decode_picture(png_of(PNG_FORMAT_RGB, 2, 1, {1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, (Image{3, 1, 2, {1, 4, 2, 5, 3, 6}}));
  const auto gray = decode_picture(png_of(PNG_FORMAT_GRAY, 2, 2, {9, 8, 7, 255}));
  ASSERT_TRUE(gray) << gray.error().what;
  EXPECT_EQ(*gray, (Image{1, 2, 2, {9, 8, 7, 255}}));
}

TEST(Png, ShowsBlackWhereItIsTransparent) {
  const auto got = decode_picture(png_of(PNG_FORMAT_RGBA, 2, 1, {10, 20, 30, 255, 40, 50, 60, 0}));
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, (Image{3, 1, 2, {10, 0, 20, 0, 30, 0}}));
}

TEST(Jpeg, IsNearWhatWasPacked) {
  ByteBuffer pixels(16 * 24 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i % 3 == 0 ? 200 : i % 3 == 1 ? 90 : 30);
  }
  const auto got = decode_picture(jpeg_of(JCS_RGB, 3, 24, 16, pixels));
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ((std::vector{got->channels, got->height, got->width}),
            (std::vector<std::uint32_t>{3, 16, 24}));
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(got->pixels[c * 16 * 24 + 77], pixels[c], 2) << c;
  }
  const auto gray = decode_picture(jpeg_of(JCS_GRAYSCALE, 1, 24, 16, ByteBuffer(16 * 24, 90)));
  ASSERT_TRUE(gray) << gray.error().what;
  EXPECT_EQ(*gray, (Image{1, 16, 24, ByteBuffer(16 * 24, 90)}));
}

TEST(Jpeg, ColoursThatAreNoRgbAreRefused) {
  const auto got = decode_picture(jpeg_of(JCS_CMYK, 4, 8, 8, ByteBuffer(256, 3)));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "JPEG: 4 components that are no RGB");
}

TEST(Picture, CutAndForeignFilesAreRefused) {
  ByteBuffer noise(32 * 32 * 3);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<std::uint8_t>(i * i / 3);
  for (const ByteBuffer& whole :
       {png_of(PNG_FORMAT_RGB, 32, 32, noise), jpeg_of(JCS_RGB, 3, 32, 32, noise)}) {
    ASSERT_TRUE(decode_picture(whole));
    for (const std::size_t size : {0UL, 2UL, 9UL, 40UL, whole.size() / 2, whole.size() - 40}) {
      const auto got = decode_picture(Bytes(whole).first(size));
      ASSERT_FALSE(got) << size;
      EXPECT_EQ(got.error().code, Code::kInvalidInput);
    }
  }
  EXPECT_EQ(decode_picture(ByteBuffer(100, 'x')).error().what, "neither a PNG nor a JPEG file");
}

}  // namespace
}  // namespace aftune::image
