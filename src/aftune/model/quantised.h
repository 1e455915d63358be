// SPDX-License-Identifier: Apache-2.0
// Element types of GGUF tensors and their values in fp32: docs/formats/gguf.md, "Element types".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "aftune/base/bytes.h"

namespace aftune::model {

/// The supported types, with their numbers in the file.
enum class QuantisedType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ8_0 = 8,
  kBF16 = 30,
};

struct BlockLayout {
  std::string_view name;
  std::uint32_t elements = 1;  // of a block
  std::uint32_t bytes = 0;     // of a block
};

[[nodiscard]] BlockLayout layout_of(QuantisedType type);

/// The supported type with this number, or none.
[[nodiscard]] std::optional<QuantisedType> quantised_type(std::uint32_t number);

/// The name of a type that exists, supported or not, or its number: "Q6_K", "type 99".
[[nodiscard]] std::string quantised_type_name(std::uint32_t number);

/// Writes the fp32 value of every element.
/// Requires: `out` a multiple of the block's elements, `encoded` as many blocks.
void dequantise(QuantisedType type, Bytes encoded, std::span<float> out);

}  // namespace aftune::model
