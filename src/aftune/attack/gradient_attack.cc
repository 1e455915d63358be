// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/gradient_attack.h"

#include <algorithm>
#include <functional>

#include "aftune/base/check.h"
#include "aftune/numerics/loss.h"

namespace aftune::attack {
namespace {

constexpr double kFirstRadius = 0x1p-16, kLastRadius = 0x1p8;
constexpr int kStepsInBall = 3;
constexpr int kHalvings = 8;

/// What is searched: a vector that may be moved, and what the model says of it.
struct Search {
  std::span<const float> origin;
  std::function<Result<bool>(const Tensor& moved)> works;
  std::function<Result<Tensor>(const Tensor& moved)> gradient;
};

/// origin + scale * change.
Tensor moved_by(const Search& search, const Tensor& change, double scale) {
  Tensor out = Tensor::zeros(change.shape());
  for (std::size_t i = 0; i < search.origin.size(); ++i) {
    out.f32()[i] = search.origin[i] + static_cast<float>(scale) * change.f32()[i];
  }
  return out;
}

/// One step of `length` down the gradient, then back onto the ball. False at a flat place.
bool descend(Tensor& change, const Tensor& gradient, double length, double radius) {
  const double slope = l2_norm(gradient.f32());
  if (!(slope > 0)) return false;
  const auto factor = static_cast<float>(length / slope);
  for (std::size_t i = 0; i < change.f32().size(); ++i) {
    change.f32()[i] -= factor * gradient.f32()[i];
  }
  const double norm = l2_norm(change.f32());
  if (norm > radius) {
    for (float& value : change.f32()) value *= static_cast<float>(radius / norm);
  }
  return true;
}

/// The smallest multiple of `change` that bisection finds to work.
Status shrink(const Search& search, Tensor& change) {
  double works = 1, fails = 0;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (works + fails) / 2;
    AFTUNE_TRY(const bool worked, search.works(moved_by(search, change, middle)));
    (worked ? works : fails) = middle;
  }
  for (float& value : change.f32()) value *= static_cast<float>(works);
  return ok();
}

/// Projected gradient descent. Returns: the change, empty if no ball holds one.
Result<std::optional<Tensor>> find_change(const Search& search, const Shape& shape) {
  const double size = l2_norm(search.origin);
  Tensor change = Tensor::zeros(shape);
  for (double radius = kFirstRadius; radius <= kLastRadius; radius *= 2) {
    for (int step = 0; step < kStepsInBall; ++step) {
      AFTUNE_TRY(const Tensor gradient, search.gradient(moved_by(search, change, 1)));
      if (!descend(change, gradient, radius * size / 2, radius * size)) {
        return std::optional<Tensor>();
      }
      AFTUNE_TRY(const bool worked, search.works(moved_by(search, change, 1)));
      if (!worked) continue;
      AFTUNE_TRY(shrink(search, change));
      return std::optional<Tensor>(std::move(change));
    }
  }
  return std::optional<Tensor>();
}

/// The row with one label, `target` at `token`.
model::MicroBatch asking_for(const model::MicroBatch& batch, std::size_t token,
                             std::int32_t target) {
  model::MicroBatch out = batch;
  std::fill(out.targets.begin(), out.targets.end(), numerics::kIgnoredLabel);
  out.targets[token] = target;
  return out;
}

train::EdgeTensor shared(const Tensor& tensor) {
  return std::make_shared<const Tensor>(tensor.clone());
}

/// The segment that holds the last layer.
const model::Segment& last_layers(const model::Partition& partition) {
  const model::Segment& last = partition.segments.back();
  return last.layer_count > 0 ? last : partition.segments[last.index - 1];
}

/// Of the layer's weights, one in training that its output hangs on: the last adapter's B, or the
/// last projection of a layer that is trained as a whole.
std::string edited_weight(const train::BlockState& state, std::uint32_t layer) {
  const std::string name = "model.layers." + std::to_string(layer) + ".";
  if (state.frozen == nullptr) return name + "mlp.down_proj.weight";
  std::string out;
  for (const auto& [trained, tensor] : state.parameters) {
    const bool here = trained.starts_with(std::string(model::kPeftPrefix) + name);
    if (here && trained.ends_with(".lora_B.weight")) out = trained;
  }
  return out;
}

/// A token that the row does not hold.
std::int32_t unused_token(const model::MicroBatch& batch, std::uint32_t vocabulary) {
  auto token = static_cast<std::int32_t>(vocabulary) - 1;
  while (token > 0 &&
         std::find(batch.tokens.begin(), batch.tokens.end(), token) != batch.tokens.end()) {
    --token;
  }
  return token;
}

/// Looks for the edit that gives out.edit.after; fills in its change. The weight is put back.
Result<bool> search_edit(const Probe& probe, States& states, const model::MicroBatch& triggered,
                         const train::EdgeTensor& input, Backdoor& out) {
  const std::uint32_t edge = last_layers(probe.partition()).index;
  const Perturbation& edit = out.edit;
  const model::MicroBatch wanted = asking_for(triggered, edit.token, edit.after);
  Tensor& weight = states[out.block].parameters.at(out.weight);
  const Tensor honest = weight.clone();
  Probe::BlockGradients gradients;
  const Search search{honest.f32(),
                      [&](const Tensor& moved) -> Result<bool> {
                        weight = moved.clone();
                        AFTUNE_TRY(const Tensor now, probe.logits(edge, input, triggered));
                        return top_two(now, edit.token).first == edit.after;
                      },
                      [&](const Tensor& moved) -> Result<Tensor> {
                        weight = moved.clone();
                        AFTUNE_TRY(probe.gradient(edge, input, wanted, gradients));
                        return gradients.at(out.block).at(out.weight).clone();
                      }};
  Result<std::optional<Tensor>> change = find_change(search, honest.shape());
  weight = honest.clone();
  if (!change) return std::move(change).error();
  if (!*change) return false;
  out.edit.relative_l2 = l2_norm((*change)->f32()) / l2_norm(honest.f32());
  out.edit.change = std::move(**change);
  return true;
}

}  // namespace

