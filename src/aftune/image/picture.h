// SPDX-License-Identifier: Apache-2.0
// PNG and JPEG files as pixels, by libpng and libjpeg-turbo. Only who makes a data set decodes:
// its rows hold pixels, so no verifier does. Rules: docs/formats/dataset.md, "Pictures".
#pragma once

#include "aftune/base/bytes.h"
#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/image/image_row.h"

namespace aftune::image {

/// Which of the two it is follows from the first bytes, never from a name. Three channels, or one
/// where the file has no colours. Errors: kInvalidInput for a damaged file, or one that is neither
/// or too large; kUnsupported for colours that are no RGB.
Result<Image> decode_picture(Bytes file);
Result<Image> read_picture(const Path& file);

}  // namespace aftune::image
