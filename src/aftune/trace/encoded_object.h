// SPDX-License-Identifier: Apache-2.0
// Whole objects to and from their chunks, a few chunks at a time.
#pragma once

#include <functional>

#include "aftune/base/file_reader.h"
#include "aftune/trace/encoding.h"

namespace aftune {
class ThreadPool;
}

namespace aftune::trace {

/// The form among `candidates` that makes the smallest file of a sample of `plain`; kRaw where
/// none saves a fiftieth. `base`: of the same size, for kDelta; else empty.
Form choose_form(Bytes plain, Bytes base, std::span<const Form> candidates);

/// Hands header and chunks to `take`, in order. `pool` is null or free.
/// Requires: plain.size() == header.size; `base` of the same size for kDelta.
/// Errors: those of `take`.
Status encode_object(const ObjectHeader& header, Bytes plain, Bytes base, ThreadPool* pool,
                     const std::function<Status(Bytes)>& take);

/// Fills `plain` from what `file` holds behind its header. For kDelta `plain` holds the base at the
/// start. `pool` is null or free. Requires: plain.size() == header.size.
/// Errors: kCorrupt, for bytes behind the last chunk too; kUnavailable. Then `plain` holds
/// anything.
Status decode_object(const ObjectHeader& header, FileReader& file, ThreadPool* pool,
                     std::span<std::uint8_t> plain);

}  // namespace aftune::trace
