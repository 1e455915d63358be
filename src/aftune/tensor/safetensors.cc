// SPDX-License-Identifier: Apache-2.0
#include "aftune/tensor/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"

namespace aftune {
namespace {

using codec::Json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxNameBytes = 512;
constexpr std::size_t kMaxRank = 8;
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 46;
constexpr std::string_view kMetadata = "__metadata__";

template <typename... Args>
Error invalid(fmt::format_string<Args...> text, Args&&... args) {
  return {Code::kInvalidInput, fmt::format(text, std::forward<Args>(args)...)};
}

bool is_tensor_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name != kMetadata &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

/// A tensor as the header has it.
struct Entry {
  std::string name;
  Dtype dtype = Dtype::kF32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

Result<std::string_view> header_of(Bytes file) {
  if (file.size() < kLengthBytes) return invalid("file has {} bytes, under 8", file.size());
  const auto length = load_le<std::uint64_t>(file.data());
  if (length > kMaxHeaderBytes) {
    return invalid("header of {} bytes, the limit is {}", length, kMaxHeaderBytes);
  }
  if (length > file.size() - kLengthBytes) {
    return invalid("header of {} bytes, file has {} after the length", length,
                   file.size() - kLengthBytes);
  }
  const std::string_view padded = as_text(file.subspan(kLengthBytes, length));
  const std::string_view text = padded.substr(0, padded.find_last_not_of(' ') + 1);
  if (text.empty() || text.front() != '{' || text.back() != '}') {
    return invalid("header is not an object followed by spaces");
  }
  return text;
}

Result<std::vector<std::uint64_t>> integers_of(const Json::Array& values, std::string_view what) {
  std::vector<std::uint64_t> out;
  for (const Json& value : values) {
    const std::int64_t* integer = value.integer();
    if (integer == nullptr || *integer < 0 || *integer > kMaxExtent) {
      return invalid("{}[{}]: not an integer from 0 to {}", what, out.size(), kMaxExtent);
    }
    out.push_back(static_cast<std::uint64_t>(*integer));
  }
  return out;
}

Result<Entry> read_entry(const std::string& name, const Json& value, std::uint64_t data_size) {
  if (!is_tensor_name(name)) {
    return invalid("tensor name of {} bytes, must be 1 to {} of printable ASCII", name.size(),
                   kMaxNameBytes);
  }
  const std::string path = fmt::format("tensor {}", name);
  AFTUNE_TRY(auto reader, codec::JsonReader::open(value, path));
  AFTUNE_TRY(const std::string dtype_text, reader.string("dtype"));
  AFTUNE_TRY(const Json::Array* shape_json, reader.array("shape"));
  AFTUNE_TRY(const Json::Array* range_json, reader.array("data_offsets"));
  AFTUNE_TRY(reader.finish());
  if (shape_json->size() > kMaxRank) {
    return invalid("{}: {} extents, the limit is {}", path, shape_json->size(), kMaxRank);
  }
  if (range_json->size() != 2) {
    return invalid("{}: {} data_offsets, must be 2", path, range_json->size());
  }
  AFTUNE_TRY(Shape shape, integers_of(*shape_json, path + ".shape"));
  AFTUNE_TRY(const auto range, integers_of(*range_json, path + ".data_offsets"));
  const auto dtype = dtype_of(dtype_text);
  if (!dtype) {
    return Error{Code::kUnsupported, fmt::format("{}: dtype {}", path, dtype_text)};
  }
  const auto count = element_count(shape);
  if (!count) return invalid("{}: shape {} is over 2^43 elements", path, to_string(shape));
  if (range[0] > range[1] || range[1] > data_size) {
    return invalid("{}: bytes {} to {}, data has {} bytes", path, range[0], range[1], data_size);
  }
  if (const std::uint64_t size = *count * element_size(*dtype); range[1] - range[0] != size) {
    return invalid("{}: {} bytes, {} {} needs {}", path, range[1] - range[0], dtype_text,
                   to_string(shape), size);
  }
  return Entry{name, *dtype, std::move(shape), range[0], range[1]};
}

Status check_coverage(std::vector<Entry>& entries, std::uint64_t data_size) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered) {
      return invalid("tensor {}: begins at byte {}, tensors before it end at {}", entry.name,
                     entry.begin, covered);
    }
    covered = entry.end;
  }
  if (covered != data_size) {
    return invalid("tensors end at byte {}, data has {} bytes", covered, data_size);
  }
  return ok();
}

