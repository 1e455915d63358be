// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "aftune/text/internal/utf8.h"

namespace aftune::text {
namespace {

using CodePoints = std::vector<utf8proc_int32_t>;

/// Below U+0300 nothing decomposes that does not compose again, and nothing combines.
bool has_only_stable_characters(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<std::uint8_t>(c) < 0xCC; });
}

CodePoints decompose(std::string_view text) {
  CodePoints out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    at += step.length;
    utf8proc_int32_t parts[32];  // a canonical decomposition has at most 4
    int boundary = 0;
    const auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(step.code_point), parts, 32,
                                static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE), &boundary);
    if (count <= 0 || count > 32) {
      out.push_back(static_cast<utf8proc_int32_t>(step.code_point));
    } else {
      out.insert(out.end(), parts, parts + count);
    }
  }
  return out;
}

auto combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

/// The library orders marks by exchanging neighbours, which is quadratic in a run of marks.
void order_marks(CodePoints& text) {
  const auto is_mark = [](auto c) { return combining_class(c) != 0; };
  for (auto from = text.begin(); from != text.end();) {
    from = std::find_if(from, text.end(), is_mark);
    const auto to = std::find_if_not(from, text.end(), is_mark);
    std::stable_sort(from, to,
                     [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    from = to;
  }
}

}  // namespace

Result<std::string> nfc(std::string_view text) {
  if (has_only_stable_characters(text)) return std::string(text);
  CodePoints points = decompose(text);
  order_marks(points);
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  const auto count = utf8proc_normalize_utf32(
      points.data(), static_cast<utf8proc_ssize_t>(points.size()), options);
  if (count < 0)
    return Error{Code::kInvalidInput, "normalizer NFC: " + std::string(utf8proc_errmsg(count))};
  std::string out;
  out.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    append_utf8(out, static_cast<char32_t>(points[static_cast<std::size_t>(i)]));
  }
  return out;
}

}  // namespace aftune::text
