// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/json_reader.h"

#include <fmt/format.h>

#include <utility>

namespace aftune::codec {
namespace {

std::string member_path(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

Error refused(const std::string& path, std::string_view reason) {
  return {Code::kInvalidInput, fmt::format("{}: {}", path.empty() ? "json value" : path, reason)};
}

// `value`, or an error that says what was expected in its place.
template <typename T>
Result<const T*> expect(const T* value, const std::string& path, std::string_view kind) {
  if (value == nullptr) return refused(path, fmt::format("not {}", kind));
  return value;
}

}  // namespace

Result<JsonReader> JsonReader::open(const Json& value, std::string path) {
  AFTUNE_TRY(const Json::Object* const object, expect(value.object(), path, "an object"));
  return JsonReader(object, std::move(path));
}

Result<const Json*> JsonReader::member(std::string_view name) {
  const auto found = object_->find(name);
  if (found == object_->end()) return refused(member_path(path_, name), "missing");
  read_.emplace(name);
  return &found->second;
}

Result<std::string> JsonReader::string(std::string_view name) {
  AFTUNE_TRY(const Json* const value, member(name));
  AFTUNE_TRY(const std::string* const text,
             expect(value->string(), member_path(path_, name), "a string"));
  return *text;
}

Result<std::int64_t> JsonReader::integer(std::string_view name, std::int64_t min,
                                         std::int64_t max) {
  AFTUNE_TRY(const Json* const value, member(name));
  AFTUNE_TRY(const std::int64_t* const integer,
             expect(value->integer(), member_path(path_, name), "an integer"));
  if (*integer < min || *integer > max) {
    return refused(member_path(path_, name),
                   fmt::format("{} is not within {} and {}", *integer, min, max));
  }
  return *integer;
}

Result<bool> JsonReader::boolean(std::string_view name) {
  AFTUNE_TRY(const Json* const value, member(name));
  AFTUNE_TRY(const bool* const boolean,
             expect(value->boolean(), member_path(path_, name), "true or false"));
  return *boolean;
}

Result<Digest> JsonReader::digest(std::string_view name) {
  AFTUNE_TRY(const std::string text, string(name));
  return parse_digest(text).in(member_path(path_, name));
}

Result<double> JsonReader::hex_real(std::string_view name) {
  AFTUNE_TRY(const std::string text, string(name));
  return parse_hex_float(text).in(member_path(path_, name));
}

Result<const Json::Array*> JsonReader::array(std::string_view name) {
  AFTUNE_TRY(const Json* const value, member(name));
  return expect(value->array(), member_path(path_, name), "an array");
}

Result<JsonReader> JsonReader::object(std::string_view name) {
  AFTUNE_TRY(const Json* const value, member(name));
  return open(*value, member_path(path_, name));
}

Result<const Json*> JsonReader::any(std::string_view name) { return member(name); }

bool JsonReader::has(std::string_view name) const { return object_->contains(name); }

Status JsonReader::finish() const {
  for (const auto& [name, value] : *object_) {
    if (!read_.contains(name)) return refused(member_path(path_, name), "unknown member");
  }
  return ok();
}

}  // namespace aftune::codec
