// SPDX-License-Identifier: Apache-2.0
// libjpeg reports errors by a jump; nothing with a destructor lives between setjmp and it.
#include <csetjmp>
#include <cstddef>
#include <cstdio>

// After <cstdio>: the header takes FILE and size_t as given.
#include <fmt/format.h>
#include <jpeglib.h>

#include "aftune/image/internal/picture_formats.h"

namespace aftune::image {
namespace {

struct Failure {
  jpeg_error_mgr base;
  std::jmp_buf out;
  char message[JMSG_LENGTH_MAX];
};

void leave(j_common_ptr info) {
  auto* failure = reinterpret_cast<Failure*>(info->err);
  info->err->format_message(info, failure->message);
  std::longjmp(failure->out, 1);
}

/// A warning, too, means that pixels were made up.
void warn(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}

struct Decoder {
  jpeg_decompress_struct info = {};
  Failure failure = {};

  Decoder() {
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = leave;
    failure.base.emit_message = warn;
  }
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

/// Reads the header and says how to decode. False: see failure.message.
bool begin(Decoder& decoder, Bytes file) {
  if (setjmp(decoder.failure.out) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  jpeg_mem_src(&decoder.info, file.data(), file.size());
  jpeg_read_header(&decoder.info, TRUE);
  decoder.info.dct_method = JDCT_ISLOW;
  decoder.info.do_fancy_upsampling = TRUE;
  const bool gray = decoder.info.jpeg_color_space == JCS_GRAYSCALE;
  decoder.info.out_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
  return true;
}

/// `pixels` has room for all rows.
bool decode(Decoder& decoder, std::uint8_t* pixels) {
  if (setjmp(decoder.failure.out) != 0) return false;
  jpeg_start_decompress(&decoder.info);
  const std::size_t row = std::size_t{decoder.info.output_width} *
                          static_cast<std::size_t>(decoder.info.output_components);
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW line = pixels + decoder.info.output_scanline * row;
    jpeg_read_scanlines(&decoder.info, &line, 1);
  }
  jpeg_finish_decompress(&decoder.info);
  return true;
}

Error damaged(const Decoder& decoder) {
  return {Code::kInvalidInput, fmt::format("JPEG: {}", decoder.failure.message)};
}

}  // namespace

Result<Image> decode_jpeg(Bytes file) {
  Decoder decoder;
  if (!begin(decoder, file)) return damaged(decoder);
  const jpeg_decompress_struct& info = decoder.info;
  AFTUNE_TRY(check_sides(info.image_height, info.image_width));
  if (info.jpeg_color_space != JCS_GRAYSCALE && info.jpeg_color_space != JCS_YCbCr &&
      info.jpeg_color_space != JCS_RGB) {
    return Error{Code::kUnsupported,
                 fmt::format("JPEG: {} components that are no RGB", info.num_components)};
  }
  const std::uint32_t channels = info.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
  ByteBuffer pixels(std::size_t{info.image_height} * info.image_width * channels);
  if (!decode(decoder, pixels.data())) return damaged(decoder);
  return planes_of(pixels, channels, info.image_height, info.image_width);
}

}  // namespace aftune::image
