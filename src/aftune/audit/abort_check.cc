// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/abort_check.h"

#include <fmt/format.h>

#include "aftune/crypto/blake3.h"
#include "aftune/trace/state_view.h"
#include "aftune/trace/stock.h"
#include "aftune/train/no_observer.h"

namespace aftune::audit {
namespace {

Result<std::vector<train::BlockState>> states_before(const trace::Openings& openings,
                                                     const trace::Timeline& timeline,
                                                     std::uint64_t step_block) {
  std::vector<train::BlockState> states;
  for (std::uint32_t block = 0; block < timeline.layer_blocks(); ++block) {
    AFTUNE_TRY(train::BlockState state, openings.state(block, step_block));
    states.push_back(std::move(state));
  }
  return states;
}

/// The newest step block up to `step_block` whose states can all be opened, or 0.
std::uint64_t start_before(const trace::Contract& contract, const trace::Openings& openings,
                           std::uint64_t step_block) {
  const trace::Timeline timeline(contract);
  const trace::Stock stock = trace::stock_of(contract, openings);
  std::uint64_t from = timeline.stored_before(step_block);
  const auto whole = [&] {
    for (std::uint32_t block = 0; block < timeline.layer_blocks(); ++block) {
      if (!stock.has_state(block, from)) return false;
    }
    return true;
  };
  while (from > 0 && !whole()) from = timeline.stored_before(from - 1);
  return from;
}

/// Errors: kCorrupt, naming the first tensor that is not as committed.
Status compare_states(const trace::Contract& contract, const trace::Openings& openings,
                      std::uint64_t step_block, const std::vector<train::BlockState>& states) {
  for (std::uint32_t block = 0; block < states.size(); ++block) {
    AFTUNE_TRY(const trace::StateList list, openings.state_list(block, step_block));
    const auto tensors = trace::state_tensors(contract, block);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Digest found = crypto::blake3(trace::state_view(states[block], tensors[i]).bytes);
      if (found == list.digests[i]) continue;
      return Error{Code::kCorrupt,
                   fmt::format("{} {} of state of layer block {} at step block {}: committed {}, "
                               "recomputed {}",
                               trace::role_name(tensors[i].role), tensors[i].spec.name, block,
                               step_block, list.digests[i].hex(), found.hex())};
    }
  }
  return ok();
}

/// The text of the error that ends the run at `last`, or empty if every step up to it ends well.
/// Goes from the states of step block `from`, and on only from states that equal their commitment.
Result<std::string> reason_of(const trace::Contract& contract, const numerics::Engine& engine,
                              trace::SideInputs& inputs, const trace::Openings& openings,
                              std::uint64_t from, std::uint64_t last) {
  const trace::Timeline timeline(contract);
  AFTUNE_TRY(std::vector<train::BlockState> states, states_before(openings, timeline, from));
  const model::Partition partition = contract.partition();
  std::vector<train::BlockStep> workers;
  workers.reserve(states.size());
  for (std::uint32_t block = 0; block < states.size(); ++block) {
    workers.emplace_back(engine, inputs.model(), partition, block, states[block]);
  }
  train::NoObserver nobody;
  for (std::uint64_t step = timeline.first_step(from); step <= last; ++step) {
    const std::uint64_t step_block = step / contract.grid.steps_per_block;
    if (step == timeline.first_step(step_block)) {
      AFTUNE_TRY(compare_states(contract, openings, step_block, states));
    }
    AFTUNE_TRY(const auto batches, inputs.batches().micro_batches(step));
    const auto outcome =
        train::run_step(contract.train_spec(), step, partition, batches, workers, nobody);
    if (outcome) continue;
    if (outcome.error().code != Code::kNonFinite) return outcome.error();
    return step == last ? outcome.error().what : std::string();
  }
  return std::string();
}

}  // namespace

bool check_abort(const trace::Contract& contract, const numerics::Engine& engine,
                 trace::SideInputs& inputs, const trace::Openings& openings, const RunFacts& facts,
                 Judge& judge) {
  const trace::AbortEntry& abort = *facts.abort;
  const std::string place = fmt::format("abort at step {}", abort.step);
  const auto list = openings.abort_list(abort.list);
  if (!list) {
    judge.weigh(Check::kList, place, list.error());
    return false;
  }
  const trace::Timeline timeline(contract);
  const bool fault = abort.cause == "fault";
  if (abort.step >= contract.steps || list->step != abort.step ||
      (!fault && timeline.position_of_step(abort.step) != facts.abort_position)) {
    judge.reject(
        Check::kAbort, place,
        fmt::format("the abort stands at entry {} and names another step", facts.abort_position));
    return false;
  }
  if (fault) {
    judge.leave_open(fmt::format("the provider says that its machine had a fault at step {}: {}",
                                 abort.step, list->reason));
    return false;
  }
  const std::uint64_t from =
      start_before(contract, openings, abort.step / contract.grid.steps_per_block);
  const auto reason = reason_of(contract, engine, inputs, openings, from, abort.step);
  if (!reason) {
    judge.weigh(Check::kState, place, reason.error());
    return false;
  }
  if (*reason != list->reason) {
    judge.reject(Check::kAbort, place,
                 fmt::format("the run says \"{}\", the replay says \"{}\"", list->reason,
                             reason->empty() ? "the step ends well" : *reason));
    return false;
  }
  judge.leave_open(fmt::format(
      "aborted, proven: replayed from the committed states of step block {}, the run leaves the "
      "finite numbers at the same place: {}",
      from, *reason));
  return true;
}

}  // namespace aftune::audit
