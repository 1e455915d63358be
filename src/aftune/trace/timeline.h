// SPDX-License-Identifier: Apache-2.0
// Which entry stands at which position of a run's log: docs/formats/entries.md, "Order".
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/trace/contract.h"

namespace aftune::trace {

enum class EntryKind : std::uint8_t { kContract, kState, kStep, kClose, kAbort };

/// One place of the order. Members that the kind does not use are 0.
struct Place {
  EntryKind kind = EntryKind::kContract;
  std::uint32_t block = 0;
  std::uint64_t step_block = 0;
  std::uint64_t step = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

/// Follows from steps and grid alone. Plain arithmetic, no table.
class Timeline {
 public:
  explicit Timeline(const Contract& contract);

  [[nodiscard]] std::uint64_t entry_count() const;
  /// Requires: position < entry_count().
  [[nodiscard]] Place at(std::uint64_t position) const;
  [[nodiscard]] std::uint64_t position_of_state(std::uint32_t block,
                                                std::uint64_t step_block) const;
  [[nodiscard]] std::uint64_t position_of_step(std::uint64_t step) const;
  [[nodiscard]] std::uint64_t position_of_close() const { return entry_count() - 1; }

  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::uint32_t layer_blocks() const { return blocks_; }
  [[nodiscard]] std::uint64_t step_blocks() const;
  /// Steps [first, last) of a step block.
  [[nodiscard]] std::uint64_t first_step(std::uint64_t step_block) const;
  [[nodiscard]] std::uint64_t last_step(std::uint64_t step_block) const;
  /// Whether the states at the start of this step block are objects of the store.
  [[nodiscard]] bool stored(std::uint64_t step_block) const;
  /// Whether the tensors of this edge, 1 .. segments - 1, are objects of the store:
  /// docs/formats/run.md.
  [[nodiscard]] bool edge_stored(std::uint32_t edge) const;
  /// The newest step block <= `step_block` whose start is stored, or 0 (the base).
  [[nodiscard]] std::uint64_t stored_before(std::uint64_t step_block) const;

 private:
  std::uint64_t steps_, steps_per_block_, interval_;
  std::uint32_t blocks_, edge_interval_;
};

}  // namespace aftune::trace
