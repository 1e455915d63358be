// SPDX-License-Identifier: Apache-2.0
// The two blocks of a delta's chunk: docs/formats/store.md, `delta`.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"
#include "aftune/trace/encoding.h"

namespace aftune::trace {

/// Of a chunk's bytes, whatever its encoding.
inline Error corrupt_chunk(std::string what) {
  return {Code::kCorrupt, "chunk: " + std::move(what)};
}

/// The longest packed block of `words` words, and the room that take_differences() needs for it.
std::size_t most_packed(std::size_t words);
std::size_t packed_room(std::size_t words);

/// Writes a symbol for each 32-bit word, and the packed block.
/// Requires: `plain` and `base` of equal sizes, whole words; room for the words' symbols, and
/// packed_room(). Returns: the bytes of the packed block.
std::size_t take_differences(Scale scale, Bytes plain, Bytes base, std::uint8_t* symbols,
                             std::uint8_t* packed);

/// Turns the base's words, which `words` holds, into the object's. Changes `symbols`, too.
/// Requires: a symbol for each word. Errors: kCorrupt; `words` is as it was.
Status add_differences(Scale scale, std::span<std::uint8_t> symbols, Bytes packed,
                       std::span<std::uint8_t> words);

}  // namespace aftune::trace
