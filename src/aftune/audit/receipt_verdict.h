// SPDX-License-Identifier: Apache-2.0
// What an audit of one receipt says: docs/formats/receipt.md, "Audit".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aftune/audit/verdict.h"
#include "aftune/receipt/receipt_check.h"

namespace aftune::audit {

/// A layer block that was replayed over all positions.
struct ReplayedLayers {
  std::uint32_t layer_block = 0;
  bool held = false;
  bool rebuilt_only = false;  // replayed only to make the edge that another one takes
  double seconds = 0;
};

/// The audit of the training run that the served model comes from.
struct TrainingVerdict {
  Digest contract;
  std::string outcome;
  Digest verdict;  // SHA-256 of the statement's text
};

struct ReceiptVerdict {
  Outcome outcome = Outcome::kInconclusive;
  std::vector<receipt::ReceiptFinding> findings;  // in the page's order
  std::vector<std::string> unchecked;             // what kept the audit from ACCEPT
  std::vector<ReplayedLayers> blocks;
  std::uint64_t blocks_total = 0;
  std::uint64_t decisions = 0;        // made again
  double head_seconds = 0;            // of logits and decisions
  std::uint64_t not_handed_over = 0;  // edges that the grid stores, made again
  DrawnBy drawn_by = DrawnBy::kNone;
  receipt::SeedKind seed = receipt::SeedKind::kUnbound;
  std::string origin, id, checkpoint_note;
  std::uint64_t position = 0, prompt_tokens = 0;
  Digest leaf, model_root;
  std::optional<TrainingVerdict> training;
};

/// The text for people.
std::string receipt_verdict_text(const ReceiptVerdict& verdict);

/// The in-toto Statement v1.
codec::Json receipt_verdict_statement(const ReceiptVerdict& verdict);

/// A training run's verdict, for the run that `statement` comes from.
/// Errors: kInvalidInput if it is not signed by the contract's verifier, or of another run or
///         another final checkpoint than the statement's.
Result<TrainingVerdict> read_training_verdict(std::string_view envelope,
                                              const trace::Contract& contract,
                                              const receipt::Statement& statement);

}  // namespace aftune::audit
