// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "aftune/model/import.h"
#include "aftune/model/new_model.h"
#include "aftune/numerics/philox.h"

namespace aftune::model {
namespace {

constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{1} << 28;
constexpr double kScale = 0x1.1bc779ef0d4e8p-29;  // 0.02 sqrt(3) / 2^24

std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }

void fill(std::span<float> values, std::uint32_t tensor_index, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < values.size(); ++i) {
    const auto words =
        numerics::philox4x32({low(i), high(i), tensor_index, 0}, {low(seed), high(seed)});
    std::int64_t sum = -((std::int64_t{1} << 25) - 2);
    for (const std::uint32_t word : words) sum += word >> 8;
    values[i] = static_cast<float>(static_cast<double>(sum) * kScale);
  }
}

}  // namespace

Status make_random_model(const LlamaConfig& config, std::uint64_t seed, const Path& companion,
                         const Path& folder) {
  AFTUNE_TRY(check_config(config));
  NewModel model;
  model.config = config;
  AFTUNE_TRY(const std::string text, read_text_file(companion, kMaxTokenizerBytes));
  if (config.vision) {
    AFTUNE_TRY(const codec::Json json, codec::parse_json(text, {}).in(companion.string()));
    AFTUNE_TRY(model.normalization, normalization_of(json, config).in(companion.string()));
  }
  model.files[config.vision ? "preprocessor_config.json" : "tokenizer.json"] = text;
  std::uint32_t index = 0;
  for (const TensorSpec& spec : parameter_specs(config)) {
    Tensor tensor(spec.dtype, spec.shape);
    if (spec.shape.size() == 1 &&
        (spec.name.ends_with(".weight") || spec.name.ends_with(".lambda1"))) {
      std::fill(tensor.f32().begin(), tensor.f32().end(), 1.0F);
    } else {
      fill(tensor.f32(), index, seed);
    }
    model.parameters.emplace(spec.name, std::move(tensor));
    ++index;
  }
  return write_new_model(model, folder);
}

}  // namespace aftune::model
