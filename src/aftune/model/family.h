// SPDX-License-Identifier: Apache-2.0
// The families: decoders, one computation with or without two of its parts
// (docs/formats/llama.md, "Families"), and image classifiers (docs/formats/vit.md).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace aftune::model {

enum class Family : std::uint8_t { kLlama, kMistral, kQwen2, kQwen3, kVit, kDinov2 };

struct FamilyTraits {
  Family family;
  std::string_view name;          // in contracts, and config.json's "model_type"
  std::string_view architecture;  // in config.json's "architectures"
  bool projection_biases;         // of query, key and value
  bool head_norms;                // of each head of query and key
  bool vision = false;            // an image classifier
};

/// All of them, in the order of Family.
std::span<const FamilyTraits> families();
const FamilyTraits& traits_of(Family family);
/// Null if there is none of this name.
const FamilyTraits* find_family(std::string_view name);

}  // namespace aftune::model
