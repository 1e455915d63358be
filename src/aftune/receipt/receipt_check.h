// SPDX-License-Identifier: Apache-2.0
// What can be said of a receipt without the model: docs/formats/receipt.md, "Checks offline".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aftune/receipt/receipt.h"
#include "aftune/tlog/tlog_proof.h"

namespace aftune::receipt {

/// What a check is about; its name is the finding's "check".
enum class ReceiptCheck {
  kLog,
  kStatement,
  kModelRoot,  // an audit's from here on, where the page lists it there
  kRequest,
  kPrompt,
  kOutput,
  kText,
  kSeed,
  kFinish,
  kOpening,
  kActivation,
  kLogits,
  kToken,
};
std::string_view check_name(ReceiptCheck check);  // "log", "model-root", ...

/// One check that failed.
struct ReceiptFinding {
  ReceiptCheck check = ReceiptCheck::kLog;
  std::string place;                  // "whole answer", "layer block 2", "position 17"
  std::string message;                // what, where, both values
  std::string committed, recomputed;  // where the check compares such
};

/// What the client got.
struct Presented {
  Receipt receipt;
  tlog::TlogProof proof;
  Answer answer;
};

/// What it knows without the server.
struct Expected {
  crypto::PublicKey server;
  std::optional<Digest> model_root = {};
  const trace::Contract* contract = nullptr;  // of the run that the model must come from
  std::optional<Request> request = {};        // what it asked
  std::optional<Input> input = {};            // the prompt that it asked with
};

/// Every check that failed, in the page's order; none: what can be checked holds.
/// Threads: pure.
std::vector<ReceiptFinding> check_receipt(const Presented& presented, const Expected& expected);

}  // namespace aftune::receipt
