// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/block_arg.h"

#include <fmt/format.h>

#include <charconv>

namespace aftune::cli {

Result<audit::BlockIndex> parse_block(std::string_view text) {
  audit::BlockIndex out;
  const char* end = text.data() + text.size();
  const auto [comma, first] = std::from_chars(text.data(), end, out.layer_block);
  if (first == std::errc() && comma != end && *comma == ',') {
    const auto [rest, second] = std::from_chars(comma + 1, end, out.step_block);
    if (second == std::errc() && rest == end) return out;
  }
  return Error{Code::kInvalidInput,
               fmt::format("--block \"{}\" is not LAYER_BLOCK,STEP_BLOCK like 2,1", text)};
}

}  // namespace aftune::cli
