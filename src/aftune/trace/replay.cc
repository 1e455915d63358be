// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <memory>

#include "aftune/codec/json.h"
#include "aftune/crypto/blake3.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/state_view.h"
#include "aftune/train/block_step.h"

namespace aftune::trace {

/// One step of a group under way.
struct Replayer::StepRun {
  const std::vector<GroupMember>& group;
  std::vector<train::BlockStep>& workers;  // beside group
  std::uint64_t step_block, step;
  StepList list;
  std::vector<EdgePlace> places;
  std::vector<model::MicroBatch> batches;
  std::vector<Mismatch>& out;
  std::uint32_t& block;                             // at work
  std::map<train::EdgeId, train::EdgeTensor> made;  // of this micro-batch, for a block of the group
  bool stuck = false;                               // a mismatch is what a block of the group takes

  [[nodiscard]] std::size_t index_of(const train::EdgeId& id) const {
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].id == id) return i;
    }
    return places.size();
  }

  /// Null for a block outside the group.
  [[nodiscard]] train::BlockStep* worker_of(std::uint32_t of_block) {
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (group[i].block == of_block) return &workers[i];
    }
    return nullptr;
  }

  void add(MismatchKind kind, std::string what, std::string committed, std::string recomputed,
           std::optional<ValueDifference> values = std::nullopt) {
    out.push_back({kind, block, step_block, step, std::move(what), std::move(committed),
                   std::move(recomputed), values});
  }
};

namespace {

std::optional<ValueDifference> difference_of(std::span<const float> committed,
                                             std::span<const float> recomputed) {
  ValueDifference out;
  for (std::size_t i = 0; i < recomputed.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(committed[i]) == std::bit_cast<std::uint32_t>(recomputed[i])) {
      continue;
    }
    if (out.count++ == 0) {
      out.index = i;
      out.committed = committed[i];
      out.recomputed = recomputed[i];
    }
  }
  if (out.count == 0) return std::nullopt;
  return out;
}

/// Of narrow tensors, too.
Result<std::optional<ValueDifference>> difference_in_values(const TensorView& committed,
                                                            const TensorView& own) {
  AFTUNE_TRY(const Tensor a, to_f32(committed));
  AFTUNE_TRY(const Tensor b, to_f32(own));
  return difference_of(a.f32(), b.f32());
}

}  // namespace

Replayer::Replayer(const Contract& contract, const numerics::Engine& engine, SideInputs& inputs,
                   const Openings& openings, RebuiltSink* sink)
    : contract_(contract),
      engine_(engine),
      inputs_(inputs),
      openings_(openings),
      sink_(sink),
      partition_(contract.partition()),
      timeline_(contract) {}

Result<std::vector<Mismatch>> Replayer::replay(std::uint32_t block, std::uint64_t step_block,
                                               train::BlockState& state) {
  return replay(step_block, {{block, &state}});
}

Result<std::vector<Mismatch>> Replayer::replay(std::uint64_t step_block,
                                               const std::vector<GroupMember>& group) {
  std::vector<Mismatch> out;
  at_work_ = group.front().block;
  std::vector<train::BlockStep> workers;
  workers.reserve(group.size());
  for (const GroupMember& member : group) {
    workers.emplace_back(engine_, inputs_.model(), partition_, member.block, *member.state);
  }
  for (std::uint64_t step = timeline_.first_step(step_block);
       step < timeline_.last_step(step_block) && out.empty(); ++step) {
    AFTUNE_TRY(StepList list, openings_.step_list(step));
    AFTUNE_TRY(auto batches, inputs_.batches().micro_batches(step));
    StepRun run{group,
                workers,
                step_block,
                step,
                std::move(list),
                edge_places(contract_, step),
                std::move(batches),
                out,
                at_work_,
                {},
                false};
    Status done = run_step(run);
    if (!done && done.error().code == Code::kNonFinite) {
      run.add(MismatchKind::kNonFinite, fmt::format("step {}: {}", step, done.error().what),
              "a step that ended", "no finite result");
      break;
    }
    if (!done) return std::move(done).error();
  }
  if (!out.empty()) return out;
  for (const GroupMember& member : group) {
    at_work_ = member.block;
    AFTUNE_TRY(compare_state({member.block, step_block}, *member.state, out));
  }
  return out;
}

Status Replayer::run_step(StepRun& run) {
  for (train::BlockStep& worker : run.workers) worker.begin();
  for (std::uint32_t m = 0; m < run.batches.size(); ++m) {
    AFTUNE_TRY(run_micro_batch(run, m));
    if (run.stuck) return ok();
    run.made.clear();
  }
  for (const GroupMember& member : run.group) {
    run.block = member.block;
    AFTUNE_TRY(compare_squares(run, member));
  }
  AFTUNE_TRY(const train::ClipOutcome clip,
             train::clip_factor(contract_.training.clip, run.list.squares));
  for (const GroupMember& member : run.group) {
    run.block = member.block;
    AFTUNE_TRY(run.worker_of(member.block)->update(contract_.train_spec(), run.step, clip.factor));
  }
  return ok();
}

Status Replayer::run_micro_batch(StepRun& run, std::uint32_t micro) {
  std::vector<std::uint32_t> segments;
  for (const GroupMember& member : run.group) {
    const auto own = partition_.segments_of(member.block);
    segments.insert(segments.end(), own.begin(), own.end());
  }
  std::sort(segments.begin(), segments.end());
  for (auto segment = segments.begin(); segment != segments.end() && !run.stuck; ++segment) {
    run.block = partition_.segments[*segment].block;
    AFTUNE_TRY(forward(run, *segment, micro));
  }
  for (auto segment = segments.rbegin(); segment != segments.rend() && !run.stuck; ++segment) {
    run.block = partition_.segments[*segment].block;
    AFTUNE_TRY(backward(run, *segment, micro));
  }
  return ok();
}

