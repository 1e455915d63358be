// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/gguf.h"

#include <fmt/core.h>

#include <bit>

#include "aftune/base/endian.h"
#include "aftune/codec/utf8.h"

namespace aftune::model {
namespace {

constexpr std::uint64_t kMaxTensors = 65536;
constexpr std::uint64_t kMaxKeys = 4096;
constexpr std::uint64_t kMaxNameBytes = 256;
constexpr std::uint64_t kMaxStringBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxArrayCount = std::uint64_t{1} << 24;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 40;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;             // length, key, type, value
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // one dimension

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

/// Bytes of one element; 0 for the types of no fixed size.
std::uint64_t fixed_size(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

/// Reads forward over the bytes; never past their end.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t left() const { return bytes_.size() - position_; }

  Result<Bytes> take(std::uint64_t count) {
    if (count > left()) {
      return invalid_input(
          fmt::format("byte {}: {} bytes wanted, {} left", position_, count, left()));
    }
    const Bytes out = bytes_.subspan(position_, count);
    position_ += count;
    return out;
  }

  template <typename T>
  Result<T> number() {
    AFTUNE_TRY(const Bytes raw, take(sizeof(T)));
    return load_le<T>(raw.data());
  }

  Result<std::string_view> string(std::uint64_t limit) {
    const std::uint64_t start = position_;
    AFTUNE_TRY(const auto length, number<std::uint64_t>());
    if (length > limit) {
      return invalid_input(
          fmt::format("byte {}: string of {} bytes, limit is {}", start, length, limit));
    }
    AFTUNE_TRY(const Bytes raw, take(length));
    if (!codec::is_utf8(as_text(raw))) {
      return invalid_input(fmt::format("byte {}: string is not UTF-8", start));
    }
    return as_text(raw);
  }

  Result<std::string> name() {
    const std::uint64_t start = position_;
    AFTUNE_TRY(const auto text, string(kMaxNameBytes));
    if (text.empty()) return invalid_input(fmt::format("byte {}: empty name", start));
    return std::string(text);
  }

 private:
  Bytes bytes_;
  std::uint64_t position_ = 0;
};

Result<GgufType> read_type(Cursor& cursor) {
  AFTUNE_TRY(const auto number, cursor.number<std::uint32_t>());
  if (number > static_cast<std::uint32_t>(GgufType::kF64)) {
    return invalid_input(fmt::format("value type {} is above 12", number));
  }
  return static_cast<GgufType>(number);
}

Status read_elements(Cursor& cursor, GgufValue& value) {
  if (value.type == GgufType::kString) {
    if (value.count > cursor.left() / 8) {
      return invalid_input(fmt::format("{} strings, {} bytes left", value.count, cursor.left()));
    }
    value.strings.reserve(value.count);
    for (std::uint64_t i = 0; i < value.count; ++i) {
      AFTUNE_TRY(const auto text, cursor.string(kMaxStringBytes));
      value.strings.push_back(text);
    }
    return ok();
  }
  AFTUNE_TRY(value.raw, cursor.take(value.count * fixed_size(value.type)));
  if (value.type != GgufType::kBool) return ok();
  for (const std::uint8_t byte : value.raw) {
    if (byte > 1) return invalid_input(fmt::format("bool is {}", byte));
  }
  return ok();
}

Result<GgufValue> read_value(Cursor& cursor) {
  GgufValue value;
  AFTUNE_TRY(value.type, read_type(cursor));
  if (value.type == GgufType::kArray) {
    value.is_array = true;
    AFTUNE_TRY(value.type, read_type(cursor));
    AFTUNE_TRY(value.count, cursor.number<std::uint64_t>());
    if (value.type == GgufType::kArray) return invalid_input("array of arrays");
    if (value.count > kMaxArrayCount) {
      return invalid_input(
          fmt::format("array of {} elements, limit is {}", value.count, kMaxArrayCount));
    }
  }
  AFTUNE_TRY(read_elements(cursor, value));
  return value;
}

struct Description {
  std::string name;
  GgufTensor tensor;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

Result<Shape> read_shape(Cursor& cursor) {
  AFTUNE_TRY(const auto dimensions, cursor.number<std::uint32_t>());
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    return invalid_input(fmt::format("{} dimensions, limit is {}", dimensions, kMaxDimensions));
  }
  Shape shape(dimensions);
  std::uint64_t count = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    AFTUNE_TRY(const auto extent, cursor.number<std::uint64_t>());
    if (extent < 1 || extent > kMaxElements / count) {
      return invalid_input(
          fmt::format("dimension {} of {}, at most {} elements", i, extent, kMaxElements));
    }
    count *= extent;
    shape[dimensions - 1 - i] = extent;
  }
  return shape;
}

Result<Description> read_description(Cursor& cursor) {
  Description out;
  AFTUNE_TRY(out.name, cursor.name());
  AFTUNE_TRY(out.tensor.shape, read_shape(cursor).in("tensor " + out.name));
  AFTUNE_TRY(const auto number, cursor.number<std::uint32_t>());
  AFTUNE_TRY(out.offset, cursor.number<std::uint64_t>());
  const auto type = quantised_type(number);
  if (!type) {
    return Error{Code::kUnsupported, fmt::format("tensor {}: element type {} is not supported",
                                                 out.name, quantised_type_name(number))};
  }
  out.tensor.type = *type;
  const BlockLayout layout = layout_of(*type);
  if (out.tensor.shape.back() % layout.elements != 0) {
    return invalid_input(fmt::format("tensor {}: rows of {} elements, {} needs a multiple of {}",
                                     out.name, out.tensor.shape.back(), layout.name,
                                     layout.elements));
  }
  out.size = *element_count(out.tensor.shape) / layout.elements * layout.bytes;
  return out;
}

/// Gives each tensor its bytes: one after the other, aligned, and nothing behind the last.
Status place(std::vector<Description>& descriptions, Bytes data, std::uint64_t alignment) {
  std::uint64_t next = 0;
  std::uint64_t end = 0;
  for (Description& d : descriptions) {
    if (d.offset != next) {
      return invalid_input(
          fmt::format("tensor {}: offset {}, expected {}", d.name, d.offset, next));
    }
    if (next > data.size() || d.size > data.size() - next) {
      return invalid_input(fmt::format("tensor {}: ends at {}, data has {} bytes", d.name,
                                       next + d.size, data.size()));
    }
    d.tensor.bytes = data.subspan(next, d.size);
    end = next + d.size;
    next = round_up(end, alignment);
  }
  if (data.size() > next) {
    return invalid_input(fmt::format("data has {} bytes, tensors end at {}", data.size(), end));
  }
  return ok();
}

Result<std::uint64_t> alignment_of(const GgufFile& file) {
  const GgufValue* value = file.find("general.alignment");
  if (value == nullptr) return std::uint64_t{32};
  const auto alignment = value->integer();
  if (value->type != GgufType::kU32 || !alignment || !std::has_single_bit(*alignment) ||
      *alignment < 8 || *alignment > 65536) {
    return invalid_input("general.alignment is no u32 power of two from 8 to 65536");
  }
  return *alignment;
}

struct Counts {
  std::uint64_t tensors = 0;
  std::uint64_t keys = 0;
};

Result<Counts> read_header(Cursor& cursor) {
  AFTUNE_TRY(const Bytes magic, cursor.take(4));
  if (as_text(magic) != "GGUF") return invalid_input("does not begin with GGUF");
  AFTUNE_TRY(const auto version, cursor.number<std::uint32_t>());
  if (version != 2 && version != 3) {
    return Error{Code::kUnsupported,
                 fmt::format("GGUF version {}, supported are 2 and 3", version)};
  }
  Counts counts;
  AFTUNE_TRY(counts.tensors, cursor.number<std::uint64_t>());
  AFTUNE_TRY(counts.keys, cursor.number<std::uint64_t>());
  if (counts.keys > kMaxKeys || counts.keys > cursor.left() / kMinKeyBytes) {
    return invalid_input(
        fmt::format("{} keys, limit is {}, {} bytes left", counts.keys, kMaxKeys, cursor.left()));
  }
  if (counts.tensors > kMaxTensors || counts.tensors > cursor.left() / kMinTensorBytes) {
    return invalid_input(fmt::format("{} tensors, limit is {}, {} bytes left", counts.tensors,
                                     kMaxTensors, cursor.left()));
  }
  return counts;
}

}  // namespace

