// SPDX-License-Identifier: Apache-2.0
// The gallery: lies of docs/attacks.md that need nothing but a finished run, each told on a copy.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "aftune/attack/finished_run.h"
#include "aftune/attack/lies.h"
#include "aftune/attack/own_contract.h"
#include "aftune/numerics/engine.h"

namespace aftune::attack {

/// Where one lie is told: a copy of the twin's run, which the lie may spoil.
struct Ground {
  const Twin& twin;
  const numerics::Engine& engine;
  std::uint64_t from;  // step block from which lies of training are practised; its states are there
  trace::RunFolder run;

  [[nodiscard]] const trace::Contract& contract() const { return twin.contract.contract; }
  [[nodiscard]] trace::Timeline timeline() const { return trace::Timeline(contract()); }
  [[nodiscard]] std::uint64_t first_step() const { return timeline().first_step(from); }
  /// The file that says how rows become inputs.
  [[nodiscard]] const char* input_companion() const {
    return contract().architecture.vision ? "preprocessor_config.json" : "tokenizer.json";
  }
  /// A layer block in the middle, and the edge before it; 0 if nothing is handed over.
  [[nodiscard]] std::uint32_t middle_block() const { return timeline().layer_blocks() / 2; }
  [[nodiscard]] std::uint32_t middle_edge() const;

  /// Trains the copy again from the step block `from` on, with these lies.
  Status retell(const Lies& lies) const;
  /// Edits one list of the copy and signs its log anew.
  Status relist(std::uint64_t position,
                const std::function<void(codec::Json::Object&)>& edit) const;
};

/// What came of telling a lie.
struct Told {
  std::string why_not;                // not empty: this contract leaves no room for the lie
  std::optional<double> relative_l2;  // of the change, where it is searched for
  bool after_closing = false;         // the audit is made after the contract's closing date
  std::uint64_t blocks_before = 0;    // step blocks before `from` that it touches, too
};

/// One lie. `name` is unique; `row` is its row in docs/attacks.md.
struct Lie {
  std::string row, name;
  std::function<Result<Told>(const Ground&)> tell;
  bool about_text = false;  // tokens, positions, next tokens: nothing that an image classifier has
};

/// Computed: the provider trains otherwise than agreed and commits to what it made.
std::vector<Lie> training_lies();
/// About adapters beside frozen weights: only for runs that train them.
std::vector<Lie> adapter_lies();
/// Searched for: what a tolerance would let through, with the size of the change.
std::vector<Lie> searched_lies();
/// Shown: the log, its lists, or what is handed over for them is not what was made.
std::vector<Lie> shown_lies();
/// All of them that this contract is about.
std::vector<Lie> gallery(const trace::Contract& contract);

}  // namespace aftune::attack
