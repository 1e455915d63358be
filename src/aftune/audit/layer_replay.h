// SPDX-License-Identifier: Apache-2.0
// The replay of one answer: layer blocks over all positions at once, then the head and every
// decision. docs/formats/receipt.md, "Audit", points 4 to 6.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "aftune/audit/receipt_verdict.h"
#include "aftune/model/segment_function.h"
#include "aftune/numerics/engine.h"
#include "aftune/receipt/served_model.h"
#include "aftune/trace/store.h"

namespace aftune::audit {

/// Requires: an answer whose tokens are those of the receipt and in the vocabulary, and the model
/// that it states.
/// Threads: one at a time; computes on the engine's pool.
class LayerReplay {
 public:
  LayerReplay(const receipt::Presented& presented, const receipt::ServedModel& model,
              const numerics::Engine& engine);

  /// Without a store every edge is made again. A folder that does not exist is an empty store.
  Status open_store(const Path& folder);

  /// Replays `blocks`, ascending, those below them whose edges are not there, and the head.
  /// Errors: kUnavailable for I/O, kNotFound for a parameter that the model lacks.
  Status run(const std::vector<std::uint32_t>& blocks);

  // What came of it.
  std::vector<receipt::ReceiptFinding> findings;
  std::vector<ReplayedLayers> blocks;
  std::uint64_t decisions = 0;
  double head_seconds = 0;
  std::uint64_t not_handed_over = 0;

 private:
  using SharedTensor = std::shared_ptr<const Tensor>;

  [[nodiscard]] bool has(std::uint32_t edge) const;
  [[nodiscard]] std::vector<bool> needed(const std::vector<std::uint32_t>& asked) const;
  Result<SharedTensor> entering(std::uint32_t edge);
  Result<std::optional<Tensor>> open_edge(std::uint32_t edge);
  Status replay_block(std::uint32_t block, bool rebuilt_only);
  Result<bool> compare(std::uint32_t block, const Tensor& activation);
  Status replay_head();
  void decide(const Tensor& rows, std::size_t first, std::vector<std::int32_t>& chosen) const;
  void check_decisions(const std::vector<std::int32_t>& chosen);
  void check_end();
  void find(receipt::ReceiptCheck check, std::string place, std::string message,
            std::string committed = {}, std::string recomputed = {});

  const receipt::Receipt& receipt_;
  const receipt::Answer& answer_;
  const receipt::ServedModel& model_;
  const numerics::Engine& engine_;
  model::Llama llama_;
  std::vector<model::Segment> segments_;
  receipt::Tokens tokens_;   // prompt and output
  model::MicroBatch batch_;  // all positions but the last
  std::optional<trace::Store> store_;
  SharedTensor made_;            // the last edge that a replay made and that held
  std::uint32_t made_edge_ = 0;  // which; 0 for none
};

}  // namespace aftune::audit
