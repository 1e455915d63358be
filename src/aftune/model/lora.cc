// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/lora.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "aftune/base/check.h"
#include "aftune/base/log_line.h"
#include "aftune/model/layer_names.h"
#include "aftune/model/peft_names.h"
#include "aftune/numerics/philox.h"

namespace aftune::model {
namespace {

constexpr std::uint32_t kMaxRank = 4096;
constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kLoraA = ".lora_A.weight";
constexpr std::string_view kLoraB = ".lora_B.weight";
// Of a layer, in the order of their places.
constexpr std::string_view kGated[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                       "gate_proj", "up_proj", "down_proj"};
constexpr std::string_view kPlain[] = {"q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"};
// PEFT's module has others inside, or there is none of this name.
constexpr std::string_view kNotOne[] = {"embeddings", "weights_in"};
// The head's, which is of no layer: above all of theirs.
constexpr std::uint32_t kHeadPlace = std::numeric_limits<std::uint32_t>::max();

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  return name.substr(0, name.size() - suffix.size());
}

/// "q_proj" of "model.layers.0.self_attn.q_proj.weight", as PEFT names it.
std::string_view module_of(std::string_view name) {
  const std::string_view path = name.substr(0, name.rfind('.'));
  return path.substr(path.rfind('.') + 1);
}

bool is_saved(const LoraSpec& lora, const TensorSpec& base) {
  return std::binary_search(lora.modules_to_save.begin(), lora.modules_to_save.end(),
                            module_of(in_peft(base.name)), std::less<>());
}

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::binary_search(list.begin(), list.end(), name, std::less<>());
}

Status check_ascending(const char* member, const std::vector<std::string>& names) {
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (names[i - 1] < names[i]) continue;
    return invalid_input(fmt::format("{}: \"{}\" after \"{}\" is not ascending", member,
                                     printable(names[i]), printable(names[i - 1])));
  }
  return ok();
}

/// A tied head has no weight of its own: its adapter could not be merged without changing what the
/// embedding reads.
Status check_head_target(const LoraSpec& lora, const LlamaConfig& config) {
  if (config.tied_embeddings) {
    return Error{Code::kUnsupported,
                 fmt::format("target_modules: {} of a model with tied embeddings", kHeadModule)};
  }
  if (lora.target_modules.size() > 1) return ok();
  return Error{Code::kUnsupported,
               fmt::format("target_modules: {} alone, needs at least one of {} beside it",
                           kHeadModule, fmt::join(linear_modules(config), ", "))};
}

Status check_targets(const LoraSpec& lora, const LlamaConfig& config) {
  if (lora.target_modules.empty()) return invalid_input("target_modules is empty");
  AFTUNE_TRY(check_ascending("target_modules", lora.target_modules));
  std::vector<std::string> known = linear_modules(config);
  if (!config.vision) known.emplace_back(kHeadModule);
  for (const std::string& name : lora.target_modules) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return Error{Code::kUnsupported, fmt::format("target_modules: \"{}\" is none of {}",
                                                 printable(name), fmt::join(known, ", "))};
  }
  return contains(lora.target_modules, kHeadModule) ? check_head_target(lora, config) : ok();
}

Status check_saved(const LoraSpec& lora, const LlamaConfig& config) {
  AFTUNE_TRY(check_ascending("modules_to_save", lora.modules_to_save));
  const std::vector<TensorSpec> specs = parameter_specs(config);
  for (const std::string& name : lora.modules_to_save) {
    if (config.tied_embeddings && (name == "embed_tokens" || name == "lm_head")) {
      return Error{Code::kUnsupported,
                   fmt::format("modules_to_save: {} of a model with tied embeddings", name)};
    }
    if (config.vision &&
        std::find(std::begin(kNotOne), std::end(kNotOne), name) != std::end(kNotOne)) {
      return Error{Code::kUnsupported,
                   fmt::format("modules_to_save: {}, which is more than one module", name)};
    }
    if (contains(lora.target_modules, name)) {
      return invalid_input(fmt::format("modules_to_save: {} is a target, too", name));
    }
    const bool known = std::any_of(specs.begin(), specs.end(), [&](const TensorSpec& spec) {
      return module_of(in_peft(spec.name)) == name;
    });
    if (!known) {
      return invalid_input(
          fmt::format("modules_to_save: the model has no module \"{}\"", printable(name)));
    }
  }
  return ok();
}

}  // namespace

std::vector<std::string> linear_modules(const LlamaConfig& config) {
  const bool gated = !config.vision || config.vision->swiglu;
  const auto names = gated ? std::span<const std::string_view>(kGated) : std::span(kPlain);
  std::vector<std::string> out(names.begin(), names.end());
  std::sort(out.begin(), out.end());
  return out;
}

