// SPDX-License-Identifier: Apache-2.0
// Makes an image data set, one row a line, from files of others. Rules: docs/formats/dataset.md,
// "Images".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/image/image_row.h"

namespace aftune::image {

/// What becomes of an image before it is a row, in this order; a zero leaves it as it is.
struct Shaping {
  bool center = false;         // the square in its middle
  std::uint32_t channels = 0;  // 1 or 3
  std::uint32_t side = 0;      // both sides by resizing
};
/// Errors: kUnsupported for channels that the image has not and that are not made of its.
Result<Image> shaped(Image image, const Shaping& shaping);

/// A pair of IDX files: images [N, height, width] or [N, channels, height, width], classes [N].
/// Writes at most `limit` rows (0: all), in the order of the file. Returns the number.
/// Errors: kInvalidInput naming file and both numbers; kNotFound, kUnavailable; `out` must be new.
Result<std::uint64_t> write_idx_rows(const Path& images, const Path& labels, const Shaping& shaping,
                                     std::uint64_t limit, const Path& out);

/// A folder with one folder for each class, whose PNG and JPEG files are its images; class numbers
/// follow the bytes of the folders' names, rows class by class those of the files'.
/// Returns the names of the classes. Errors: as above, and kInvalidInput for any other file.
struct FolderRows {
  std::vector<std::string> classes;
  std::uint64_t rows = 0;
};
Result<FolderRows> write_folder_rows(const Path& folder, const Shaping& shaping, const Path& out);

}  // namespace aftune::image
