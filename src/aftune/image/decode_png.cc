// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <png.h>

#include "aftune/image/internal/picture_formats.h"

namespace aftune::image {
namespace {

/// libpng's simplified reader; freed whatever happens.
class Reader {
 public:
  Reader() { image.version = PNG_IMAGE_VERSION; }
  ~Reader() { png_image_free(&image); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] Error damaged() const {
    return {Code::kInvalidInput, fmt::format("PNG: {}", image.message)};
  }

  png_image image = {};
};

}  // namespace

Result<Image> decode_png(Bytes file) {
  Reader reader;
  png_image& image = reader.image;
  if (png_image_begin_read_from_memory(&image, file.data(), file.size()) == 0) {
    return reader.damaged();
  }
  AFTUNE_TRY(check_sides(image.height, image.width));
  const bool colours = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  const std::uint32_t channels = colours ? 3 : 1;
  // Where it is transparent, a picture shows black.
  const png_color background = {0, 0, 0};
  image.format = colours ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  ByteBuffer pixels(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, &background, pixels.data(), 0, nullptr) == 0) {
    return reader.damaged();
  }
  return planes_of(pixels, channels, image.height, image.width);
}

}  // namespace aftune::image
