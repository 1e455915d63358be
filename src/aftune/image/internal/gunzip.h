// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"

namespace aftune::image {

/// The content of a gzip file of one member. Errors: kInvalidInput if it is damaged, cut, followed
/// by something, or larger than `limit_bytes` unpacked.
Result<ByteBuffer> gunzip(Bytes file, std::uint64_t limit_bytes);

}  // namespace aftune::image
