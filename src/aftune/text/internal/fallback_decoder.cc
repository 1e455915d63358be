// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/fallback_decoder.h"

#include <fmt/format.h>

#include "aftune/base/hex.h"
#include "aftune/codec/json_reader.h"
#include "aftune/text/internal/component.h"
#include "aftune/text/internal/utf8.h"

namespace aftune::text {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";
constexpr std::int64_t kMostStripped = 1024;

Result<JsonReader> step_of(const Json::Array& steps, std::size_t index, std::string_view type) {
  if (index >= steps.size()) {
    return Error{Code::kUnsupported,
                 fmt::format("decoder: a Sequence without {} is not supported", type)};
  }
  AFTUNE_TRY(JsonReader step, JsonReader::open(steps[index], fmt::format("decoder[{}]", index)));
  AFTUNE_TRY(expect_type(step, type));
  return step;
}

}  // namespace

std::optional<std::uint8_t> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  std::uint8_t out = 0;
  for (const char c : token.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    const bool upper = c >= 'A' && c <= 'F', lower = c >= 'a' && c <= 'f';
    if (!digit && !upper && !lower) return std::nullopt;
    const int value = digit ? c - '0' : c - (upper ? 'A' : 'a') + 10;
    out = static_cast<std::uint8_t>(16 * out + value);
  }
  return out;
}

std::string token_of_byte(std::uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

Result<FallbackDecoder> FallbackDecoder::parse(const Json& component) {
  AFTUNE_TRY(JsonReader reader, JsonReader::open(component, "decoder"));
  AFTUNE_TRY(expect_type(reader, "Sequence"));
  AFTUNE_TRY(const Json::Array* steps, reader.array("decoders"));
  AFTUNE_TRY(reader.finish());
  FallbackDecoder made;
  AFTUNE_TRY(JsonReader replace, step_of(*steps, 0, "Replace"));
  AFTUNE_TRY(made.replacement_, read_replacement(replace));
  AFTUNE_TRY(replace.finish());
  for (std::size_t i = 1; i < 3; ++i) {
    AFTUNE_TRY(JsonReader step, step_of(*steps, i, i == 1 ? "ByteFallback" : "Fuse"));
    AFTUNE_TRY(step.finish());
  }
  if (steps->size() == 3) return made;
  if (steps->size() > 4) {
    return Error{Code::kUnsupported, "decoder: a step behind Strip is not supported"};
  }
  AFTUNE_TRY(JsonReader strip, step_of(*steps, 3, "Strip"));
  AFTUNE_TRY(made.strip_, strip.string("content"));
  AFTUNE_TRY(const std::int64_t start, strip.integer("start", 0, kMostStripped));
  AFTUNE_TRY(const std::int64_t stop, strip.integer("stop", 0, kMostStripped));
  AFTUNE_TRY(strip.finish());
  if (made.strip_.empty() || utf8_step(made.strip_, 0).length != made.strip_.size()) {
    return Error{Code::kInvalidInput, "decoder[3].content: not one character"};
  }
  if (stop != 0) {
    return Error{Code::kUnsupported,
                 fmt::format("decoder[3].stop: {} is not supported, 0 is", stop)};
  }
  made.strip_most_ = static_cast<std::size_t>(start);
  return made;
}

void FallbackDecoder::Joining::add(std::string_view token) {
  const std::string spelt =
      replace_all(token, decoder_.replacement_.from, decoder_.replacement_.to);
  if (const auto byte = byte_of_token(spelt)) {
    bytes_ += static_cast<char>(*byte);
    return;
  }
  add_bytes();
  text_ += spelt;
}

/// A run of bytes is text as a whole, or each of them is nothing.
void FallbackDecoder::Joining::add_bytes() {
  if (utf8_valid_prefix(bytes_) == bytes_.size()) {
    text_ += bytes_;
  } else {
    for (std::size_t i = 0; i < bytes_.size(); ++i) text_ += kReplacementCharacter;
  }
  bytes_.clear();
}

std::string FallbackDecoder::Joining::finish() && {
  add_bytes();
  std::size_t begin = 0;
  for (std::size_t i = 0; i < decoder_.strip_most_; ++i) {
    if (!std::string_view(text_).substr(begin).starts_with(decoder_.strip_)) break;
    begin += decoder_.strip_.size();
  }
  return text_.substr(begin);
}

}  // namespace aftune::text
