// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"
#include "aftune/image/image_row.h"

namespace aftune::image {

Result<Image> decode_png(Bytes file);
Result<Image> decode_jpeg(Bytes file);

/// Planes from pixels that lie channel by channel, as decoders give them.
Image planes_of(Bytes interleaved, std::uint32_t channels, std::uint32_t height,
                std::uint32_t width);
/// Errors: kInvalidInput unless both are 1 to kMaxSide.
Status check_sides(std::uint64_t height, std::uint64_t width);

}  // namespace aftune::image
