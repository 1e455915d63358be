// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/gallery.h"
#include "aftune/attack/gradient_attack.h"
#include "aftune/trace/openings.h"
#include "aftune/trace/side_inputs.h"

namespace aftune::attack {
namespace {

Told not_found(const char* what) { return {what, {}, false, 0}; }

/// Adds to the first row of a micro-batch's activation.
void add_to_first_row(Tensor& activation, const Tensor& change) {
  for (std::size_t i = 0; i < change.f32().size(); ++i) activation.f32()[i] += change.f32()[i];
}

/// T25: at the first step that is told anew, first row of its first micro-batch.
Result<Told> tell_perturbation(const Ground& g) {
  const std::uint32_t edge = g.middle_edge();
  if (edge == 0) return not_found("one segment: nothing is handed over");
  AFTUNE_TRY(trace::SideInputs inputs,
             trace::SideInputs::open(g.contract(), g.run.data(), g.run.base()));
  AFTUNE_TRY(const auto batches, inputs.batches().micro_batches(g.first_step()));
  const model::Partition partition = g.contract().partition();
  Result<std::optional<Perturbation>> found = std::optional<Perturbation>();
  Lies lies;
  lies.before_step = [&](std::uint64_t step, States& states) {
    if (step != g.first_step()) return;
    const Probe probe(g.engine, inputs.model(), partition, states);
    found = perturb_activation(probe, edge, one_row(batches[0], 0));
  };
  lies.edge = [&](const train::EdgeId& id, Tensor& tensor) {
    if (id != train::EdgeId{g.first_step(), 0, edge, train::EdgeKind::kActivation}) return;
    if (found && *found) add_to_first_row(tensor, (*found)->change);
  };
  AFTUNE_TRY(g.retell(lies));
  if (!found) return std::move(found).error();
  if (!*found) return not_found("no perturbation was found that changes an answer");
  return Told{"", (*found)->relative_l2, false, 0};
}

/// T24: in the states that the step block `from` ends with.
Result<Told> tell_backdoor(const Ground& g) {
  AFTUNE_TRY(trace::SideInputs inputs,
             trace::SideInputs::open(g.contract(), g.run.data(), g.run.base()));
  AFTUNE_TRY(const auto batches, inputs.batches().micro_batches(g.first_step()));
  const model::Partition partition = g.contract().partition();
  const std::uint64_t last = g.timeline().last_step(g.from) - 1;
  Result<std::optional<Backdoor>> found = std::optional<Backdoor>();
  Lies lies;
  lies.after_step = [&](std::uint64_t step, States& states) {
    if (step != last) return;
    const Probe probe(g.engine, inputs.model(), partition, states);
    found = plant_backdoor(probe, states, one_row(batches[0], 0));
    if (!found || !*found) return;
    Tensor& weight = states[(*found)->block].parameters.at((*found)->weight);
    add_to_first_row(weight, (*found)->edit.change);
  };
  AFTUNE_TRY(g.retell(lies));
  if (!found) return std::move(found).error();
  if (!*found) return not_found("no edit was found that plants the answer");
  return Told{"", (*found)->edit.relative_l2, false, 0};
}

}  // namespace

std::vector<Lie> searched_lies() {
  return {{"T25", "activation perturbed by projected gradient descent", tell_perturbation, true},
          {"T24", "rank-one weight edit that plants a backdoor", tell_backdoor, true}};
}

}  // namespace aftune::attack
