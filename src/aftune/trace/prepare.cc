// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/prepare.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "aftune/trace/rebuild.h"
#include "aftune/trace/state_view.h"
#include "aftune/trace/stock.h"

namespace aftune::trace {
namespace {

std::string place_of(const GridBlock& at) {
  return fmt::format("layer block {}, step block {}", at.layer_block, at.step_block);
}

/// Puts what the asked blocks take, and what the grid stores, into the store.
class Keeper final : public RebuiltSink {
 public:
  Keeper(const Contract& contract, const std::vector<GridBlock>& asked, Store& store,
         PrepareReport& report)
      : contract_(contract),
        partition_(contract.partition()),
        timeline_(contract),
        asked_(asked.begin(), asked.end()),
        store_(store),
        report_(report) {}

  Status on_edge(const train::EdgeId& id, const Digest& digest, const Tensor& tensor) override {
    const bool forward = id.kind == train::EdgeKind::kActivation;
    const GridBlock taker{partition_.segments[forward ? id.edge : id.edge - 1].block,
                          id.step / contract_.grid.steps_per_block};
    if (!asked_.contains(taker) && !timeline_.edge_stored(id.edge)) return ok();
    return keep(digest, tensor.bytes());
  }

  Status on_state(const GridBlock& at, const StateList& list,
                  const train::BlockState& state) override {
    if (!asked_.contains(at) && !timeline_.stored(at.step_block)) return ok();
    const auto tensors = state_tensors(contract_, at.layer_block);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      AFTUNE_TRY(keep(list.digests[i], state_view(state, tensors[i]).bytes));
    }
    return ok();
  }

 private:
  Status keep(const Digest& digest, Bytes bytes) {
    if (store_.has(digest) || !kept_.insert(digest).second) return ok();
    ++report_.objects;
    report_.bytes += bytes.size();
    return store_.put(digest, bytes);
  }

  const Contract& contract_;
  const model::Partition partition_;
  const Timeline timeline_;
  const std::set<GridBlock> asked_;
  Store& store_;
  PrepareReport& report_;
  std::set<Digest> kept_;  // perhaps not yet in place
};

/// Remembers the first failure; what was made until then stays.
class Watcher final : public RebuildWatcher {
 public:
  Watcher(Store& store, const std::function<void(const PreparedBlock&)>& on_block,
          PrepareReport& report)
      : store_(store), on_block_(on_block), report_(report) {}

  void on_unopened(const GridBlock& at, const Error& error) override {
    fail({error.code, fmt::format("{}: {}", place_of(at), error.what)});
  }

  void on_replayed(const PlannedReplay& replay, const Result<std::vector<Mismatch>>& found,
                   std::uint32_t at_work, double seconds) override {
    if (Status synced = store_.sync(); !synced) fail(std::move(synced).error());
    if (!found) return on_unopened({at_work, replay.step_block}, found.error());
    if (!found->empty()) {
      const Mismatch& first = found->front();
      fail({Code::kCorrupt, fmt::format("{}: {} was committed as {} and is rebuilt as {}",
                                        place_of({first.block, first.step_block}), first.what,
                                        first.committed, first.recomputed)});
      return;
    }
    for (const std::uint32_t block : replay.blocks) {
      ++report_.replays;
      const double share = seconds / static_cast<double>(replay.blocks.size());
      if (on_block_) on_block_({{block, replay.step_block}, share});
    }
  }

  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  void fail(Error error) {
    if (!failure_) failure_ = std::move(error);
  }

  Store& store_;
  const std::function<void(const PreparedBlock&)>& on_block_;
  PrepareReport& report_;
  std::optional<Error> failure_;
};

/// A list that is not there cannot be prepared: the audit of these blocks would miss it.
Status check_lists(const Contract& contract, const Openings& openings,
                   const std::vector<GridBlock>& blocks) {
  const Timeline timeline(contract);
  for (const GridBlock& block : blocks) {
    for (std::uint64_t j = block.step_block; j <= block.step_block + 1; ++j) {
      AFTUNE_TRY([[maybe_unused]] const StateList list, openings.state_list(block.layer_block, j));
    }
    for (std::uint64_t step = timeline.first_step(block.step_block);
         step < timeline.last_step(block.step_block); ++step) {
      AFTUNE_TRY([[maybe_unused]] const StepList list, openings.step_list(step));
    }
  }
  return ok();
}

}  // namespace

Result<PrepareReport> prepare_blocks(const Contract& contract, const RunFolder& run,
                                     const std::vector<std::string>& entries,
                                     const std::vector<GridBlock>& blocks,
                                     const numerics::Engine& engine,
                                     const std::function<void(const PreparedBlock&)>& on_block) {
  AFTUNE_TRY(const FileLock lock, FileLock::acquire(run.lock()));
  AFTUNE_TRY(const Openings openings, Openings::open(run, contract, entries, &engine.pool()));
  AFTUNE_TRY(check_lists(contract, openings, blocks));
  AFTUNE_TRY(SideInputs inputs, SideInputs::open(contract, run.data(), run.base()));
  AFTUNE_TRY(Store store, Store::open(run.store(), Store::Open::kExisting));
  PrepareReport report;
  const RebuildPlan plan =
      plan_rebuild(contract, stock_of(contract, openings), blocks, Asked::kInputs);
  report.cost = plan.cost;
  Keeper keeper(contract, blocks, store, report);
  Replayer replayer(contract, engine, inputs, openings, &keeper);
  Watcher watcher(store, on_block, report);
  carry_out(plan, openings, replayer, watcher);
  if (watcher.failure()) return *watcher.failure();
  return report;
}

}  // namespace aftune::trace
