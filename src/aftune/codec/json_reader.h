// SPDX-License-Identifier: Apache-2.0
// Reads an object's members one by one by name and type, then refuses whatever was not read.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "aftune/codec/json.h"
#include "aftune/crypto/digest.h"

namespace aftune::codec {

/// A strict view on a JSON object. Each getter names the full path of the member in its error
/// ("contract.train.steps: missing"), so that a person finds the place.
///
/// Errors of all getters: kInvalidInput for a missing member or one of another type or range.
/// Threads: one at a time. The Json must outlive the reader.
class JsonReader {
 public:
  /// Errors: kInvalidInput if `value` is no object. `path` names it in errors.
  static Result<JsonReader> open(const Json& value, std::string path);

  Result<std::string> string(std::string_view name);
  Result<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  Result<bool> boolean(std::string_view name);
  Result<Digest> digest(std::string_view name);
  /// A hex-float string.
  Result<double> hex_real(std::string_view name);
  Result<const Json::Array*> array(std::string_view name);
  Result<JsonReader> object(std::string_view name);
  Result<const Json*> any(std::string_view name);
  /// Whether the member exists; does not count as reading it.
  [[nodiscard]] bool has(std::string_view name) const;

  /// Errors: kInvalidInput naming the first member that no getter asked for.
  [[nodiscard]] Status finish() const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  JsonReader(const Json::Object* object, std::string path)
      : object_(object), path_(std::move(path)) {}
  Result<const Json*> member(std::string_view name);

  const Json::Object* object_;
  std::string path_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace aftune::codec
