// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/block_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "aftune/trace/rebuild.h"
#include "aftune/trace/stock.h"

namespace aftune::audit {
namespace {

std::string place_of(const trace::GridBlock& block) {
  return fmt::format("layer block {}, step block {}", block.layer_block, block.step_block);
}

/// Writes what replays find into the verdict.
class Scribe final : public trace::RebuildWatcher {
 public:
  Scribe(const std::vector<trace::GridBlock>& chosen,
         const std::function<void(const ReplayedBlock&)>& on_block, Judge& judge, Verdict& verdict)
      : chosen_(chosen.begin(), chosen.end()),
        on_block_(on_block),
        judge_(judge),
        verdict_(verdict) {}

  void on_unopened(const trace::GridBlock& at, const Error& error) override {
    judge_.weigh(at.step_block == 0 ? Check::kBase : Check::kOpening, place_of(at), error);
  }

  void on_replayed(const trace::PlannedReplay& replay,
                   const Result<std::vector<trace::Mismatch>>& found, std::uint32_t at_work,
                   double seconds) override {
    std::set<std::uint32_t> differ;
    if (!found) {
      judge_.weigh(Check::kOpening, place_of({at_work, replay.step_block}), found.error());
    } else {
      for (const trace::Mismatch& mismatch : *found) {
        judge_.reject(mismatch);
        differ.insert(mismatch.block);
      }
    }
    for (const std::uint32_t block : replay.blocks) {
      // Where one of a group differs, the others were not replayed to their end.
      if (!differ.empty() && !differ.contains(block)) continue;
      const bool chosen = chosen_.contains({block, replay.step_block});
      const ReplayedBlock done{block, replay.step_block, found && differ.empty(), !chosen,
                               seconds / static_cast<double>(replay.blocks.size())};
      verdict_.blocks.push_back(done);
      if (on_block_) on_block_(done);
    }
  }

 private:
  const std::set<trace::GridBlock> chosen_;
  const std::function<void(const ReplayedBlock&)>& on_block_;
  Judge& judge_;
  Verdict& verdict_;
};

}  // namespace

void replay_blocks(const trace::Contract& contract, const numerics::Engine& engine,
                   trace::SideInputs& inputs, const trace::Openings& openings,
                   const std::vector<BlockIndex>& blocks,
                   const std::function<void(const ReplayedBlock&)>& on_block, Judge& judge,
                   Verdict& verdict) {
  std::vector<trace::GridBlock> chosen;
  chosen.reserve(blocks.size());
  for (const BlockIndex& block : blocks) chosen.push_back({block.layer_block, block.step_block});
  const trace::RebuildPlan plan = trace::plan_rebuild(contract, trace::stock_of(contract, openings),
                                                      chosen, trace::Asked::kReplay);
  trace::Replayer replayer(contract, engine, inputs, openings);
  Scribe scribe(chosen, on_block, judge, verdict);
  trace::carry_out(plan, openings, replayer, scribe);
  verdict.not_handed_over = replayer.not_handed_over();
}

}  // namespace aftune::audit
