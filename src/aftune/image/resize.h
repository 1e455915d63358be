// SPDX-License-Identifier: Apache-2.0
// Images of another size, in integers. Rules: docs/formats/dataset.md, "Resizing".
#pragma once

#include <cstdint>

#include "aftune/image/image_row.h"

namespace aftune::image {

/// Requires: extents of 1 to kMaxSide, dense pixels. Threads: pure.
Image resize(const Image& image, std::uint32_t height, std::uint32_t width);

/// The largest square in the middle; of two middles the upper or left one.
Image center_square(const Image& image);

/// One channel from three by (299 R + 587 G + 114 B + 500) / 1000, three equal ones from one.
/// Requires: as many channels as asked for, or 1 and 3.
Image with_channels(const Image& image, std::uint32_t channels);

}  // namespace aftune::image
