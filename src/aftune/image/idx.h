// SPDX-License-Identifier: Apache-2.0
// IDX files, as MNIST and its relatives come: a magic number, extents, bytes. Plain or gzip.
// Rules: docs/formats/dataset.md, "IDX".
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/base/file.h"
#include "aftune/base/result.h"

namespace aftune::image {

/// Unsigned bytes of one to four axes.
struct Idx {
  std::vector<std::uint32_t> extents;
  ByteBuffer bytes;
};

/// Errors: kInvalidInput for anything but a whole file of unsigned bytes, naming both numbers.
Result<Idx> parse_idx(Bytes file);

/// Unpacks a gzip file first. Errors: those of parse_idx, kNotFound, kUnavailable; kInvalidInput
/// for a damaged or too large gzip file.
Result<Idx> read_idx(const Path& file);

}  // namespace aftune::image