Status check_lora(const LoraSpec& lora, const LlamaConfig& config) {
  if (lora.rank < 1 || lora.rank > kMaxRank) {
    return invalid_input(fmt::format("rank {} is outside 1 to {}", lora.rank, kMaxRank));
  }
  if (!std::isfinite(lora.alpha) || !(lora.alpha > 0)) {
    return invalid_input(fmt::format("alpha {} is not above 0", lora.alpha));
  }
  if (!std::isnormal(lora_scaling(lora))) {
    return invalid_input(fmt::format("alpha {} gives no scaling in fp32", lora.alpha));
  }
  if (!(lora.dropout >= 0 && lora.dropout < 1) || std::signbit(lora.dropout)) {
    return invalid_input(fmt::format("dropout {} is outside [0, 1)", lora.dropout));
  }
  AFTUNE_TRY(check_targets(lora, config));
  return check_saved(lora, config);
}

float lora_scaling(const LoraSpec& lora) {
  const auto rank = static_cast<double>(lora.rank);
  return static_cast<float>(lora.alpha / (lora.rslora ? std::sqrt(rank) : rank));
}

std::string lora_a_name(std::string_view weight) {
  return fmt::format("{}{}{}", kPeftPrefix, without_suffix(weight, kWeight), kLoraA);
}

std::string lora_b_name(std::string_view weight) {
  return fmt::format("{}{}{}", kPeftPrefix, without_suffix(weight, kWeight), kLoraB);
}

std::string saved_name(std::string_view parameter) {
  return std::string(kPeftPrefix) + in_peft(parameter);
}

std::uint32_t lora_place(std::string_view weight) {
  const std::string_view module = module_of(weight);
  if (module == kHeadModule) return kHeadPlace;
  const std::optional<std::uint32_t> layer = layer_of(weight);
  AFTUNE_CHECK(layer.has_value(), weight);
  const auto index_in = [module](std::span<const std::string_view> names) {
    return std::find(names.begin(), names.end(), module) - names.begin();
  };
  const auto plain = index_in(kPlain);
  const auto index = plain < std::ssize(kPlain) ? plain : index_in(kGated);
  AFTUNE_CHECK(index < std::ssize(kGated), weight);
  return static_cast<std::uint32_t>(std::size(kGated)) * *layer + static_cast<std::uint32_t>(index);
}

std::vector<TensorSpec> trained_specs(const LlamaConfig& config,
                                      const std::optional<LoraSpec>& lora) {
  std::vector<TensorSpec> specs = parameter_specs(config);
  if (!lora) return specs;
  std::vector<TensorSpec> out;
  for (const TensorSpec& spec : specs) {
    if (is_saved(*lora, spec)) out.push_back({saved_name(spec.name), spec.dtype, spec.shape});
    if (spec.shape.size() != 2 || !spec.name.ends_with(kWeight)) continue;
    for (const PeftModule& module : peft_modules(spec.name, spec.shape[0])) {
      if (!contains(lora->target_modules, module_of(module.weight))) continue;
      const std::uint64_t rows = module.half ? spec.shape[0] / 2 : spec.shape[0];
      out.push_back({lora_a_name(module.weight), spec.dtype, {lora->rank, spec.shape[1]}});
      out.push_back({lora_b_name(module.weight), spec.dtype, {rows, lora->rank}});
    }
  }
  std::sort(out.begin(), out.end(),
            [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; });
  return out;
}

std::vector<TensorSpec> frozen_specs(const LlamaConfig& config,
                                     const std::optional<LoraSpec>& lora) {
  if (!lora) return {};
  std::vector<TensorSpec> specs = parameter_specs(config);
  std::erase_if(specs, [&](const TensorSpec& spec) { return is_saved(*lora, spec); });
  return specs;
}

std::string base_name(std::string_view trained) {
  if (!trained.starts_with(kPeftPrefix)) return std::string(trained);
  if (trained.ends_with(kLoraA) || trained.ends_with(kLoraB)) return {};
  return from_peft(trained.substr(kPeftPrefix.size()));
}

Tensor first_adapter(const TensorSpec& spec, const PhiloxKey& key) {
  Tensor tensor(spec.dtype, spec.shape);
  if (spec.name.ends_with(kLoraB)) return tensor;
  AFTUNE_CHECK(spec.name.ends_with(kLoraA) && spec.shape.size() == 2, spec.name);
  const std::string_view name = std::string_view(spec.name).substr(kPeftPrefix.size());
  const std::uint32_t place =
      lora_place(std::string(without_suffix(name, kLoraA)) + std::string(kWeight));
  const double bound = 1 / std::sqrt(static_cast<double>(spec.shape[1]));
  const auto values = tensor.f32();
  std::array<std::uint32_t, 4> words{};
  for (std::uint64_t i = 0; i < values.size(); ++i) {
    if (i % 4 == 0) {
      words = numerics::philox4x32(
          {static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>((i / 4) >> 32), place, 0},
          key);
    }
    const std::int64_t odd = 2 * std::int64_t{words[i % 4] >> 8} + 1 - (std::int64_t{1} << 24);
    values[i] = static_cast<float>(static_cast<double>(odd) * 0x1p-24 * bound);
  }
  return tensor;
}

}  // namespace aftune::model
