// SPDX-License-Identifier: Apache-2.0
// The tokens of one row before they are cut and padded: docs/formats/dataset.md.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/text/dataset.h"

namespace aftune::text {

struct RowTokens {
  std::vector<std::int32_t> tokens;
  std::vector<bool> counts;  // whether the loss counts the token, by the rule's labels
};

/// Errors: kInvalidInput for a row that is not of the rule's form.
Result<RowTokens> tokenize_row(const TextRule& rule, const Tokenizer& tokenizer,
                               std::string_view row);

}  // namespace aftune::text
