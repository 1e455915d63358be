// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/split_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "aftune/base/check.h"
#include "aftune/text/internal/regex_syntax.h"
#include "aftune/text/internal/utf8.h"

namespace aftune::text {
namespace {

constexpr std::size_t kPatternBytes = 16384;
constexpr std::size_t kFirstWindow = 64;
constexpr std::size_t kWindowGrowth = 4;
constexpr std::size_t kGrownPerByte = 32;
constexpr std::size_t kGrownAlways = 65536;
constexpr std::size_t kStepsPerByte = 8;
constexpr std::size_t kStepsAlways = 1000;
constexpr std::uint32_t kHeapKib = 512 * 1024;

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 128> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Code8 = std::unique_ptr<pcre2_code, Free<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>>;

}  // namespace

struct SplitPattern::Compiled {
  Code8 code;
};

SplitPattern::SplitPattern(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;
SplitPattern& SplitPattern::operator=(SplitPattern&&) noexcept = default;
SplitPattern::~SplitPattern() = default;

Result<SplitPattern> SplitPattern::compile(std::string_view pattern, unsigned options) {
  int error = 0;
  std::size_t position = 0;
  Code8 code(pcre2_compile(units(pattern), pattern.size(), options | PCRE2_UTF, &error, &position,
                           nullptr));
  if (!code) {
    return Error{Code::kUnsupported,
                 fmt::format("pattern: byte {}: {}", position, pcre2_message(error))};
  }
  std::uint32_t matches_empty = 0;
  pcre2_pattern_info(code.get(), PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) return Error{Code::kUnsupported, "pattern: matches the empty text"};
  return SplitPattern(std::make_unique<Compiled>(Compiled{std::move(code)}));
}

Result<SplitPattern> SplitPattern::regex(std::string_view pattern) {
  if (pattern.size() > kPatternBytes) {
    return Error{Code::kUnsupported, fmt::format("pattern: {} bytes, at most {} are supported",
                                                 pattern.size(), kPatternBytes)};
  }
  AFTUNE_TRY(const std::string rewritten, rewrite_pattern(pattern));
  return compile(rewritten, PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C);
}

Result<SplitPattern> SplitPattern::literal(std::string_view text) {
  if (text.empty()) return Error{Code::kUnsupported, "pattern: matches the empty text"};
  return compile(text, PCRE2_LITERAL);
}

namespace {

/// One scan over one text. A window that ends before the text makes the matcher say PARTIAL as
/// soon as it looks at the window's end, so the work of one try is bounded by the window, and
/// only tries that need more are given, and charged, more.
class Scan {
 public:
  Scan(const pcre2_code* code, std::string_view text)
      : code_(code),
        text_(text),
        data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        grown_left_(text.size() * kGrownPerByte + kGrownAlways) {
    AFTUNE_CHECK(data_ && context_, "out of memory");
    pcre2_set_heap_limit(context_.get(), kHeapKib);
  }

  /// The leftmost match at or behind `from`.
  Result<std::optional<TextRange>> next(std::size_t from) {
    while (from < text_.size()) {
      const std::size_t end = window_end(from, kFirstWindow);
      int outcome = try_match(from, end, 0);
      if (outcome == PCRE2_ERROR_NOMATCH) {
        from = end;
        continue;
      }
      if (outcome == PCRE2_ERROR_PARTIAL) {
        from += begin();
        AFTUNE_TRY(outcome, grow(from));
        if (outcome == PCRE2_ERROR_NOMATCH) {
          from += utf8_step(text_, from).length;
          continue;
        }
      }
      if (outcome < 0) return failed(from, pcre2_message(outcome));
      return std::optional(
          TextRange{from + begin(), from + pcre2_get_ovector_pointer(data_.get())[1]});
    }
    return std::optional<TextRange>();
  }

 private:
  [[nodiscard]] std::size_t begin() const { return pcre2_get_ovector_pointer(data_.get())[0]; }

  [[nodiscard]] std::size_t window_end(std::size_t from, std::size_t window) const {
    if (text_.size() - from <= window) return text_.size();
    std::size_t end = from + window;
    while ((static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) --end;
    return end;
  }

  int try_match(std::size_t from, std::size_t end, std::uint32_t options) {
    if (end < text_.size()) options |= PCRE2_PARTIAL_HARD;
    const std::size_t steps = kStepsAlways + kStepsPerByte * (end - from);
    pcre2_set_match_limit(context_.get(), static_cast<std::uint32_t>(std::min<std::size_t>(
                                              steps, std::numeric_limits<std::uint32_t>::max())));
    return pcre2_match(code_, units(text_.substr(from)), end - from, 0,
                       options | PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
  }

  /// Tries a match that begins at `from` with ever larger windows.
  Result<int> grow(std::size_t from) {
    for (std::size_t window = kFirstWindow * kWindowGrowth;; window *= kWindowGrowth) {
      const std::size_t end = window_end(from, window);
      if (end - from > grown_left_) return failed(from, "too much work for this text");
      grown_left_ -= end - from;
      const int outcome = try_match(from, end, PCRE2_ANCHORED);
      if (outcome != PCRE2_ERROR_PARTIAL) return outcome;
    }
  }

  [[nodiscard]] static Error failed(std::size_t at, std::string_view why) {
    return {Code::kInvalidInput, fmt::format("pattern: matching at byte {}: {}", at, why)};
  }

  const pcre2_code* code_;
  std::string_view text_;
  MatchData data_;
  MatchContext context_;
  std::size_t grown_left_;
};

}  // namespace

Result<std::vector<TextRange>> SplitPattern::matches(std::string_view text) const {
  std::vector<TextRange> found;
  if (text.empty()) return found;
  Scan scan(compiled_->code.get(), text);
  for (std::size_t at = 0;;) {
    AFTUNE_TRY(const std::optional<TextRange> match, scan.next(at));
    if (!match) return found;
    AFTUNE_CHECK(match->end > match->begin, "a pattern matched the empty text");
    found.push_back(*match);
    at = match->end;
  }
}

}  // namespace aftune::text
