// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/codec/json.h"
#include "aftune/codec/utf8.h"

namespace aftune::codec {
namespace {

void write_string(std::string& out, std::string_view text) {
  AFTUNE_CHECK(is_utf8(text), "a string of a document is not UTF-8");
  static constexpr std::string_view kNamed = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kLetters = "\"\\bfnrt";
  out.push_back('"');
  for (const char c : text) {
    const std::size_t named = kNamed.find(c);
    if (named != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(kLetters[named]);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void write_real(std::string& out, double value) {
  AFTUNE_CHECK(std::isfinite(value), "a real of a document is not finite");
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  const std::string_view digits(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void write_scalar(std::string& out, const Json& value) {
  if (const bool* boolean = value.boolean()) {
    out += *boolean ? "true" : "false";
  } else if (const std::int64_t* integer = value.integer()) {
    out += fmt::format("{}", *integer);
  } else if (const double* real = value.real()) {
    write_real(out, *real);
  } else if (const std::string* string = value.string()) {
    write_string(out, *string);
  } else {
    out += "null";
  }
}

void write_canonical(std::string& out, const Json& value) {
  if (const auto* array = value.array()) {
    char before = '[';
    if (array->empty()) out.push_back(before);
    for (const Json& element : *array) {
      out.push_back(std::exchange(before, ','));
      write_canonical(out, element);
    }
    out.push_back(']');
  } else if (const auto* object = value.object()) {
    char before = '{';
    if (object->empty()) out.push_back(before);
    for (const auto& [name, member] : *object) {
      AFTUNE_CHECK(std::all_of(name.begin(), name.end(),
                               [](char c) { return static_cast<unsigned char>(c) < 0x80; }),
                   "a name of a canonical document is not ASCII");
      out.push_back(std::exchange(before, ','));
      write_string(out, name);
      out.push_back(':');
      write_canonical(out, member);
    }
    out.push_back('}');
  } else {
    AFTUNE_CHECK(value.real() == nullptr, "a canonical document holds a real number");
    write_scalar(out, value);
  }
}

bool is_scalar(const Json& value) { return value.array() == nullptr && value.object() == nullptr; }

void write_pretty(std::string& out, const Json& value, std::size_t indent);

void new_line(std::string& out, std::size_t indent) {
  out.push_back('\n');
  out.append(indent, ' ');
}

// Arrays of scalars stand on one line.
void write_pretty_array(std::string& out, const Json::Array& array, std::size_t indent) {
  const bool one_line = std::all_of(array.begin(), array.end(), is_scalar);
  const char* before = "[";
  if (array.empty()) out += before;
  for (const Json& element : array) {
    out += std::exchange(before, one_line ? ", " : ",");
    if (!one_line) new_line(out, indent + 2);
    write_pretty(out, element, indent + 2);
  }
  if (!one_line) new_line(out, indent);
  out.push_back(']');
}

void write_pretty(std::string& out, const Json& value, std::size_t indent) {
  if (const auto* array = value.array()) return write_pretty_array(out, *array, indent);
  const auto* object = value.object();
  if (object == nullptr) return write_scalar(out, value);
  if (object->empty()) {
    out += "{}";
    return;
  }
  char before = '{';
  for (const auto& [name, member] : *object) {
    out.push_back(std::exchange(before, ','));
    new_line(out, indent + 2);
    write_string(out, name);
    out += ": ";
    write_pretty(out, member, indent + 2);
  }
  new_line(out, indent);
  out.push_back('}');
}

}  // namespace

std::string canonical_json(const Json& value) {
  std::string out;
  write_canonical(out, value);
  return out;
}

std::string pretty_json(const Json& value) {
  std::string out;
  write_pretty(out, value, 0);
  out.push_back('\n');
  return out;
}

}  // namespace aftune::codec
