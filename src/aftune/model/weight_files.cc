// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/weight_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "aftune/codec/json.h"

namespace aftune::model {
namespace {

using codec::Json;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::string_view kSuffix = ".safetensors";
// 4,096 layers have fewer names, and 4,096 files of a gigabyte hold them.
constexpr codec::JsonLimits kIndexLimits = {
    .bytes = std::uint64_t{1} << 24, .depth = 8, .values = std::uint64_t{1} << 18};
constexpr std::size_t kMaxFiles = 4096;
constexpr std::size_t kMaxFileName = 255;

/// A name in the folder itself, so that no index leads to another place.
bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return name.size() > kSuffix.size() && name.size() <= kMaxFileName && name.ends_with(kSuffix) &&
         name.front() != '.' && std::ranges::all_of(name, plain);
}

/// Which file has which tensor.
using WeightMap = std::map<std::string, std::string, std::less<>>;

Result<WeightMap> read_index(const Path& path) {
  AFTUNE_TRY(const std::string text, read_text_file(path, kIndexLimits.bytes));
  AFTUNE_TRY(const Json json, codec::parse_json(text, kIndexLimits).in(path.string()));
  const Json* map = json.find("weight_map");
  if (map == nullptr || map->object() == nullptr || map->object()->empty()) {
    return invalid_input(
        fmt::format("{}: weight_map is missing or no object with members", path.string()));
  }
  WeightMap out;
  for (const auto& [tensor, file] : *map->object()) {
    if (file.string() == nullptr || !is_plain_name(*file.string())) {
      return invalid_input(
          fmt::format("{}: the file of tensor {} is no name of a .safetensors file "
                      "in the folder",
                      path.string(), tensor));
    }
    out.emplace(tensor, *file.string());
  }
  return out;
}

/// The tensors of a file are those that the index places there, no more and no fewer.
Status check_shard(const WeightMap& map, const std::string& name, const SafetensorsFile& file) {
  for (const auto& [tensor, view] : file.tensors()) {
    const auto place = map.find(tensor);
    if (place == map.end()) {
      return invalid_input(fmt::format("{}: tensor {} is not in the index", name, tensor));
    }
    if (place->second != name) {
      return invalid_input(fmt::format("tensor {} is in {}, the index places it in {}", tensor,
                                       name, place->second));
    }
  }
  for (const auto& [tensor, place] : map) {
    if (place == name && file.find(tensor) == nullptr) {
      return invalid_input(
          fmt::format("{}: tensor {} is missing, the index places it there", name, tensor));
    }
  }
  return ok();
}

}  // namespace

Status WeightFiles::add_indexed(const Path& folder) {
  AFTUNE_TRY(const WeightMap map, read_index(path_));
  std::set<std::string> names;
  for (const auto& [tensor, name] : map) names.insert(name);
  if (names.size() > kMaxFiles) {
    return invalid_input(
        fmt::format("{}: {} files, at most {}", path_.string(), names.size(), kMaxFiles));
  }
  for (const std::string& name : names) {
    AFTUNE_TRY(SafetensorsFile file, SafetensorsFile::open(folder / name));
    AFTUNE_TRY(check_shard(map, name, file).in(folder.string()));
    for (const auto& [tensor, view] : file.tensors()) tensors_.emplace(tensor, view);
    files_.push_back(std::move(file));
  }
  return ok();
}

Result<WeightFiles> WeightFiles::open(const Path& folder) {
  std::error_code ignored;
  const bool single = std::filesystem::exists(folder / kSingle, ignored);
  if (single || !std::filesystem::exists(folder / kIndex, ignored)) {
    WeightFiles out(folder / kSingle);
    AFTUNE_TRY(SafetensorsFile file, SafetensorsFile::open(out.path_));
    out.tensors_ = file.tensors();
    out.files_.push_back(std::move(file));
    return out;
  }
  WeightFiles out(folder / kIndex);
  AFTUNE_TRY(out.add_indexed(folder));
  return out;
}

const TensorView* WeightFiles::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace aftune::model
