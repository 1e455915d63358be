// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/pre_tokenizer.h"

#include <fmt/format.h>

#include "aftune/text/internal/component.h"

namespace aftune::text {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::size_t kMaxSteps = 16;
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

Result<PreTokenizer> PreTokenizer::parse(const Json& component) {
  AFTUNE_TRY(JsonReader reader, JsonReader::open(component, "pre_tokenizer"));
  PreTokenizer made;
  AFTUNE_TRY(made.add(std::move(reader)));
  if (!made.has_byte_level_) {
    return Error{Code::kUnsupported, "pre_tokenizer: without ByteLevel it is not supported"};
  }
  return made;
}

Status PreTokenizer::add(JsonReader component) {
  const auto type = component_type(component);
  return type ? add_typed(std::move(component), *type) : type.error();
}

Status PreTokenizer::add_typed(JsonReader component, std::string_view type) {
  if (type == "Sequence") return add_sequence(std::move(component));
  if (has_byte_level_) {
    return Error{Code::kUnsupported,
                 component.path() + ": a step behind ByteLevel is not supported"};
  }
  if (type == "ByteLevel") return add_byte_level(std::move(component));
  if (steps_.size() == kMaxSteps) {
    return Error{Code::kUnsupported, fmt::format("{}: more than {} steps are not supported",
                                                 component.path(), kMaxSteps)};
  }
  if (type == "Digits") return add_digits(std::move(component));
  if (type == "Split") return add_split(std::move(component));
  return unsupported_type(component, type);
}

Status PreTokenizer::add_sequence(JsonReader component) {
  AFTUNE_TRY(const Json::Array* steps, component.array("pretokenizers"));
  AFTUNE_TRY(component.finish());
  for (std::size_t i = 0; i < steps->size(); ++i) {
    AFTUNE_TRY(JsonReader step,
               JsonReader::open((*steps)[i], fmt::format("{}[{}]", component.path(), i)));
    AFTUNE_TRY(add(std::move(step)));
  }
  return ok();
}

Status PreTokenizer::add_digits(JsonReader component) {
  AFTUNE_TRY(const bool individual, component.boolean("individual_digits"));
  AFTUNE_TRY(component.finish());
  AFTUNE_TRY(SplitPattern pattern, SplitPattern::regex(individual ? R"(\p{N})" : R"(\p{N}+)"));
  steps_.push_back({std::move(pattern), Keep::kAll});
  return ok();
}

Status PreTokenizer::add_split(JsonReader component) {
  AFTUNE_TRY(JsonReader source, component.object("pattern"));
  const bool is_regex = source.has("Regex");
  AFTUNE_TRY(const std::string text, source.string(is_regex ? "Regex" : "String"));
  AFTUNE_TRY(source.finish());
  AFTUNE_TRY(const std::string behavior, component.string("behavior"));
  AFTUNE_TRY(const bool invert, component.boolean("invert"));
  AFTUNE_TRY(component.finish());
  if (behavior != "Isolated" && behavior != "Removed") {
    return Error{Code::kUnsupported,
                 component.path() + ": behavior " + behavior + " is not supported"};
  }
  AFTUNE_TRY(
      SplitPattern pattern,
      (is_regex ? SplitPattern::regex(text) : SplitPattern::literal(text)).in(component.path()));
  const Keep removed = invert ? Keep::kMatches : Keep::kBetween;
  steps_.push_back({std::move(pattern), behavior == "Removed" ? removed : Keep::kAll});
  return ok();
}

Status PreTokenizer::add_byte_level(JsonReader component) {
  AFTUNE_TRY(add_prefix_space_, component.boolean("add_prefix_space"));
  bool use_regex = true;
  if (component.has("use_regex")) {
    AFTUNE_TRY(use_regex, component.boolean("use_regex"));
  }
  if (component.has("trim_offsets")) AFTUNE_TRY(component.boolean("trim_offsets"));
  AFTUNE_TRY(component.finish());
  if (use_regex) {
    AFTUNE_TRY(SplitPattern pattern, SplitPattern::regex(kGpt2Pattern));
    last_step_ = Step{std::move(pattern), Keep::kAll};
  }
  has_byte_level_ = true;
  return ok();
}

Status PreTokenizer::apply(const Step& step, std::string_view text,
                           std::vector<std::string_view>& pieces) {
  AFTUNE_TRY(const std::vector<TextRange> matches, step.pattern.matches(text));
  const auto put = [&](bool wanted, std::size_t begin, std::size_t end) {
    if (wanted && begin < end) pieces.push_back(text.substr(begin, end - begin));
  };
  std::size_t done = 0;
  for (const TextRange match : matches) {
    put(step.keep != Keep::kMatches, done, match.begin);
    put(step.keep != Keep::kBetween, match.begin, match.end);
    done = match.end;
  }
  put(step.keep != Keep::kMatches, done, text.size());
  return ok();
}

Status PreTokenizer::split(std::string_view text,
                           const std::function<void(std::string_view)>& visit) const {
  std::vector<std::string_view> pieces;
  if (!text.empty()) pieces.push_back(text);
  std::vector<std::string_view> cut;
  for (const Step& step : steps_) {
    cut.clear();
    for (const std::string_view piece : pieces) AFTUNE_TRY(apply(step, piece, cut));
    pieces.swap(cut);
  }
  std::string prefixed;
  for (std::string_view piece : pieces) {
    if (add_prefix_space_ && !piece.starts_with(' ')) {
      prefixed = ' ' + std::string(piece);
      piece = prefixed;
    }
    if (!last_step_) {
      visit(piece);
      continue;
    }
    cut.clear();
    AFTUNE_TRY(apply(*last_step_, piece, cut));
    for (const std::string_view part : cut) visit(part);
  }
  return ok();
}

}  // namespace aftune::text
