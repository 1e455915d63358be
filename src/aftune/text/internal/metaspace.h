// SPDX-License-Identifier: Apache-2.0
// Spaces as characters that begin words. Rules: docs/formats/tokenizer.md, "Metaspace".
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"

namespace aftune::text {

/// Immutable once made. Threads: safe from many.
class Metaspace {
 public:
  /// Reads the component `pre_tokenizer`. Errors: kInvalidInput, kUnsupported.
  static Result<Metaspace> parse(const codec::Json& component);

  /// Calls `visit` for each piece of `text`, from left to right; a piece is valid in the call.
  /// `at_start`: nothing stands before the text.
  void split(std::string_view text, bool at_start,
             const std::function<void(std::string_view)>& visit) const;

 private:
  enum class Prepend { kAlways, kFirst, kNever };

  std::string mark_;  // one character
  Prepend prepend_ = Prepend::kAlways;
  bool split_ = true;
};

}  // namespace aftune::text
