// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/s3_url.h"

#include <fmt/format.h>

#include <algorithm>

namespace aftune::object {
namespace {

constexpr std::string_view kScheme = "s3://";

bool is_digit_or_small(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); }
bool is_letter_or_digit(char c) { return is_digit_or_small(c) || (c >= 'A' && c <= 'Z'); }

bool is_bucket(std::string_view text) {
  if (text.size() < 3 || text.size() > 63) return false;
  if (!is_digit_or_small(text.front()) || !is_digit_or_small(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit_or_small(c) || c == '.' || c == '-'; });
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 255 || text.front() == '.') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  });
}

bool is_prefix(std::string_view text) {
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_name(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string S3Url::text() const {
  return fmt::format("{}{}{}{}", kScheme, bucket, prefix.empty() ? "" : "/", prefix);
}

Result<S3Url> parse_s3_url(std::string_view text) {
  const auto refused = [&](std::string_view why) {
    return Error{Code::kInvalidInput, fmt::format("\"{}\" {}", text, why)};
  };
  if (!text.starts_with(kScheme)) return refused("is not s3://BUCKET/PREFIX");
  const std::string_view place = text.substr(kScheme.size());
  const std::size_t slash = place.find('/');
  S3Url out{std::string(place.substr(0, slash)), ""};
  if (!is_bucket(out.bucket)) return refused("has no bucket's name of 3 to 63 of a-z 0-9 . -");
  if (slash == std::string_view::npos) return out;
  out.prefix = place.substr(slash + 1);
  if (!is_prefix(out.prefix)) {
    return refused("has a prefix that is not names of A-Z a-z 0-9 . _ - with one / between them");
  }
  return out;
}

std::string percent_encode(std::string_view text, Slash slash) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool kept = is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
                      (c == '/' && slash == Slash::kKept);
    if (kept) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

}  // namespace aftune::object
