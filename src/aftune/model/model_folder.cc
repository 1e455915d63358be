// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/model_folder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <system_error>

#include "aftune/model/new_model.h"
#include "aftune/model/staged_folder.h"
#include "aftune/tensor/narrow.h"

namespace aftune::model {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxCompanionBytes = std::uint64_t{1} << 28;
constexpr const char* kConfig = "config.json";

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
      return invalid_input(fmt::format("{}: tensor {} is missing", path.string(), spec.name));
    }
    if (tensor->dtype != spec.dtype || tensor->shape != spec.shape) {
      return invalid_input(fmt::format("{}: tensor {} is {} {}, expected {} {}", path.string(),
                                       spec.name, dtype_name(tensor->dtype),
                                       to_string(tensor->shape), dtype_name(spec.dtype),
                                       to_string(spec.shape)));
    }
  }
  for (const auto& [name, tensor] : file.tensors()) {
    const auto same_name = [&wanted = name](const TensorSpec& spec) { return spec.name == wanted; };
    if (std::none_of(specs.begin(), specs.end(), same_name)) {
      return invalid_input(fmt::format("{}: unexpected tensor {}", path.string(), name));
    }
  }
  return ok();
}

Result<const TensorView*> parameter_of(const ModelFolder& model, const std::string& name) {
  if (const TensorView* tensor = model.parameters.find(name)) return tensor;
  return Error{Code::kNotFound, fmt::format("{}: no tensor {}",
                                            (model.folder / "model.safetensors").string(), name)};
}

constexpr std::size_t kPart = std::size_t{1} << 18;  // elements that a thread takes at a time

/// Elements of a mapped tensor, and where they go as fp32.
struct Part {
  const TensorView* from;
  std::size_t begin;
  std::span<float> to;

  void load() const {
    const std::size_t size = element_size(from->dtype);
    const Bytes bytes = from->bytes.subspan(begin * size, to.size() * size);
    if (from->dtype == Dtype::kF32) {
      std::memcpy(to.data(), bytes.data(), bytes.size());
    } else {
      widen(from->dtype, bytes, to);
    }
  }
};

/// That of the first tensor: check_tensors() compares the others with it.
Dtype dtype_of_parameters(const SafetensorsFile& file, Width width) {
  if (width == Width::kF32 || file.tensors().empty()) return Dtype::kF32;
  const Dtype first = file.tensors().begin()->second.dtype;
  return is_narrow(first) ? first : Dtype::kF32;
}

}  // namespace

Result<ModelFolder> open_model_folder(const Path& folder, Width width) {
  AFTUNE_TRY(const LlamaConfig config, read_config(folder));
  AFTUNE_TRY(
      aftune::file_size(folder / (config.vision ? "preprocessor_config.json" : "tokenizer.json")));
  const Path parameters_path = folder / "model.safetensors";
  AFTUNE_TRY(SafetensorsFile parameters, SafetensorsFile::open(parameters_path));
  const Dtype dtype = dtype_of_parameters(parameters, width);
  AFTUNE_TRY(check_tensors(parameters_path, parameters, of_dtype(parameter_specs(config), dtype)));
  const Path tables_path = folder / "aftune.safetensors";
  AFTUNE_TRY(SafetensorsFile tables, SafetensorsFile::open(tables_path));
  AFTUNE_TRY(check_tensors(tables_path, tables, {table_spec(config)}));
  return ModelFolder{folder, config, dtype, std::move(parameters), std::move(tables)};
}

Result<TensorMap> borrow_parameters(const ModelFolder& model,
                                    const std::vector<TensorSpec>& specs) {
  TensorMap out;
  for (const TensorSpec& spec : specs) {
    AFTUNE_TRY(const TensorView* tensor, parameter_of(model, spec.name));
    // Matrices are read by products, which take any alignment; vectors are small.
    if (tensor->dtype == Dtype::kF32 && tensor->shape.size() > 1) {
      out.emplace(spec.name, Tensor::borrowed(*tensor));
    } else {
      AFTUNE_TRY(Tensor owned, to_f32(*tensor));
      out.emplace(spec.name, std::move(owned));
    }
  }
  return out;
}

Result<TensorMap> load_as_stored(const ModelFolder& model, const std::vector<TensorSpec>& specs) {
  TensorMap out;
  for (const TensorSpec& spec : specs) {
    AFTUNE_TRY(const TensorView* tensor, parameter_of(model, spec.name));
    out.emplace(spec.name, Tensor::copy_of(*tensor));
  }
  return out;
}

Status check_generates(const ModelFolder& model) {
  if (!model.config.vision) return ok();
  return Error{Code::kUnsupported,
               fmt::format("{} is a {}: it classifies images and generates no text",
                           model.folder.string(), traits_of(model.config.family).name)};
}

Result<TensorMap> load_parameters(const ModelFolder& model, const std::vector<TensorSpec>& specs,
                                  ThreadPool* pool) {
  TensorMap out;
  std::vector<Part> parts;
  for (const TensorSpec& spec : specs) {
    AFTUNE_TRY(const TensorView* tensor, parameter_of(model, spec.name));
    Tensor values = Tensor::unwritten(Dtype::kF32, tensor->shape);
    for (std::size_t begin = 0; begin < values.count(); begin += kPart) {
      const std::size_t count = std::min<std::size_t>(kPart, values.count() - begin);
      parts.push_back({tensor, begin, values.f32().subspan(begin, count)});
    }
    out.emplace(spec.name, std::move(values));
  }
  if (pool == nullptr) {
    for (const Part& part : parts) part.load();
  } else {
    pool->parallel_for(parts.size(), [&](std::size_t i) { parts[i].load(); });
  }
  return out;
}

std::vector<TensorSpec> of_dtype(std::vector<TensorSpec> specs, Dtype dtype) {
  for (TensorSpec& spec : specs) spec.dtype = dtype;
  return specs;
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
