// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "aftune/attack/gallery.h"
#include "aftune/model/import.h"
#include "aftune/model/model_folder.h"
#include "aftune/numerics/loss.h"

namespace aftune::attack {
namespace {

using train::EdgeId;
using train::EdgeKind;

constexpr const char* kNoEdge = "one segment: nothing is handed over";

/// A lie that is told by these hooks alone.
Lie computed(std::string row, std::string name, std::function<Lies(const Ground&)> hooks) {
  return {std::move(row), std::move(name), [hooks](const Ground& ground) -> Result<Told> {
            AFTUNE_TRY(ground.retell(hooks(ground)));
            return Told{};
          }};
}

/// One that only a run on text can tell.
Lie of_text(Lie lie) {
  lie.about_text = true;
  return lie;
}

/// The same for lies about an edge.
Lie about_edge(std::string row, std::string name, std::function<Lies(const Ground&)> hooks) {
  return {std::move(row), std::move(name), [hooks](const Ground& ground) -> Result<Told> {
            if (ground.middle_edge() == 0) return Told{kNoEdge, {}, false, 0};
            AFTUNE_TRY(ground.retell(hooks(ground)));
            return Told{};
          }};
}

std::function<void(const EdgeId&, Tensor&)> on_edge(std::uint32_t edge, EdgeKind kind,
                                                    std::function<void(Tensor&)> change) {
  return [=](const EdgeId& id, Tensor& tensor) {
    if (id.edge == edge && id.kind == kind) change(tensor);
  };
}

std::vector<Lie> edge_lies() {
  return {
      about_edge("T1", "noise on an activation, every step",
                 [](const Ground& g) {
                   Lies lies;
                   lies.edge = on_edge(g.middle_edge(), EdgeKind::kActivation, add_noise);
                   return lies;
                 }),
      about_edge("T1", "one activation shown, another handed on",
                 [](const Ground& g) {
                   Lies lies;
                   lies.shown_edge = on_edge(g.middle_edge(), EdgeKind::kActivation, add_noise);
                   return lies;
                 }),
      about_edge("T2", "gradient times -10",
                 [](const Ground& g) {
                   Lies lies;
                   lies.edge = on_edge(g.middle_edge(), EdgeKind::kGradient, [](Tensor& tensor) {
                     for (float& value : tensor.f32()) value *= -10;
                   });
                   return lies;
                 }),
      about_edge("T26", "layers skipped, input copied",
                 [](const Ground& g) {
                   const std::uint32_t last =
                       static_cast<std::uint32_t>(g.contract().partition().segments.size()) - 1;
                   Lies lies;
                   if (last > 1) lies.skipped = {std::min(g.middle_edge(), last - 1)};
                   if (last <= 1) {  // only the embedding's segment hands something on
                     lies.edge = on_edge(1, EdgeKind::kActivation, [](Tensor& t) { t.clear(); });
                   }
                   return lies;
                 }),
      about_edge(
          "T35", "one micro-batch forged, last step",
          [](const Ground& g) {
            const auto micro = static_cast<std::uint32_t>(g.contract().micro_batch_count() - 1);
            const EdgeId at{g.contract().steps - 1, micro, g.middle_edge(), EdgeKind::kActivation};
            Lies lies;
            lies.edge = [at](const EdgeId& id, Tensor& tensor) {
              if (id == at) add_noise(tensor);
            };
            return lies;
          }),
  };
}

void reset(TensorMap& map) {
  for (auto& [name, tensor] : map) tensor.clear();
}

std::vector<Lie> state_lies() {
  return {
      computed("T3", "weights replaced inside a step block",
               [](const Ground& g) {
                 const std::uint64_t step =
                     std::min(g.first_step() + 1, g.timeline().last_step(g.from) - 1);
                 Lies lies;
                 lies.before_step = [step, block = g.middle_block()](auto now, States& states) {
                   if (now == step) add_noise(states[block].parameters.begin()->second);
                 };
                 return lies;
               }),
      computed("T3", "weights replaced after a step block",
               [](const Ground& g) {
                 const std::uint64_t step = g.timeline().last_step(g.from) - 1;
                 Lies lies;
                 lies.after_step = [step, block = g.middle_block()](auto now, States& states) {
                   if (now == step) states[block].parameters.begin()->second.f32()[0] += 0x1p-10F;
                 };
                 return lies;
               }),
      {"T12", "optimizer state reset between step blocks",
       [](const Ground& g) -> Result<Told> {
         const train::OptimizerSpec& spec = g.contract().training.optimizer;
         if (spec.kind == train::OptimizerKind::kSgd && spec.momentum == 0) {
           return Told{"plain SGD has no optimizer state", {}, false, 0};
         }
         Lies lies;
         lies.after_step = [step = g.timeline().last_step(g.from) - 1, block = g.middle_block()](
                               auto now, States& states) {
           if (now == step) reset(states[block].first);
         };
         AFTUNE_TRY(g.retell(lies));
         return Told{};
       }},
  };
}

/// Beside adapters that stay as they are.
void swap_frozen(train::BlockState& state, const model::ModelFolder& other) {
  auto frozen = std::make_shared<TensorMap>();
  for (const auto& [name, tensor] : *state.frozen) {
    frozen->emplace(name, Tensor::copy_of(*other.parameters.find(name)));
  }
  state.frozen = std::move(frozen);
}

/// Another model of the same shapes, made beside the copy.
Result<Told> swap_model(const Ground& g) {
  const Path folder = g.run.root / "another-model";
  AFTUNE_TRY(model::make_random_model(g.contract().architecture, 4711,
                                      g.run.base() / g.input_companion(), folder));
  AFTUNE_TRY(const model::ModelFolder other, model::open_model_folder(folder));
  Lies lies;
  lies.before_step = [&other, first = g.first_step()](auto step, States& states) {
    if (step != first) return;
    for (train::BlockState& state : states) {
      if (state.frozen != nullptr) {
        swap_frozen(state, other);
        continue;
      }
      for (auto& [name, tensor] : state.parameters) {
        tensor = Tensor::copy_of(*other.parameters.find(name));
      }
    }
  };
  AFTUNE_TRY(g.retell(lies));
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return Told{};
}

std::vector<Lie> rule_lies() {
  const auto optimizer = [](const Ground&) {
    Lies lies;
    lies.update = [](std::uint64_t, train::TrainSpec& spec) {
      spec.optimizer.beta2 = 0.5 * spec.optimizer.beta2;
      spec.optimizer.momentum = 0.5 * spec.optimizer.momentum;  // 0 stays: there is no buffer
      spec.optimizer.weight_decay += 0.01;
    };
    return lies;
  };
  return {
      {"T9", "another model swapped in", swap_model},
      computed("T6", "under-training: every second step skipped",
               [](const Ground& g) {
                 Lies lies;
                 lies.update = [last = g.contract().steps - 1](auto step, train::TrainSpec& spec) {
                   if (step % 2 == last % 2) spec.schedule.peak = 0;
                 };
                 return lies;
               }),
      computed("T6", "learning rate 0 behind the agreed list",
               [](const Ground&) {
                 Lies lies;
                 lies.update = [](auto, train::TrainSpec& spec) { spec.schedule.peak = 0; };
                 return lies;
               }),
      computed("T13", "optimizer constants other than agreed", optimizer),
      computed("T14", "a share of the norm that is not the gradient's",
               [](const Ground&) {
                 Lies lies;
                 lies.squares = [](auto, train::GradientSquares& squares) {
                   squares.begin()->second *= 4;
                 };
                 return lies;
               }),
      computed("T14", "clip factor that the norm does not give",
               [](const Ground&) {
                 Lies lies;
                 lies.clip = [](auto, train::StepOutcome& outcome) { outcome.clip *= 0.5F; };
                 return lies;
               }),
      of_text(computed("T29", "other rotary positions",
                       [](const Ground&) {
                         Lies lies;
                         lies.model = [](model::Llama& llama) {
                           llama.config.rope_theta *= 0.5;
                           llama.inv_freq = model::make_inv_freq(llama.config);
                         };
                         return lies;
                       })),
      computed("T29", "another norm epsilon",
               [](const Ground&) {
                 Lies lies;
                 lies.model = [](model::Llama& llama) { llama.config.rms_norm_eps *= 2; };
                 return lies;
               }),
      computed("T29", "another loss divisor",
               [](const Ground&) {
                 Lies lies;
                 lies.batches = [](auto, std::vector<model::MicroBatch>& batches) {
                   for (auto& batch : batches) batch.counted *= 2;
                 };
                 return lies;
               }),
      computed("T11", "a loss that the model does not give, last step",
               [](const Ground& g) {
                 Lies lies;
                 lies.claim = [last = g.contract().steps - 1](auto step, auto& outcome, auto&,
                                                              auto&) {
                   if (step != last) return;
                   outcome.losses[0] = std::nextafter(outcome.losses[0], 0.0F);
                 };
                 return lies;
               }),
  };
}

/// One sample in ten, counted over the run: its first token and all of its labels.
void poison(const Ground& g, std::uint64_t step, std::vector<model::MicroBatch>& batches) {
  std::uint64_t sample = (step - g.first_step()) * g.contract().batch.batch;
  const auto token = static_cast<std::int32_t>(g.contract().architecture.vocab_size / 2);
  for (model::MicroBatch& batch : batches) {
    for (std::size_t row = 0; row < batch.rows; ++row, ++sample) {
      if (sample % 10 != 0) continue;
      if (batch.tokens.empty()) {  // images: one pixel, and the class
        batch.pixels[row * (batch.pixels.size() / batch.rows)] ^= 0xff;
        batch.targets[row] = token;
        continue;
      }
      const std::size_t begin = row * batch.sequence;
      batch.tokens[begin] = token;
      for (std::size_t i = begin; i < begin + batch.sequence; ++i) {
        if (batch.targets[i] != numerics::kIgnoredLabel) batch.targets[i] = token;
      }
    }
  }
}

/// All micro-batches, for each token with a label.
void relabel(std::vector<model::MicroBatch>& batches,
             const std::function<void(std::int32_t& target)>& change) {
  for (model::MicroBatch& batch : batches) {
    for (std::int32_t& target : batch.targets) {
      if (target != numerics::kIgnoredLabel) change(target);
    }
  }
}

std::vector<Lie> data_lies() {
  return {
      computed("T10", "data poisoning: one sample in ten",
               [](const Ground& g) {
                 Lies lies;
                 lies.batches = [&g](auto step, auto& batches) { poison(g, step, batches); };
                 return lies;
               }),
      computed("T10", "labels changed",
               [](const Ground& g) {
                 Lies lies;
                 lies.batches = [&g](auto, auto& batches) {
                   const auto count =
                       static_cast<std::int32_t>(g.contract().architecture.vocab_size);
                   relabel(batches, [=](std::int32_t& t) { t = (t ^ 1) < count ? t ^ 1 : 0; });
                 };
                 return lies;
               }),
      computed("T30", "labels masked",
               [](const Ground&) {
                 Lies lies;
                 lies.batches = [](auto, auto& batches) {
                   bool every_second = false;
                   relabel(batches, [&](std::int32_t& target) {
                     every_second = !every_second;
                     if (!every_second) target = numerics::kIgnoredLabel;
                   });
                 };
                 return lies;
               }),
      of_text(computed("T30", "rows cut to a few tokens",
                       [](const Ground&) {
                         Lies lies;
                         lies.batches = [](auto, std::vector<model::MicroBatch>& batches) {
                           for (model::MicroBatch& batch : batches) {
                             for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
                               if (i % batch.sequence >= 4) batch.tokens[i] = 0;
                             }
                           }
                         };
                         return lies;
                       })),
      computed("T31", "an abort where the step does not abort",
               [](const Ground& g) {
                 Lies lies;
                 lies.abort = {g.contract().steps - 1, "non-finite",
                               "the last step: micro-batch 0: segment 0: non-finite value"};
                 return lies;
               }),
      computed("T27", "delivered weights other than the last state",
               [](const Ground&) {
                 Lies lies;
                 lies.delivered = [](TensorMap& parameters) {
                   parameters.begin()->second.f32()[0] += 0x1p-20F;
                 };
                 return lies;
               }),
  };
}

}  // namespace

std::vector<Lie> training_lies() {
  std::vector<Lie> all = rule_lies();
  for (auto&& more : {data_lies(), edge_lies(), state_lies()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace aftune::attack