Result<std::map<std::string, std::string, std::less<>>> read_metadata(const Json& value) {
  const Json::Object* object = value.object();
  if (object == nullptr) return invalid("{}: not an object", kMetadata);
  std::map<std::string, std::string, std::less<>> out;
  for (const auto& [name, member] : *object) {
    if (member.string() == nullptr) return invalid("{}.{}: not a string", kMetadata, name);
    out.emplace(name, *member.string());
  }
  return out;
}

bool is_aligned(Bytes bytes, std::size_t to) {
  return reinterpret_cast<std::uintptr_t>(bytes.data()) % to == 0;
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::open(const Path& path) {
  AFTUNE_TRY(MappedFile file, MappedFile::open(path));
  AFTUNE_TRY(SafetensorsFile out, parse(file.bytes()).in(path.string()));
  out.file_.push_back(std::move(file));
  return out;
}

Result<SafetensorsFile> SafetensorsFile::parse(Bytes bytes) {
  AFTUNE_TRY(const std::string_view text, header_of(bytes));
  const Bytes data = bytes.subspan(kLengthBytes + load_le<std::uint64_t>(bytes.data()));
  const codec::JsonLimits limits{.bytes = kMaxHeaderBytes, .depth = 4};
  AFTUNE_TRY(const Json header, codec::parse_json(text, limits).in("header"));
  AFTUNE_CHECK(header.object() != nullptr, "JSON between braces is an object");

  SafetensorsFile out;
  std::vector<Entry> entries;
  for (const auto& [name, value] : *header.object()) {
    if (name == kMetadata) {
      AFTUNE_TRY(out.metadata_, read_metadata(value));
    } else {
      AFTUNE_TRY(Entry entry, read_entry(name, value, data.size()));
      entries.push_back(std::move(entry));
    }
  }
  AFTUNE_TRY(check_coverage(entries, data.size()));
  for (Entry& entry : entries) {
    TensorView view{entry.dtype, std::move(entry.shape),
                    data.subspan(entry.begin, entry.end - entry.begin)};
    if (!is_aligned(view.bytes, element_size(view.dtype))) {
      out.copies_.push_back(Tensor::copy_of(view));
      view.bytes = out.copies_.back().bytes();
    }
    out.tensors_.emplace(std::move(entry.name), std::move(view));
  }
  return out;
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

namespace {

void sort_by_name(std::vector<NamedTensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
}

std::uint64_t size_of(const TensorView& tensor) {
  const auto count = element_count(tensor.shape);
  AFTUNE_CHECK(count.has_value() && tensor.shape.size() <= kMaxRank,
               "a shape that no safetensors file can hold");
  return *count * element_size(tensor.dtype);
}

}  // namespace

std::string safetensors_header(std::vector<NamedTensor> tensors) {
  sort_by_name(tensors);
  Json::Object header;
  header.emplace(kMetadata, Json::Object{{"format", "pt"}});
  std::uint64_t begin = 0;
  for (const auto& [name, tensor] : tensors) {
    AFTUNE_CHECK(is_tensor_name(name), "a tensor name outside the rules of safetensors.md");
    const std::uint64_t end = begin + size_of(tensor);
    Json::Array shape(tensor.shape.begin(), tensor.shape.end());
    const bool is_new = header
                            .emplace(name, Json::Object{{"data_offsets", Json::Array{begin, end}},
                                                        {"dtype", dtype_name(tensor.dtype)},
                                                        {"shape", std::move(shape)}})
                            .second;
    AFTUNE_CHECK(is_new, "two tensors of one name");
    begin = end;
  }
  std::string text = codec::canonical_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  return std::string(as_text(store_le(std::uint64_t{text.size()}))) + text;
}

Status write_safetensors(const Path& path, std::vector<NamedTensor> tensors) {
  sort_by_name(tensors);
  AFTUNE_TRY(StagedFile file, StagedFile::create(path));
  AFTUNE_TRY(file.append(as_bytes(safetensors_header(tensors))));
  for (const auto& [name, tensor] : tensors) {
    AFTUNE_CHECK(tensor.bytes.size() == size_of(tensor), "a view whose bytes disagree");
    AFTUNE_TRY(file.append(tensor.bytes));
  }
  return std::move(file).commit();
}

}  // namespace aftune
