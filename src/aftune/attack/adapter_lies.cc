// SPDX-License-Identifier: Apache-2.0
// Lies about a LoRA run: the weights that must stay, the adapters' start, scaling and places.
#include <memory>

#include "aftune/attack/gallery.h"

namespace aftune::attack {
namespace {

Lie about_adapters(std::string row, std::string name, std::function<Lies(const Ground&)> hooks) {
  return {std::move(row), std::move(name), [hooks](const Ground& ground) -> Result<Told> {
            AFTUNE_TRY(ground.retell(hooks(ground)));
            return Told{};
          }};
}

/// Once, before the first step that is told anew.
Lies before_first_step(const Ground& g, std::function<void(States&)> change) {
  Lies lies;
  lies.before_step = [first = g.first_step(), change](std::uint64_t step, States& states) {
    if (step == first) change(states);
  };
  return lies;
}

/// The first trained tensor of the state whose name ends so.
Tensor& adapter_of(train::BlockState& state, std::string_view suffix) {
  for (auto& [name, tensor] : state.parameters) {
    if (name.ends_with(suffix)) return tensor;
  }
  return state.parameters.begin()->second;
}

void change_frozen(train::BlockState& state) {
  auto frozen = std::make_shared<TensorMap>();
  for (const auto& [name, tensor] : *state.frozen) frozen->emplace(name, tensor.clone());
  for (auto& [name, tensor] : *frozen) {
    const bool values = name.ends_with("v_proj.weight") || name.ends_with(".value.weight");
    if (values) add_noise(tensor);
  }
  state.frozen = std::move(frozen);
}

/// A and B of the state's first target change places with those of its second.
void swap_adapters(train::BlockState& state) {
  std::vector<Tensor*> targets;
  for (auto& [name, tensor] : state.parameters) {
    if (name.ends_with(".lora_A.weight")) targets.push_back(&tensor);
  }
  for (std::size_t i = 1; i < targets.size(); ++i) {
    if (targets[i]->shape() != targets[0]->shape()) continue;
    std::swap(*targets[0], *targets[i]);
    return;
  }
  add_noise(*targets[0]);  // one target a block: another tensor all the same
}

}  // namespace

std::vector<Lie> adapter_lies() {
  return {
      about_adapters("T22", "frozen weights changed",
                     [](const Ground& g) {
                       return before_first_step(g, [block = g.middle_block()](States& states) {
                         change_frozen(states[block]);
                       });
                     }),
      about_adapters("T29", "adapters scaled otherwise than agreed",
                     [](const Ground&) {
                       Lies lies;
                       lies.model = [](model::Llama& llama) { llama.lora->alpha *= 2; };
                       return lies;
                     }),
      about_adapters("T15", "adapters of two layers exchanged",
                     [](const Ground& g) {
                       return before_first_step(g, [block = g.middle_block()](States& states) {
                         swap_adapters(states[block]);
                       });
                     }),
      about_adapters("T3", "an adapter replaced inside a step block",
                     [](const Ground& g) {
                       return before_first_step(g, [block = g.middle_block()](States& states) {
                         add_noise(adapter_of(states[block], ".lora_B.weight"));
                       });
                     }),
      {"T28", "first adapter not the agreed one",
       [](const Ground& g) -> Result<Told> {
         AFTUNE_TRY(g.relist(g.timeline().position_of_state(0, 0), [](auto& list) {
           codec::Json& first = list.at("tensors").array()->front();
           (*first.object())["digest"] = std::string(64, '0');
         }));
         return Told{};
       }},
  };
}

}  // namespace aftune::attack
