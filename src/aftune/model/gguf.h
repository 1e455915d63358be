// SPDX-License-Identifier: Apache-2.0
// The container format of llama.cpp, strictly: docs/formats/gguf.md has layout, rules and limits.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/model/quantised.h"
#include "aftune/tensor/tensor.h"

namespace aftune::model {

/// Types of metadata values, with their numbers in the file.
enum class GgufType : std::uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

/// One metadata value. Views point into the file's bytes.
struct GgufValue {
  GgufType type = GgufType::kU8;  // of the value, or of an array's elements
  bool is_array = false;
  std::uint64_t count = 1;                // of an array's elements
  Bytes raw;                              // the elements, little-endian; empty for strings
  std::vector<std::string_view> strings;  // the elements of type kString

  /// A single integer that is not negative; empty for anything else.
  [[nodiscard]] std::optional<std::uint64_t> integer() const;
  [[nodiscard]] std::optional<float> f32() const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::string_view> string() const;
  /// The elements of an array of i32; empty for anything else.
  [[nodiscard]] std::optional<std::vector<std::int32_t>> i32_array() const;
};

struct GgufTensor {
  QuantisedType type = QuantisedType::kF32;
  Shape shape;  // slowest dimension first
  Bytes bytes;  // the encoded elements, in the file
};

/// A file mapped read-only, its header, metadata and tensor descriptions checked.
/// Threads: safe to read from many.
class GgufFile {
 public:
  /// Errors: kNotFound, kUnavailable; kInvalidInput for a malformed file, naming key or tensor and
  ///         numbers; kUnsupported for another version or element type.
  static Result<GgufFile> open(const Path& path);
  /// The same checks over bytes in memory, which must outlive the object.
  static Result<GgufFile> parse(Bytes bytes);

  [[nodiscard]] const std::map<std::string, GgufValue, std::less<>>& metadata() const {
    return metadata_;
  }
  [[nodiscard]] const GgufValue* find(std::string_view key) const;
  [[nodiscard]] const std::map<std::string, GgufTensor, std::less<>>& tensors() const {
    return tensors_;
  }

 private:
  GgufFile() = default;
  std::vector<MappedFile> file_;  // one, or none when parsed from memory
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::map<std::string, GgufTensor, std::less<>> tensors_;
};

}  // namespace aftune::model
