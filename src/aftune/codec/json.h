// SPDX-License-Identifier: Apache-2.0
// JSON values: a bounded strict parser (RFC 8259) and the canonical form (RFC 8785).
// Rules and limits: docs/formats/json.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"

namespace aftune::codec {

/// A JSON value. Objects keep their members sorted by name (byte order of UTF-8, which for the
/// names used here is RFC 8785's order); integers within +-2^53 and other numbers are apart.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() = default;  // null
  Json(bool value) : v_(value) {}
  /// Requires of integers: within +-2^53; larger ones are spelt as strings.
  Json(std::int64_t value) : v_(checked(value)) {}
  Json(int value) : v_(std::int64_t{value}) {}
  Json(unsigned value) : v_(std::int64_t{value}) {}
  Json(std::uint64_t value) : v_(checked(value)) {}
  Json(double value) : v_(value) {}
  Json(std::string value) : v_(std::move(value)) {}
  Json(std::string_view value) : v_(std::string(value)) {}
  Json(const char* value) : v_(std::string(value)) {}
  Json(Array value) : v_(std::move(value)) {}
  Json(Object value) : v_(std::move(value)) {}

  [[nodiscard]] bool is_null() const { return v_.index() == 0; }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&v_); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&v_); }
  /// A number that is no integer within +-2^53 or is spelt with a fraction or an exponent.
  [[nodiscard]] const double* real() const { return std::get_if<double>(&v_); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&v_); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&v_); }
  [[nodiscard]] const Object* object() const { return std::get_if<Object>(&v_); }
  [[nodiscard]] Array* array() { return std::get_if<Array>(&v_); }
  [[nodiscard]] Object* object() { return std::get_if<Object>(&v_); }

  /// The member called `name`, or null if this is no object or has none.
  [[nodiscard]] const Json* find(std::string_view name) const;

  friend bool operator==(const Json&, const Json&) = default;

 private:
  static std::int64_t checked(std::int64_t value);
  static std::int64_t checked(std::uint64_t value);

  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> v_{nullptr};
};

inline constexpr std::int64_t kMaxJsonInteger = std::int64_t{1} << 53;

/// `depth` counts arrays and objects around a value and itself: 0 allows one scalar. `values`
/// counts scalars, arrays and objects, not names.
struct JsonLimits {
  std::uint64_t bytes = std::uint64_t{1} << 20;
  unsigned depth = 32;
  std::uint64_t values = std::uint64_t{1} << 20;
};

/// Errors: kInvalidInput, with the byte position, for anything but one JSON value within the
///         limits: duplicate names, lone surrogates, invalid UTF-8 and trailing bytes included.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits);

/// As parse_json, and the text must be the canonical form of the value: one spelling only.
Result<Json> parse_canonical_json(std::string_view text, const JsonLimits& limits);

/// RFC 8785. Requires: no real numbers (our documents spell them as hex-float strings), names
/// ordered alike in UTF-8 and UTF-16 (checked: names are ASCII), strings in UTF-8.
std::string canonical_json(const Json& value);

/// Indented, with a final newline, for files that people read and no digest covers. Reals in the
/// shortest form that reads back as the same real. Requires: finite reals, strings in UTF-8.
std::string pretty_json(const Json& value);

/// C99 hexadecimal spelling of a finite number, one for each: "0x1.8p-3", "0x0p+0", "-0x0p+0".
/// A float is spelt as the double of the same value. Rule: docs/formats/json.md.
std::string hex_float(double value);

/// Errors: kInvalidInput unless `text` is exactly hex_float of some finite number.
Result<double> parse_hex_float(std::string_view text);

}  // namespace aftune::codec
