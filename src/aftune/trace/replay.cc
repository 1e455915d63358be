// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/replay.h"

#include <fmt/format.h>

#include <bit>
#include <memory>

#include "aftune/codec/json.h"
#include "aftune/crypto/blake3.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/state_view.h"
#include "aftune/train/block_step.h"

namespace aftune::trace {

/// One step of one block under way.
struct Replayer::StepRun {
  std::uint32_t block;
  std::uint64_t step_block, step;
  StepList list;
  std::vector<EdgePlace> places;
  std::vector<model::MicroBatch> batches;
  train::BlockStep& worker;
  std::vector<Mismatch>& out;

  [[nodiscard]] std::size_t index_of(const train::EdgeId& id) const {
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].id == id) return i;
    }
    return places.size();
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

}  // namespace

Replayer::Replayer(const Contract& contract, const numerics::Engine& engine, SideInputs& inputs,
                   const Openings& openings)
    : contract_(contract),
      engine_(engine),
      inputs_(inputs),
      openings_(openings),
      partition_(contract.partition()),
      timeline_(contract) {}

Result<std::vector<Mismatch>> Replayer::replay(std::uint32_t block, std::uint64_t step_block,
                                               train::BlockState& state) {
  std::vector<Mismatch> out;
  train::BlockStep worker(engine_, inputs_.model(), partition_, block, state);
  for (std::uint64_t step = timeline_.first_step(step_block);
       step < timeline_.last_step(step_block) && out.empty(); ++step) {
    AFTUNE_TRY(StepList list, openings_.step_list(step));
    AFTUNE_TRY(auto batches, inputs_.batches().micro_batches(step));
    StepRun run{
        block,  step_block, step, std::move(list), edge_places(contract_, step), std::move(batches),
        worker, out};
    Status done = run_step(run);
    if (!done && done.error().code == Code::kNonFinite) {
      run.add(MismatchKind::kNonFinite, fmt::format("step {}: {}", step, done.error().what),
              "a step that ended", "no finite result");
      break;
    }
    if (!done) return std::move(done).error();
  }
  if (out.empty()) {
    AFTUNE_TRY(compare_state(block, step_block, state, out));
  }
  return out;
}

Status Replayer::run_step(StepRun& run) {
  const auto segments = partition_.segments_of(run.block);
  run.worker.begin();
  for (std::uint32_t m = 0; m < run.batches.size(); ++m) {
    for (const std::uint32_t segment : segments) {
      AFTUNE_TRY(forward(run, segment, m));
    }
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
      AFTUNE_TRY(backward(run, *segment, m));
    }
  }
  AFTUNE_TRY(compare_squares(run));
  AFTUNE_TRY(const train::ClipOutcome clip,
             train::clip_factor(contract_.training.clip, run.list.squares));
  return run.worker.update(contract_.training, run.step, clip.factor);
}

Status Replayer::forward(StepRun& run, std::uint32_t segment, std::uint32_t micro) {
  const model::Segment& s = partition_.segments[segment];
  train::EdgeTensor input;
  if (!s.embeds) {
    const std::size_t i = run.index_of({run.step, micro, segment, train::EdgeKind::kActivation});
    AFTUNE_TRY(Tensor opened, openings_.edge(run.places[i], run.list, i));
    input = std::make_shared<const Tensor>(std::move(opened));
  }
  AFTUNE_TRY(const model::SegmentOutput output,
             run.worker.forward(segment, run.batches[micro], std::move(input)));
  if (!s.heads) {
    return compare_edge(run, {run.step, micro, segment + 1, train::EdgeKind::kActivation},
                        output.activation);
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
  Tensor from_below;
  if (!s.heads) {
    const std::size_t i = run.index_of({run.step, micro, segment + 1, train::EdgeKind::kGradient});
    AFTUNE_TRY(from_below, openings_.edge(run.places[i], run.list, i));
  }
  AFTUNE_TRY(const Tensor gradient,
             run.worker.backward(segment, run.batches[micro], s.heads ? nullptr : &from_below));
  if (s.embeds) return ok();
  return compare_edge(run, {run.step, micro, segment, train::EdgeKind::kGradient}, gradient);
}

Status Replayer::compare_edge(StepRun& run, const train::EdgeId& id, const Tensor& recomputed) {
  const std::size_t i = run.index_of(id);
  const Digest found = crypto::blake3(recomputed.bytes(), engine_.pool());
  if (found == run.list.edges[i]) return present(found, describe_edge(id));
  std::optional<ValueDifference> values;
  if (const auto committed = openings_.edge(run.places[i], run.list, i)) {
    values = difference_of(committed->f32(), recomputed.f32());
  }
  run.add(
      id.kind == train::EdgeKind::kActivation ? MismatchKind::kActivation : MismatchKind::kGradient,
      describe_edge(id), run.list.edges[i].hex(), found.hex(), values);
  return ok();
}

Status Replayer::present(const Digest& digest, const std::string& what) const {
  if (openings_.has(digest)) return ok();
  return Error{Code::kNotFound, fmt::format("{}: object {} is missing", what, digest.hex())};
}

Status Replayer::compare_squares(StepRun& run) {
  AFTUNE_TRY(const train::GradientSquares mine, run.worker.squares());
  for (const auto& [name, value] : mine) {
    const double committed = run.list.squares.at(name);
    if (std::bit_cast<std::uint64_t>(committed) == std::bit_cast<std::uint64_t>(value)) continue;
    run.add(MismatchKind::kSquares,
            fmt::format("sum of squares of the gradient of {}, step {}", name, run.step),
            codec::hex_float(committed), codec::hex_float(value));
  }
  return ok();
}

Status Replayer::compare_state(std::uint32_t block, std::uint64_t step_block,
                               const train::BlockState& state, std::vector<Mismatch>& out) {
  AFTUNE_TRY(const StateList list, openings_.state_list(block, step_block + 1));
  const auto tensors = state_tensors(contract_, block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorView mine = state_view(state, tensors[i]);
    const Digest found = crypto::blake3(mine.bytes, engine_.pool());
    const std::string what =
        fmt::format("{} {} of {}", role_name(tensors[i].role), tensors[i].spec.name,
                    describe({EntryKind::kState, block, step_block + 1, 0}));
    if (found == list.digests[i]) {
      if (timeline_.stored(step_block + 1)) AFTUNE_TRY(present(found, what));
      continue;
    }
    std::optional<ValueDifference> values;
    if (const auto committed = openings_.tensor(list.digests[i], tensors[i].spec)) {
      values = difference_of(committed->f32(), mine.f32());
    }
    out.push_back({MismatchKind::kState, block, step_block, timeline_.last_step(step_block) - 1,
                   what, list.digests[i].hex(), found.hex(), values});
  }
  return ok();
}

}  // namespace aftune::trace