Status Replayer::forward(StepRun& run, std::uint32_t segment, std::uint32_t micro) {
  const model::Segment& s = partition_.segments[segment];
  train::EdgeTensor input;
  if (!s.embeds) {
    AFTUNE_TRY(input, take_edge(run, {run.step, micro, segment, train::EdgeKind::kActivation}));
  }
  AFTUNE_TRY(model::SegmentOutput output,
             run.worker_of(s.block)->forward(segment, run.batches[micro], std::move(input)));
  if (!s.heads) {
    return compare_edge(run, {run.step, micro, segment + 1, train::EdgeKind::kActivation},
                        std::move(output.activation));
  }
  if (std::bit_cast<std::uint32_t>(output.loss) !=
      std::bit_cast<std::uint32_t>(run.list.losses[micro])) {
    run.add(MismatchKind::kLoss, fmt::format("loss of step {}, micro-batch {}", run.step, micro),
            codec::hex_float(run.list.losses[micro]), codec::hex_float(output.loss),
            ValueDifference{0, 1, run.list.losses[micro], output.loss});
  }
  return ok();
}

Status Replayer::backward(StepRun& run, std::uint32_t segment, std::uint32_t micro) {
  const model::Segment& s = partition_.segments[segment];
  train::EdgeTensor from_above;
  if (!s.heads) {
    AFTUNE_TRY(from_above,
               take_edge(run, {run.step, micro, segment + 1, train::EdgeKind::kGradient}));
  }
  AFTUNE_TRY(Tensor gradient,
             run.worker_of(s.block)->backward(segment, run.batches[micro], from_above.get()));
  if (s.embeds) return ok();
  return compare_edge(run, {run.step, micro, segment, train::EdgeKind::kGradient},
                      std::move(gradient));
}

Result<train::EdgeTensor> Replayer::take_edge(StepRun& run, const train::EdgeId& id) {
  const std::size_t i = run.index_of(id);
  const auto made = run.made.find(id);
  if (made != run.made.end() && !openings_.has(run.list.edges[i])) return made->second;
  AFTUNE_TRY(Tensor opened, openings_.edge(run.places[i], run.list, i));
  return train::EdgeTensor(std::make_shared<const Tensor>(std::move(opened)));
}

Status Replayer::compare_edge(StepRun& run, const train::EdgeId& id, Tensor recomputed) {
  const std::size_t i = run.index_of(id);
  const Digest& committed = run.list.edges[i];
  const Digest found = crypto::blake3(recomputed.bytes(), engine_.pool());
  const bool forward = id.kind == train::EdgeKind::kActivation;
  const std::uint32_t taker = partition_.segments[forward ? id.edge : id.edge - 1].block;
  const bool taken_here = run.worker_of(taker) != nullptr;
  if (found == committed) {
    if (timeline_.edge_stored(id.edge)) look_for(found);
    if (sink_ != nullptr) AFTUNE_TRY(sink_->on_edge(id, found, recomputed));
    if (taken_here) run.made[id] = std::make_shared<const Tensor>(std::move(recomputed));
    return ok();
  }
  std::optional<ValueDifference> values;
  if (const auto opened = openings_.edge(run.places[i], run.list, i)) {
    AFTUNE_TRY(values, difference_in_values(opened->view(), recomputed.view()));
  }
  run.add(forward ? MismatchKind::kActivation : MismatchKind::kGradient, describe_edge(id),
          committed.hex(), found.hex(), values);
  run.stuck = taken_here && !openings_.has(committed);
  return ok();
}

void Replayer::look_for(const Digest& digest) {
  if (!openings_.has(digest)) not_handed_over_.insert(digest);
}

Status Replayer::compare_squares(StepRun& run, const GroupMember& member) {
  AFTUNE_TRY(const train::GradientSquares mine, run.worker_of(member.block)->squares());
  for (const auto& [name, value] : mine) {
    const double committed = run.list.squares.at(name);
    if (std::bit_cast<std::uint64_t>(committed) == std::bit_cast<std::uint64_t>(value)) continue;
    run.add(MismatchKind::kSquares,
            fmt::format("sum of squares of the gradient of {}, step {}", name, run.step),
            codec::hex_float(committed), codec::hex_float(value));
  }
  return ok();
}

Status Replayer::compare_state(const GridBlock& at, const train::BlockState& state,
                               std::vector<Mismatch>& out) {
  const std::uint64_t next = at.step_block + 1;
  AFTUNE_TRY(const StateList list, openings_.state_list(at.layer_block, next));
  const auto tensors = state_tensors(contract_, at.layer_block);
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorView mine = state_view(state, tensors[i]);
    const Digest found = crypto::blake3(mine.bytes, engine_.pool());
    if (found == list.digests[i]) {
      if (timeline_.stored(next)) look_for(found);
      continue;
    }
    std::optional<ValueDifference> values;
    if (const auto committed = openings_.tensor(list.digests[i], tensors[i].spec)) {
      AFTUNE_TRY(values, difference_in_values(committed->view(), mine));
    }
    out.push_back({MismatchKind::kState, at.layer_block, at.step_block,
                   timeline_.last_step(at.step_block) - 1,
                   fmt::format("{} {} of {}", role_name(tensors[i].role), tensors[i].spec.name,
                               describe({EntryKind::kState, at.layer_block, next, 0})),
                   list.digests[i].hex(), found.hex(), values});
  }
  if (out.size() != before || sink_ == nullptr) return ok();
  return sink_->on_state({at.layer_block, next}, list, state);
}

}  // namespace aftune::trace
