// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/metaspace.h"

#include "aftune/codec/json_reader.h"
#include "aftune/text/internal/component.h"
#include "aftune/text/internal/text_normalizer.h"
#include "aftune/text/internal/utf8.h"

namespace aftune::text {

using codec::Json;
using codec::JsonReader;

Result<Metaspace> Metaspace::parse(const Json& component) {
  AFTUNE_TRY(JsonReader reader, JsonReader::open(component, "pre_tokenizer"));
  AFTUNE_TRY(expect_type(reader, "Metaspace"));
  Metaspace made;
  AFTUNE_TRY(made.mark_, reader.string("replacement"));
  if (made.mark_.empty() || utf8_step(made.mark_, 0).length != made.mark_.size()) {
    return Error{Code::kInvalidInput, "pre_tokenizer.replacement: not one character"};
  }
  std::string scheme = "always";
  if (reader.has("prepend_scheme")) {
    AFTUNE_TRY(scheme, reader.string("prepend_scheme"));
  }
  if (scheme == "first") {
    made.prepend_ = Prepend::kFirst;
  } else if (scheme == "never") {
    made.prepend_ = Prepend::kNever;
  } else if (scheme != "always") {
    return Error{Code::kUnsupported,
                 "pre_tokenizer.prepend_scheme: " + scheme + " is not supported"};
  }
  if (reader.has("add_prefix_space")) {  // the older spelling, beside or in place of the scheme
    AFTUNE_TRY(const bool adds, reader.boolean("add_prefix_space"));
    if (adds == (made.prepend_ == Prepend::kNever)) {
      return Error{Code::kUnsupported,
                   "pre_tokenizer.add_prefix_space: not as prepend_scheme is not supported"};
    }
  }
  if (reader.has("split")) {
    AFTUNE_TRY(made.split_, reader.boolean("split"));
  }
  AFTUNE_TRY(reader.finish());
  return made;
}

void Metaspace::split(std::string_view text, bool at_start,
                      const std::function<void(std::string_view)>& visit) const {
  if (text.empty()) return;
  std::string marked = replace_all(text, " ", mark_);
  const bool wanted = prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && at_start);
  if (wanted && !marked.starts_with(mark_)) marked = mark_ + marked;
  const std::string_view all = marked;
  std::size_t done = 0;
  if (split_) {
    for (std::size_t at = all.find(mark_, 1); at != all.npos; at = all.find(mark_, at + 1)) {
      visit(all.substr(done, at - done));
      done = at;
    }
  }
  visit(all.substr(done));
}

}  // namespace aftune::text
