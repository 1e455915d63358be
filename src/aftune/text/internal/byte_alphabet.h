// SPDX-License-Identifier: Apache-2.0
// The characters by which byte-level vocabularies spell bytes: docs/formats/tokenizer.md, "Bytes as
// characters".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aftune::text {

/// The character of a byte, in UTF-8.
std::string_view character_of_byte(std::uint8_t byte);

/// The characters of the bytes of `raw`.
std::string spell_bytes(std::string_view raw);

/// The bytes that `spelt` stands for, or nothing if one of its characters stands for none.
std::optional<std::string> unspell_bytes(std::string_view spelt);

}  // namespace aftune::text
