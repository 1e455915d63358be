// SPDX-License-Identifier: Apache-2.0
// The steps that cut a text into the pieces that BPE works on. Rules: docs/formats/tokenizer.md,
// "Splitting".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/text/internal/split_pattern.h"

namespace aftune::text {

/// Immutable once made. Threads: safe from many.
class PreTokenizer {
 public:
  /// Reads the component `pre_tokenizer`. Errors: kInvalidInput, kUnsupported.
  static Result<PreTokenizer> parse(const codec::Json& component);

  /// Calls `visit` for each piece of `text`, from left to right; a piece is valid in the call.
  /// Errors: kInvalidInput where a pattern needs more work than its bound.
  [[nodiscard]] Status split(std::string_view text,
                             const std::function<void(std::string_view)>& visit) const;

 private:
  enum class Keep { kAll, kMatches, kBetween };
  struct Step {
    SplitPattern pattern;
    Keep keep;
  };

  PreTokenizer() = default;
  Status add(codec::JsonReader component);
  Status add_typed(codec::JsonReader component, std::string_view type);
  Status add_sequence(codec::JsonReader component);
  Status add_digits(codec::JsonReader component);
  Status add_split(codec::JsonReader component);
  Status add_byte_level(codec::JsonReader component);
  static Status apply(const Step& step, std::string_view text,
                      std::vector<std::string_view>& pieces);

  std::vector<Step> steps_;
  bool add_prefix_space_ = false;
  std::optional<Step> last_step_;  // ByteLevel's own pattern, if it has one
  bool has_byte_level_ = false;
};

}  // namespace aftune::text
