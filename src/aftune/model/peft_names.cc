// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/peft_names.h"

#include <algorithm>
#include <array>
#include <span>

namespace aftune::model {
namespace {

struct Pair {
  std::string_view file, peft;
};

constexpr std::array<Pair, 6> kVit{{{"attention.attention.query", "attention.q_proj"},
                                    {"attention.attention.key", "attention.k_proj"},
                                    {"attention.attention.value", "attention.v_proj"},
                                    {"attention.output.dense", "attention.o_proj"},
                                    {"intermediate.dense", "mlp.fc1"},
                                    {"output.dense", "mlp.fc2"}}};
constexpr std::array<Pair, 5> kDinov2{{{"attention.attention.query", "attention.q_proj"},
                                       {"attention.attention.key", "attention.k_proj"},
                                       {"attention.attention.value", "attention.v_proj"},
                                       {"attention.output.dense", "attention.o_proj"},
                                       {"mlp.weights_out", "mlp.down_proj"}}};

struct Layers {
  Pair prefix;
  std::span<const Pair> modules;
};
const Layers kLayers[] = {{{"vit.encoder.layer.", "vit.layers."}, kVit},
                          {{"dinov2.encoder.layer.", "dinov2.encoder.layer."}, kDinov2}};

constexpr std::string_view kGated = "mlp.weights_in.weight";

/// PREFIX N . MODULE . MEMBER with prefix and module as the other side calls them.
std::string renamed(std::string_view name, std::string_view Pair::*from,
                    std::string_view Pair::*to) {
  for (const Layers& layers : kLayers) {
    if (!name.starts_with(layers.prefix.*from)) continue;
    const std::string_view rest = name.substr((layers.prefix.*from).size());
    const std::size_t dot = rest.find('.'), last = rest.rfind('.');
    if (dot == last) break;
    const std::string_view module = rest.substr(dot + 1, last - dot - 1);
    const auto found = std::find_if(layers.modules.begin(), layers.modules.end(),
                                    [&](const Pair& pair) { return pair.*from == module; });
    return std::string(layers.prefix.*to)
        .append(rest.substr(0, dot + 1))
        .append(found == layers.modules.end() ? module : (*found).*to)
        .append(rest.substr(last));
  }
  return std::string(name);
}

}  // namespace

std::string in_peft(std::string_view parameter) {
  return renamed(parameter, &Pair::file, &Pair::peft);
}

std::string from_peft(std::string_view name) { return renamed(name, &Pair::peft, &Pair::file); }

std::vector<PeftModule> peft_modules(std::string_view weight, std::size_t rows) {
  if (!weight.ends_with(kGated)) return {{in_peft(weight)}};
  const std::string stem(weight.substr(0, weight.size() - kGated.size()));
  return {{stem + "mlp.gate_proj.weight", true, 0}, {stem + "mlp.up_proj.weight", true, rows / 2}};
}

}  // namespace aftune::model
