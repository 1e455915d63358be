// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/adapter_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "aftune/base/log_line.h"
#include "aftune/model/new_model.h"
#include "aftune/model/peft_names.h"
#include "aftune/model/staged_folder.h"

namespace aftune::model {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;
// They describe where the adapter came from, or parts that must be switched on elsewhere.
constexpr std::string_view kIgnored[] = {
    "auto_mapping", "base_model_name_or_path", "inference_mode", "megatron_core",
    "peft_version", "qalora_group_size",       "revision",       "task_type"};
constexpr std::string_view kRead[] = {
    "bias", "init_lora_weights", "lora_alpha", "lora_dropout", "modules_to_save", "peft_type",
    "r",    "target_modules",    "use_rslora"};

Error unsupported(std::string what) { return {Code::kUnsupported, std::move(what)}; }

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

/// Null, false or empty: what the member stands for is not used.
bool is_off(const Json& value) {
  if (value.is_null()) return true;
  if (const bool* flag = value.boolean()) return !*flag;
  if (const auto* array = value.array()) return array->empty();
  const auto* object = value.object();
  return object != nullptr && object->empty();
}

Status check_members(const Json& config) {
  for (const auto& [name, value] : *config.object()) {
    if (contains(kIgnored, name) || contains(kRead, name) || is_off(value)) continue;
    std::string text = codec::pretty_json(value);
    text.pop_back();  // its newline
    return unsupported(
        fmt::format("{} is {}, which is not supported", printable(name), printable(text)));
  }
  const Json* type = config.find("peft_type");
  if (type == nullptr || *type != Json("LORA")) return unsupported("peft_type is not \"LORA\"");
  const Json* bias = config.find("bias");
  if (bias != nullptr && *bias != Json("none")) return unsupported("bias is not \"none\"");
  const Json* start = config.find("init_lora_weights");
  if (start != nullptr && start->boolean() == nullptr && *start != Json("gaussian")) {
    return unsupported("init_lora_weights is neither true, false nor \"gaussian\"");
  }
  return ok();
}

Result<double> number(const Json& config, const char* name) {
  const Json* value = config.find(name);
  if (value != nullptr && value->real() != nullptr) return *value->real();
  if (value != nullptr && value->integer() != nullptr) {
    return static_cast<double>(*value->integer());
  }
  return invalid_input(fmt::format("{} is missing or no number", name));
}

/// Ascending; absent and null are none.
Result<std::vector<std::string>> names(const Json& config, const char* name) {
  std::vector<std::string> out;
  const Json* value = config.find(name);
  if (value == nullptr || value->is_null()) return out;
  if (value->array() == nullptr) return unsupported(fmt::format("{} is no list of names", name));
  for (const Json& item : *value->array()) {
    if (item.string() == nullptr) return invalid_input(fmt::format("{} holds no name", name));
    out.push_back(*item.string() == "model.norm" ? "norm" : *item.string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<LoraSpec> parse_config(const Json& config, const LlamaConfig& base) {
  if (config.object() == nullptr) return invalid_input("no object");
  AFTUNE_TRY(check_members(config));
  LoraSpec out;
  AFTUNE_TRY(const double rank, number(config, "r"));
  if (!(rank >= 1 && rank < 0x1p31) || rank != std::floor(rank))
    return invalid_input("r is no rank");
  out.rank = static_cast<std::uint32_t>(rank);
  AFTUNE_TRY(out.alpha, number(config, "lora_alpha"));
  if (config.find("lora_dropout") != nullptr) {
    AFTUNE_TRY(out.dropout, number(config, "lora_dropout"));
  }
  if (const Json* rslora = config.find("use_rslora"); rslora != nullptr && !rslora->is_null()) {
    if (rslora->boolean() == nullptr) return invalid_input("use_rslora is neither true nor false");
    out.rslora = *rslora->boolean();
  }
  AFTUNE_TRY(out.target_modules, names(config, "target_modules"));
  AFTUNE_TRY(out.modules_to_save, names(config, "modules_to_save"));
  AFTUNE_TRY(check_lora(out, base));
  return out;
}

/// What PEFT writes of the base where the head has an adapter.
bool copied_by_peft(std::string_view name) {
  return name.ends_with(".base_layer.weight") || name.ends_with(".embed_tokens.weight");
}
constexpr const char* kCopyOfBase =
    ", a copy of the base's: PEFT's save_pretrained leaves it out with save_embedding_layers=False";

/// An integer where the value is one, as people write it.
Json plain_number(double value) {
  const bool whole = value < 0x1p53 && value == std::floor(value);
  return whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

/// w + scaling B A, in fp64, from row `first` of w on.
void add_product(const Tensor& a, const Tensor& b, float scaling, std::size_t first, Tensor& w) {
  const std::size_t rank = a.shape()[0], width = a.shape()[1];
  std::vector<double> sums(width);
  for (std::size_t n = 0; n < b.shape()[0]; ++n) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t j = 0; j < rank; ++j) {
      const double factor = b.data()[n * rank + j];
      const float* row = a.data() + j * width;
      for (std::size_t k = 0; k < width; ++k) sums[k] += factor * static_cast<double>(row[k]);
    }
    float* out = w.data() + (first + n) * width;
    for (std::size_t k = 0; k < width; ++k) {
      out[k] =
          static_cast<float>(static_cast<double>(out[k]) + static_cast<double>(scaling) * sums[k]);
    }
  }
}

}  // namespace

std::string adapter_config(const LoraSpec& lora, const LlamaConfig& base) {
  Json::Array targets, saved;
  for (const std::string& name : lora.target_modules) targets.emplace_back(name);
  for (const std::string& name : lora.modules_to_save) {
    saved.emplace_back(name == "norm" ? "model.norm" : name);
  }
  Json::Object out;
  out["base_model_name_or_path"] = Json();
  out["bias"] = "none";
  out["fan_in_fan_out"] = false;
  out["inference_mode"] = true;
  out["init_lora_weights"] = true;
  out["layers_pattern"] = Json();
  out["layers_to_transform"] = Json();
  out["lora_alpha"] = plain_number(lora.alpha);
  out["lora_dropout"] = plain_number(lora.dropout);
  out["modules_to_save"] = saved.empty() ? Json() : Json(std::move(saved));
  out["peft_type"] = "LORA";
  out["r"] = lora.rank;
  out["revision"] = Json();
  out["target_modules"] = std::move(targets);
  out["task_type"] = Json();
  if (!base.vision) out["task_type"] = "CAUSAL_LM";
  out["use_dora"] = false;
  out["use_rslora"] = lora.rslora;
  return codec::pretty_json(out);
}

Result<AdapterFolder> open_adapter_folder(const Path& folder, const LlamaConfig& config) {
  const Path config_path = folder / kAdapterConfig;
  AFTUNE_TRY(const std::string text, read_text_file(config_path, kMaxConfigBytes));
  AFTUNE_TRY(const Json json, codec::parse_json(text, {}).in(config_path.string()));
  AdapterFolder out;
  AFTUNE_TRY(out.lora, parse_config(json, config).in(config_path.string()));
  const Path weights_path = folder / kAdapterWeights;
  AFTUNE_TRY(const SafetensorsFile file, SafetensorsFile::open(weights_path));
  const std::vector<TensorSpec> specs = trained_specs(config, out.lora);
  for (const auto& [name, view] : file.tensors()) {
    const bool known = std::any_of(specs.begin(), specs.end(), [&wanted = name](const auto& spec) {
      return spec.name == wanted;
    });
    if (!known) {
      return invalid_input(fmt::format("{}: unexpected tensor {}{}", weights_path.string(),
                                       printable(name), copied_by_peft(name) ? kCopyOfBase : ""));
    }
    AFTUNE_TRY(Tensor tensor, to_f32(view).in(weights_path.string() + ": tensor " + name));
    out.tensors.emplace(name, std::move(tensor));
  }
  AFTUNE_TRY(check_parameters(out.tensors, specs).in(weights_path.string()));
  return out;
}

Status write_adapter_folder(const Path& folder, const LoraSpec& lora, const LlamaConfig& base,
                            const TensorMap& tensors) {
  AFTUNE_TRY(StagedFolder staged, StagedFolder::create(folder));
  AFTUNE_TRY(staged.write_tensors(kAdapterWeights, named_tensors(tensors)));
  AFTUNE_TRY(staged.write(kAdapterConfig, as_bytes(adapter_config(lora, base))));
  return std::move(staged).commit();
}

void merge_into(TensorMap& base, const AdapterFolder& adapter) {
  const float scaling = lora_scaling(adapter.lora);
  for (auto& [name, tensor] : base) {
    const auto saved = adapter.tensors.find(saved_name(name));
    if (saved != adapter.tensors.end()) tensor = saved->second.clone();
    if (!name.ends_with(".weight")) continue;
    for (const PeftModule& module : peft_modules(name, tensor.shape()[0])) {
      const auto a = adapter.tensors.find(lora_a_name(module.weight));
      if (a == adapter.tensors.end()) continue;
      const Tensor& b = adapter.tensors.find(lora_b_name(module.weight))->second;
      add_product(a->second, b, scaling, module.first_row, tensor);
    }
  }
}

Result<TensorMap> merge_adapter(const ModelFolder& base, const AdapterFolder& adapter) {
  AFTUNE_TRY(TensorMap merged, load_parameters(base, parameter_specs(base.config)));
  merge_into(merged, adapter);
  for (const auto& [name, tensor] : merged) AFTUNE_TRY(check_finite(name, tensor).in("merged"));
  return merged;
}

}  // namespace aftune::model
