// SPDX-License-Identifier: Apache-2.0
// Entries of the log: docs/formats/entries.md.
#pragma once

#include <string>
#include <string_view>

#include "aftune/crypto/digest.h"
#include "aftune/trace/timeline.h"

namespace aftune::trace {

/// The entry of a place. `digest` is the contract's for kContract, else the list's.
std::string encode_entry(std::uint64_t position, const Place& place, const Digest& digest);

struct AbortEntry {
  std::uint64_t step = 0;
  std::string cause;  // "non-finite" or "fault"
  Digest list;
};
std::string encode_abort(std::uint64_t position, const AbortEntry& abort);

/// The digest of the entry that must stand at `position`.
/// Errors: kInvalidInput if the text is anything but encode_entry of that place and some digest.
Result<Digest> decode_entry(std::string_view text, std::uint64_t position, const Place& place);

/// Errors: kInvalidInput if the text is no abort entry at `position`.
Result<AbortEntry> decode_abort(std::string_view text, std::uint64_t position);

/// Whether the text is a JSON object of kind "abort"; says nothing about the rest.
[[nodiscard]] bool is_abort(std::string_view text);

/// "step 7", "state of layer block 2 at step block 3": for messages.
std::string describe(const Place& place);

}  // namespace aftune::trace
