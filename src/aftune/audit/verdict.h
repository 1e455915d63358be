// SPDX-License-Identifier: Apache-2.0
// What an audit says: docs/formats/audit.md, "Outcome" and "Verdict file".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aftune/audit/achieved.h"
#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/crypto/digest.h"

namespace aftune::audit {

enum class Outcome { kAccept, kReject, kInconclusive };
std::string_view outcome_name(Outcome outcome);  // "ACCEPT", ...

/// What a check is about; its name is the finding's "check".
enum class Check {
  kLog,    // signatures, tiles, growth, origin
  kEntry,  // an entry that the contract does not imply at its place
  kList,   // a list that the contract does not imply, or with other bytes than committed
  kData,   // rows, counts, data set, tokenizer
  kRule,   // learning rate, norm or clip factor do not follow
  kBase,   // P(i,0) is not what the contract implies
  kState,
  kActivation,
  kGradient,
  kLoss,
  kNorm,       // a gradient's sum of squares
  kModelRoot,  // the close binds another model than the last states
  kDelivery,   // the delivered folder is not what the close binds
  kOpening,    // the bytes handed over for a committed object are others
  kMissing,    // committed and not handed over
  kDeadline,   // not closed by the contract's date
  kAbort,      // an abort that does not repeat
};
std::string_view check_name(Check check);  // "activation", "model-root", ...

/// One check that failed: evidence for REJECT.
struct Finding {
  Check check = Check::kLog;
  std::string place;                  // "layer block 2, step block 1" or "whole run"
  std::string message;                // what, where, both values
  std::string committed, recomputed;  // digests or hex floats, where the check compares such
};

/// One block that was replayed.
struct ReplayedBlock {
  std::uint32_t layer_block = 0;
  std::uint64_t step_block = 0;
  bool held = false;
  bool rebuilt_only = false;  // replayed only to make what another block takes
  double seconds = 0;         // opening its start state included; shared evenly in a group
};

/// What a witness that the contract names says of the log.
struct WitnessReport {
  std::string name;
  bool attests = false;
  std::string message;  // since when, or why not
};

/// An entry of the log and the way from it to the final checkpoint's root.
struct EntryProof {
  std::uint64_t index = 0;
  std::string entry;
  std::vector<Digest> path;
};

enum class DrawnBy { kNone, kHand, kSecret, kAll };
std::string_view drawn_name(DrawnBy by);  // "none", "hand", "secret", "all"

/// The DSSE payload type of a signed verdict, on a run or a receipt, and the most bytes it may
/// have.
inline constexpr std::string_view kVerdictType = "application/vnd.in-toto+json";
inline constexpr std::uint64_t kMaxVerdictBytes = std::uint64_t{64} << 20;

struct Verdict {
  Outcome outcome = Outcome::kInconclusive;
  std::vector<Finding> findings;       // the most telling first
  std::vector<std::string> unchecked;  // what kept the audit from ACCEPT, not the provider's fault
  std::vector<std::string> not_checked;  // what this audit does not speak of
  std::vector<ReplayedBlock> blocks;
  std::uint64_t not_handed_over = 0;  // stored by the contract, absent, made again by replays
  DrawnBy drawn_by = DrawnBy::kNone;
  std::uint64_t blocks_total = 0, policy_blocks = 0;
  std::string origin;
  Digest contract_digest;
  std::uint64_t entries = 0;
  std::string checkpoint_note;
  std::string other_checkpoint_note;     // signed for the same contract and not this log's
  std::string challenge;                 // envelope; empty without one
  std::vector<std::string> timings;      // envelopes: what witnesses said of the challenge
  std::optional<Digest> manifest;        // digest of the provider's answer to it
  std::vector<EntryProof> evidence;      // of a REJECT: entries behind blocks that did not hold
  std::vector<WitnessReport> witnesses;  // of the contract, if the log ended
  std::string delivered_name = "model.safetensors";  // the file with the delivered weights
  std::optional<Digest> delivered_sha256;            // of it, if it was compared and held
  bool delivery_given = false;                       // a folder was given, compared or not
  bool delivery_checked = false;
  bool weights_disclosed = false;
  bool aborted = false, abort_proven = false;
  std::uint32_t layer_blocks = 0;
  std::uint64_t step_blocks = 0, steps = 0;
  trace::Strategy strategy = trace::Strategy::kUniform;
  std::vector<Achieved> achieved;
};

/// The text for people: the verdict in one line, then what was checked, found and not checked.
/// `values`: whether tensor values may be shown to the reader.
std::string verdict_text(const Verdict& verdict);

/// The in-toto Statement v1.
codec::Json verdict_statement(const Verdict& verdict);

}  // namespace aftune::audit