std::optional<std::uint64_t> GgufValue::integer() const {
  if (is_array) return std::nullopt;
  const auto as_unsigned = [](std::int64_t value) -> std::optional<std::uint64_t> {
    if (value < 0) return std::nullopt;
    return static_cast<std::uint64_t>(value);
  };
  switch (type) {
    case GgufType::kU8:
      return raw[0];
    case GgufType::kI8:
      return as_unsigned(static_cast<std::int8_t>(raw[0]));
    case GgufType::kU16:
      return load_le<std::uint16_t>(raw.data());
    case GgufType::kI16:
      return as_unsigned(static_cast<std::int16_t>(load_le<std::uint16_t>(raw.data())));
    case GgufType::kU32:
      return load_le<std::uint32_t>(raw.data());
    case GgufType::kI32:
      return as_unsigned(static_cast<std::int32_t>(load_le<std::uint32_t>(raw.data())));
    case GgufType::kU64:
      return load_le<std::uint64_t>(raw.data());
    case GgufType::kI64:
      return as_unsigned(static_cast<std::int64_t>(load_le<std::uint64_t>(raw.data())));
    default:
      return std::nullopt;
  }
}

std::optional<float> GgufValue::f32() const {
  if (is_array || type != GgufType::kF32) return std::nullopt;
  return std::bit_cast<float>(load_le<std::uint32_t>(raw.data()));
}

