// SPDX-License-Identifier: Apache-2.0
// Reading members of Hugging Face's config.json, with errors that name them and their values.
// Inside the model module only; rules: docs/formats/model-folder.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aftune/codec/json.h"
#include "aftune/model/llama_config.h"

namespace aftune::model {

/// "config.json: " and the rest.
Error hf_invalid(const std::string& what);
Error hf_unsupported(const std::string& what);

/// The value as the file has it where it is short, else its kind.
std::string spelled(const codec::Json& value);

/// Members of any config.json that no result depends on.
bool hf_ignored(std::string_view name);

/// The double that the shortest decimal of `value` spells, so that 1e-5 reads as 1e-05.
double short_double(float value);

/// Missing or null.
bool absent(const codec::Json& object, std::string_view name);
/// An integer or a real; nothing else.
std::optional<double> number_of(const codec::Json& value);
/// Errors: kInvalidInput naming the member, after `path`, unless it is an integer from 1 to 2^32-1.
Result<std::uint32_t> read_extent(const codec::Json& object, std::string_view name,
                                  std::string_view path = "");
/// Errors: kInvalidInput naming the member, after `path`, unless it is a number.
Result<double> read_number(const codec::Json& object, std::string_view name,
                           std::string_view path = "");

struct Rope {
  double theta = 0;
  std::optional<RopeScaling> scaling;
};
/// From rope_theta and rope_scaling (older files) or rope_parameters (newer ones).
Result<Rope> read_rope(const codec::Json& config);

}  // namespace aftune::model