Result<std::optional<Perturbation>> perturb_activation(const Probe& probe, std::uint32_t edge,
                                                       const model::MicroBatch& batch) {
  AFTUNE_CHECK(batch.rows == 1 && edge >= 1, "one row and an edge that is handed over");
  AFTUNE_TRY(const train::EdgeTensor honest, probe.activation(edge, batch));
  AFTUNE_TRY(const Tensor logits, probe.logits(edge, honest, batch));
  Perturbation out;
  TopTwo weakest;
  bool found = false;
  for (std::size_t t = 0; t < batch.sequence; ++t) {
    if (batch.targets[t] == numerics::kIgnoredLabel) continue;
    const TopTwo top = top_two(logits, t);
    if (found && top.margin >= weakest.margin) continue;
    weakest = top;
    out.token = t;
    found = true;
  }
  if (!found) return std::optional<Perturbation>();
  const model::MicroBatch wanted = asking_for(batch, out.token, weakest.second);
  Probe::BlockGradients unused;
  const Search search{
      honest->f32(),
      [&](const Tensor& moved) -> Result<bool> {
        AFTUNE_TRY(const Tensor now, probe.logits(edge, shared(moved), batch));
        out.after = top_two(now, out.token).first;
        return out.after != weakest.first;
      },
      [&](const Tensor& moved) { return probe.gradient(edge, shared(moved), wanted, unused); }};
  AFTUNE_TRY(auto change, find_change(search, honest->shape()));
  if (!change) return std::optional<Perturbation>();
  out.before = weakest.first;
  out.relative_l2 = l2_norm(change->f32()) / l2_norm(honest->f32());
  out.change = std::move(*change);
  out.after = weakest.second;
  return std::optional<Perturbation>(std::move(out));
}

Result<std::optional<Backdoor>> plant_backdoor(const Probe& probe, States& states,
                                               const model::MicroBatch& batch) {
  AFTUNE_CHECK(batch.rows == 1, "one row");
  const model::Segment& segment = last_layers(probe.partition());
  Backdoor out;
  out.block = segment.block;
  out.weight = edited_weight(states[out.block], segment.first_layer + segment.layer_count - 1);
  const auto labelled = std::find_if(batch.targets.begin(), batch.targets.end(),
                                     [](auto label) { return label != numerics::kIgnoredLabel; });
  if (labelled == batch.targets.end()) return std::optional<Backdoor>();
  out.edit.token = static_cast<std::size_t>(labelled - batch.targets.begin());
  out.trigger = unused_token(batch, probe.config().vocab_size);
  model::MicroBatch triggered = batch;
  triggered.tokens[out.edit.token] = out.trigger;
  AFTUNE_TRY(const train::EdgeTensor input, probe.activation(segment.index, triggered));
  AFTUNE_TRY(const Tensor logits, probe.logits(segment.index, input, triggered));
  const TopTwo top = top_two(logits, out.edit.token);
  out.edit.before = top.first;
  // Not every answer can be reached in a narrow model: the runner-up is the second choice.
  for (const std::int32_t target : {*labelled, top.second}) {
    if (target == top.first) continue;
    out.edit.after = target;
    AFTUNE_TRY(const bool found, search_edit(probe, states, triggered, input, out));
    if (found) return std::optional<Backdoor>(std::move(out));
  }
  return std::optional<Backdoor>();
}

}  // namespace aftune::attack