std::optional<bool> GgufValue::boolean() const {
  if (is_array || type != GgufType::kBool) return std::nullopt;
  return raw[0] == 1;
}

std::optional<std::string_view> GgufValue::string() const {
  if (is_array || type != GgufType::kString) return std::nullopt;
  return strings[0];
}

std::optional<std::vector<std::int32_t>> GgufValue::i32_array() const {
  if (!is_array || type != GgufType::kI32) return std::nullopt;
  std::vector<std::int32_t> out(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::int32_t>(load_le<std::uint32_t>(raw.data() + 4 * i));
  }
  return out;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

Result<GgufFile> GgufFile::parse(Bytes bytes) {
  Cursor cursor(bytes);
  AFTUNE_TRY(const Counts counts, read_header(cursor));
  GgufFile file;
  for (std::uint64_t i = 0; i < counts.keys; ++i) {
    AFTUNE_TRY(std::string key, cursor.name());
    AFTUNE_TRY(GgufValue value, read_value(cursor).in("key " + key));
    if (!file.metadata_.emplace(key, std::move(value)).second) {
      return invalid_input(fmt::format("key {} is there twice", key));
    }
  }
  std::vector<Description> descriptions;
  descriptions.reserve(counts.tensors);
  for (std::uint64_t i = 0; i < counts.tensors; ++i) {
    AFTUNE_TRY(Description description, read_description(cursor));
    descriptions.push_back(std::move(description));
  }
  AFTUNE_TRY(const std::uint64_t alignment, alignment_of(file));
  const std::uint64_t start = round_up(cursor.position(), alignment);
  const Bytes data = start <= bytes.size() ? bytes.subspan(start) : Bytes{};
  AFTUNE_TRY(place(descriptions, data, alignment));
  for (Description& d : descriptions) {
    if (!file.tensors_.emplace(d.name, std::move(d.tensor)).second) {
      return invalid_input(fmt::format("tensor {} is there twice", d.name));
    }
  }
  return file;
}

Result<GgufFile> GgufFile::open(const Path& path) {
  AFTUNE_TRY(MappedFile mapped, MappedFile::open(path));
  AFTUNE_TRY(GgufFile file, parse(mapped.bytes()).in(path.string()));
  file.file_.push_back(std::move(mapped));
  return file;
}

}  // namespace aftune::model
