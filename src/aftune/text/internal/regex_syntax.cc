// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/regex_syntax.h"

#include <fmt/format.h>

#include <cstddef>

namespace aftune::text {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_ascii_punctuation(char c) { return c > 0x20 && c < 0x7F && !is_digit(c) && !is_letter(c); }

/// One pass over the pattern. Each read_ function begins behind the character that chose it.
class Rewriter {
 public:
  explicit Rewriter(std::string_view pattern) : in_(pattern) {}

  Result<std::string> run() {
    while (at_ < in_.size()) AFTUNE_TRY(read_item());
    if (open_ != 0) return refuse("a group is not closed");
    return std::move(out_);
  }

 private:
  [[nodiscard]] Error refuse(std::string_view why) const {
    return {Code::kUnsupported, fmt::format("pattern: byte {}: {}", at_, why)};
  }
  [[nodiscard]] bool next_is(std::string_view text) const {
    return in_.substr(at_).starts_with(text);
  }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }

  Status read_item() {
    const char c = in_[at_++];
    switch (c) {
      case '(':
        return read_group();
      case ')':
        if (open_ == 0) return refuse("')' without '('");
        --open_;
        out_ += ')';
        return read_repetition();
      case '[':
        AFTUNE_TRY(read_class());
        return read_repetition();
      case '\\':
        AFTUNE_TRY(read_escape());
        return read_repetition();
      case '|':
        out_ += '|';
        return ok();
      case ']':
      case '{':
      case '}':
      case '^':
      case '$':
      case '.':
      case '?':
      case '*':
      case '+':
        return refuse(fmt::format("'{}' is not supported here", c));
      default:
        out_ += c;
        while (at_ < in_.size() && (static_cast<unsigned char>(in_[at_]) & 0xC0) == 0x80) {
          out_ += in_[at_++];  // the rest of the same character
        }
        return read_repetition();
    }
  }

  Status read_group() {
    ++open_;
    if (!next_is("?")) {
      out_ += "(?:";
      return ok();
    }
    for (const std::string_view kind : {"?:", "?i:", "?>", "?=", "?!"}) {
      if (take(kind)) {
        out_ += '(';
        out_ += kind;
        return ok();
      }
    }
    return refuse("this kind of group is not supported");
  }

  Status read_repetition() {
    if (at_ == in_.size()) return ok();
    const char c = in_[at_];
    if (c == '{') return read_interval();
    if (c != '?' && c != '*' && c != '+') return ok();
    ++at_;
    out_ += c;
    if (take("?")) {
      out_ += '?';
    } else if (take("+")) {
      out_ += '+';
    }
    return ok();
  }

  Status read_interval() {
    const std::size_t from = at_++;
    const auto digits = [&] {
      const std::size_t first = at_;
      while (at_ < in_.size() && is_digit(in_[at_])) ++at_;
      return at_ > first;
    };
    if (!digits()) return refuse("a repetition must give its least count");
    if (take(",")) digits();
    if (!take("}")) return refuse("a repetition is not closed");
    if (next_is("?") || next_is("+")) return refuse("a repetition {m,n} takes no suffix");
    out_ += in_.substr(from, at_ - from);
    return ok();
  }

  Status read_class() {
    out_ += '[';
    if (take("^")) out_ += '^';
    if (next_is("]")) return refuse("an empty class is not supported");
    while (true) {
      if (at_ == in_.size()) return refuse("a class is not closed");
      if (next_is("&&")) return refuse("'&&' in a class is not supported");
      const char c = in_[at_++];
      if (c == ']') break;
      if (c == '[') return refuse("'[' in a class is not supported");
      if (c == '\\') {
        AFTUNE_TRY(read_escape());
      } else {
        out_ += c;
      }
    }
    out_ += ']';
    return ok();
  }

  Status read_escape() {
    if (at_ == in_.size()) return refuse("'\\' at the end");
    const char c = in_[at_++];
    if (is_ascii_punctuation(c)) {
      out_ += '\\';
      out_ += c;
      return ok();
    }
    switch (c) {
      case 'n':
      case 'r':
      case 't':
      case 'f':
        out_ += '\\';
        out_ += c;
        return ok();
      case 'v':
        out_ += "\\x{0b}";  // PCRE2's \v is a class
        return ok();
      case 's':
        out_ += "\\p{White_Space}";  // PCRE2's \s has U+180E too
        return ok();
      case 'S':
        out_ += "\\P{White_Space}";
        return ok();
      case 'd':
        out_ += "\\p{Nd}";
        return ok();
      case 'D':
        out_ += "\\P{Nd}";
        return ok();
      case 'p':
      case 'P':
        return read_property(c);
      case 'x':
        return read_braced_code_point();
      case 'u':
        return read_four_digits();
      default:
        return refuse(
            fmt::format("'\\{}' is not supported", is_letter(c) || is_digit(c) ? c : '?'));
    }
  }

  Status read_property(char letter) {
    if (!take("{")) return refuse("a property must be in braces");
    const std::size_t from = at_;
    while (at_ < in_.size() && (is_letter(in_[at_]) || in_[at_] == '_')) ++at_;
    const std::string_view name = in_.substr(from, at_ - from);
    if (name.empty() || !take("}")) return refuse("a property's name is malformed");
    out_ += fmt::format("\\{}{{{}}}", letter, name);
    return ok();
  }

  Status read_braced_code_point() {
    if (!take("{")) return refuse("'\\x' must be in braces");
    const std::size_t from = at_;
    while (at_ < in_.size() && is_hex(in_[at_])) ++at_;
    const std::string_view digits = in_.substr(from, at_ - from);
    if (digits.empty() || digits.size() > 6 || !take("}")) return refuse("'\\x' is malformed");
    out_ += fmt::format("\\x{{{}}}", digits);
    return ok();
  }

  Status read_four_digits() {
    const std::string_view digits = in_.substr(at_, 4);
    if (digits.size() != 4) return refuse("'\\u' needs four digits");
    for (const char c : digits) {
      if (!is_hex(c)) return refuse("'\\u' needs four digits");
    }
    at_ += 4;
    out_ += fmt::format("\\x{{{}}}", digits);
    return ok();
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::size_t open_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> rewrite_pattern(std::string_view pattern) { return Rewriter(pattern).run(); }

}  // namespace aftune::text
