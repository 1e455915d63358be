// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "aftune/codec/utf8.h"

namespace aftune::object {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::size_t kMaxElements = 1U << 16U;  // a page of 1000 keys has some 10000

struct Entity {
  char character;
  std::string_view name;
};
constexpr std::array<Entity, 5> kEntities = {
    {{'&', "amp"}, {'<', "lt"}, {'>', "gt"}, {'"', "quot"}, {'\'', "apos"}}};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':';
}

std::string utf8_of(std::uint32_t code) {
  std::string out;
  const auto add = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0 | code >> 6U);
    add(0x80 | (code & 0x3FU));
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12U);
    add(0x80 | (code >> 6U & 0x3FU));
    add(0x80 | (code & 0x3FU));
  } else {
    add(0xF0 | code >> 18U);
    add(0x80 | (code >> 12U & 0x3FU));
    add(0x80 | (code >> 6U & 0x3FU));
    add(0x80 | (code & 0x3FU));
  }
  return out;
}

/// What stands between "&#" and ";".
std::optional<std::string> numbered(std::string_view digits) {
  int base = 10;
  if (digits.starts_with('x')) {
    base = 16;
    digits.remove_prefix(1);
  }
  std::uint32_t code = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool control = code < 0x20 && code != '\t' && code != '\n' && code != '\r';
  if (!whole || code > 0x10FFFF || surrogate || control) return std::nullopt;
  return utf8_of(code);
}

/// What stands between "&" and ";".
std::optional<std::string> entity_text(std::string_view name) {
  if (name.starts_with('#')) return numbered(name.substr(1));
  for (const Entity& entity : kEntities) {
    if (entity.name == name) return std::string(1, entity.character);
  }
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : left_(text), size_(text.size()) {}

  Result<XmlElement> document() {
    if (left_.starts_with("\xEF\xBB\xBF")) left_.remove_prefix(3);
    if (left_.starts_with("<?xml")) {
      const std::size_t end = left_.find("?>");
      if (end == std::string_view::npos) return refused("a declaration without end");
      left_.remove_prefix(end + 2);
    }
    skip_space();
    AFTUNE_TRY(XmlElement root, element(1));
    skip_space();
    if (!left_.empty()) return refused("more behind the root element");
    return root;
  }

 private:
  [[nodiscard]] Error refused(std::string_view what) const {
    return {Code::kInvalidInput, fmt::format("xml: {} at byte {}", what, size_ - left_.size())};
  }
  bool take(std::string_view text) {
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }
  void skip_space() {
    left_.remove_prefix(std::min(left_.find_first_not_of(kSpace), left_.size()));
  }

  std::string_view name() {
    const auto end = std::find_if_not(left_.begin(), left_.end(), is_name_character);
    const auto size = static_cast<std::size_t>(end - left_.begin());
    const std::string_view out = left_.substr(0, size);
    left_.remove_prefix(size);
    return out;
  }

  Status attributes() {
    while (true) {
      skip_space();
      if (left_.starts_with('>') || left_.starts_with("/>")) return ok();
      if (name().empty()) return refused("no name of an attribute");
      skip_space();
      if (!take("=")) return refused("an attribute without a value");
      skip_space();
      if (left_.empty() || (left_.front() != '"' && left_.front() != '\'')) {
        return refused("a value without quotes");
      }
      const std::size_t end = left_.find(left_.front(), 1);
      if (end == std::string_view::npos) return refused("a value without end");
      if (left_.substr(0, end).find('<') != std::string_view::npos) return refused("< in a value");
      left_.remove_prefix(end + 1);
    }
  }

  Status character(std::string& text) {
    if (!take("&")) {
      const std::size_t end = std::min(left_.find_first_of("<&"), left_.size());
      text += left_.substr(0, end);
      left_.remove_prefix(end);
      return ok();
    }
    const std::size_t end = left_.substr(0, 12).find(';');
    if (end == std::string_view::npos) return refused("an entity without end");
    const auto found = entity_text(left_.substr(0, end));
    if (!found) return refused("an unknown entity");
    text += *found;
    left_.remove_prefix(end + 1);
    return ok();
  }

  Result<XmlElement> element(std::size_t depth) {
    if (depth > kMaxXmlDepth) return refused(fmt::format("more than {} levels", kMaxXmlDepth));
    if (++elements_ > kMaxElements) {
      return refused(fmt::format("more than {} elements", kMaxElements));
    }
    if (!take("<")) return refused("no element");
    const std::string_view full = name();
    if (full.empty()) return refused("no name of an element");
    XmlElement out;
    out.name = full.substr(full.rfind(':') + 1);  // all of it without a colon
    if (out.name.empty()) return refused("no name of an element");
    AFTUNE_TRY(attributes());
    if (take("/>")) return out;
    left_.remove_prefix(1);
    while (!left_.starts_with("</")) {
      if (left_.empty()) return refused(fmt::format("no end of {}", out.name));
      if (left_.front() == '<') {
        AFTUNE_TRY(XmlElement inner, element(depth + 1));
        out.children.push_back(std::move(inner));
      } else {
        AFTUNE_TRY(character(out.text));
      }
    }
    left_.remove_prefix(2);
    if (name() != full) return refused(fmt::format("another end than that of {}", out.name));
    skip_space();
    if (!take(">")) return refused(fmt::format("no end of {}", out.name));
    return out;
  }

  std::string_view left_;
  std::size_t size_;
  std::size_t elements_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
  for (const XmlElement& element : children) {
    if (element.name == child_name) return &element;
  }
  return nullptr;
}

std::string XmlElement::text_of(std::string_view child_name) const {
  const XmlElement* found = child(child_name);
  return found == nullptr ? "" : found->text;
}

Result<XmlElement> parse_xml(std::string_view text) {
  if (!codec::is_utf8(text)) return Error{Code::kInvalidInput, "xml: the text is not UTF-8"};
  if (text.find('\0') != std::string_view::npos) {
    return Error{Code::kInvalidInput, "xml: a zero byte"};
  }
  return Parser(text).document();
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto* entity = std::find_if(kEntities.begin(), kEntities.end(),
                                      [c](const Entity& e) { return e.character == c; });
    if (entity == kEntities.end()) {
      out += c;
    } else {
      out += fmt::format("&{};", entity->name);
    }
  }
  return out;
}

}  // namespace aftune::object
