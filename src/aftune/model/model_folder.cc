// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/model_folder.h"

#include <fmt/core.h>

#include <algorithm>
#include <system_error>

#include "aftune/model/new_model.h"
#include "aftune/model/staged_folder.h"

namespace aftune::model {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxCompanionBytes = std::uint64_t{1} << 28;
constexpr const char* kConfig = "config.json";

Error invalid(std::string what) { return {Code::kInvalidInput, std::move(what)}; }

Result<LlamaConfig> read_config(const Path& folder) {
  const Path path = folder / kConfig;
  AFTUNE_TRY(const std::string text, read_text_file(path, kMaxConfigBytes));
  AFTUNE_TRY(const codec::Json json, codec::parse_json(text, {}).in(path.string()));
  return parse_hf_config(json).in(folder.string());
}

/// The file holds exactly `specs`.
Status check_tensors(const Path& path, const SafetensorsFile& file,
                     const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs) {
    const TensorView* tensor = file.find(spec.name);
    if (tensor == nullptr) {
      return invalid(fmt::format("{}: tensor {} is missing", path.string(), spec.name));
    }
    if (tensor->dtype != spec.dtype || tensor->shape != spec.shape) {
      return invalid(fmt::format("{}: tensor {} is {} {}, expected {} {}", path.string(), spec.name,
                                 dtype_name(tensor->dtype), to_string(tensor->shape),
                                 dtype_name(spec.dtype), to_string(spec.shape)));
    }
  }
  for (const auto& [name, tensor] : file.tensors()) {
    const auto same_name = [&wanted = name](const TensorSpec& spec) { return spec.name == wanted; };
    if (std::none_of(specs.begin(), specs.end(), same_name)) {
      return invalid(fmt::format("{}: unexpected tensor {}", path.string(), name));
    }
  }
  return ok();
}

}  // namespace

Result<ModelFolder> open_model_folder(const Path& folder) {
  AFTUNE_TRY(const LlamaConfig config, read_config(folder));
  AFTUNE_TRY(
      aftune::file_size(folder / (config.vision ? "preprocessor_config.json" : "tokenizer.json")));
  const Path parameters_path = folder / "model.safetensors";
  AFTUNE_TRY(SafetensorsFile parameters, SafetensorsFile::open(parameters_path));
  AFTUNE_TRY(check_tensors(parameters_path, parameters, parameter_specs(config)));
  const Path tables_path = folder / "aftune.safetensors";
  AFTUNE_TRY(SafetensorsFile tables, SafetensorsFile::open(tables_path));
  AFTUNE_TRY(check_tensors(tables_path, tables, {table_spec(config)}));
  return ModelFolder{folder, config, std::move(parameters), std::move(tables)};
}

Status check_generates(const ModelFolder& model) {
  if (!model.config.vision) return ok();
  return Error{Code::kUnsupported,
               fmt::format("{} is a {}: it classifies images and generates no text",
                           model.folder.string(), traits_of(model.config.family).name)};
}

Result<TensorMap> load_parameters(const ModelFolder& model, const std::vector<TensorSpec>& specs) {
  TensorMap out;
  for (const TensorSpec& spec : specs) {
    const TensorView* tensor = model.parameters.find(spec.name);
    if (tensor == nullptr) {
      return Error{Code::kNotFound,
                   fmt::format("{}: no tensor {}", (model.folder / "model.safetensors").string(),
                               spec.name)};
    }
    out.emplace(spec.name, Tensor::copy_of(*tensor));
  }
  return out;
}

const std::vector<std::string>& companion_files() {
  static const std::vector<std::string> names = {
      "aftune.safetensors",      "config.json",
      "generation_config.json",  "preprocessor_config.json",
      "special_tokens_map.json", "tokenizer.json",
      "tokenizer_config.json"};
  return names;
}

std::vector<std::string> companions_of(const Path& folder) {
  std::vector<std::string> out;
  for (const std::string& name : companion_files()) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(folder / name, ignored)) out.push_back(name);
  }
  return out;
}

Status write_model_folder(const Path& folder, const Path& base, const TensorMap& parameters) {
  AFTUNE_TRY(const LlamaConfig config, read_config(base));
  AFTUNE_TRY(check_parameters(parameters, parameter_specs(config)).in(folder.string()));
  AFTUNE_TRY(StagedFolder staged, StagedFolder::create(folder));
  const auto copy = [&](const std::string& name) -> Status {
    AFTUNE_TRY(const ByteBuffer bytes, read_file(base / name, kMaxCompanionBytes));
    return staged.write(name, bytes);
  };
  for (const std::string& name : companions_of(base)) {
    if (name != kConfig) AFTUNE_TRY(copy(name));
  }
  AFTUNE_TRY(staged.write_tensors("model.safetensors", named_tensors(parameters)));
  // Last: a folder with a config.json is whole.
  AFTUNE_TRY(copy(kConfig));
  return std::move(staged).commit();
}

}  // namespace aftune::model
