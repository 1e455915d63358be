// SPDX-License-Identifier: Apache-2.0
// Names of a base's parameters as PEFT has them: by the modules of transformers 5, which for image
// classifiers are other than those in their files. Table: docs/formats/lora.md, "Names".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aftune::model {

/// "vit.layers.0.attention.q_proj.weight" of
/// "vit.encoder.layer.0.attention.attention.query.weight". Those of decoders are the same on both
/// sides.
std::string in_peft(std::string_view parameter);
/// The other way.
std::string from_peft(std::string_view name);

/// What PEFT has in the place of a linear weight: a module over all its outputs, or two modules,
/// over the first and the second half of them.
struct PeftModule {
  std::string weight;  // its name
  bool half = false;
  std::size_t first_row = 0;  // of the base's weight: 0, or the middle
};
/// Requires: a weight [rows, ...].
std::vector<PeftModule> peft_modules(std::string_view weight, std::size_t rows);

}  // namespace aftune::model
