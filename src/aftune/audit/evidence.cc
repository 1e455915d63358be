// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/evidence.h"

#include <set>

#include "aftune/tlog/merkle.h"
#include "aftune/trace/timeline.h"

namespace aftune::audit {
namespace {

constexpr std::size_t kMaxProofs = 1024;

}  // namespace

std::vector<EntryProof> evidence_of(const trace::Contract& contract, const tlog::LogReading& log,
                                    const std::vector<ReplayedBlock>& blocks) {
  const trace::Timeline timeline(contract);
  std::set<std::uint64_t> positions;
  for (const ReplayedBlock& block : blocks) {
    if (block.held) continue;
    positions.insert(timeline.position_of_state(block.layer_block, block.step_block));
    positions.insert(timeline.position_of_state(block.layer_block, block.step_block + 1));
    for (std::uint64_t step = timeline.first_step(block.step_block);
         step < timeline.last_step(block.step_block); ++step) {
      positions.insert(timeline.position_of_step(step));
    }
  }
  std::vector<EntryProof> out;
  for (const std::uint64_t position : positions) {
    if (position >= log.entries.size() || out.size() == kMaxProofs) break;
    auto path = tlog::inclusion_proof(log.leaf_hashes, position);
    if (path) out.push_back({position, log.entries[position], *std::move(path)});
  }
  return out;
}

}  // namespace aftune::audit
