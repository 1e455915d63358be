// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/auditor.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/audit/abort_check.h"
#include "aftune/audit/answer_check.h"
#include "aftune/audit/block_replay.h"
#include "aftune/audit/draw_rule.h"
#include "aftune/audit/evidence.h"
#include "aftune/audit/whole_run.h"
#include "aftune/audit/witness_check.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/delivery.h"

namespace aftune::audit {
namespace {

Verdict empty_verdict(const AuditRequest& request) {
  const trace::Contract& contract = request.contract;
  Verdict verdict;
  verdict.origin = contract.origin();
  verdict.delivery_given = request.delivered.has_value();
  verdict.contract_digest = contract.digest();
  verdict.blocks_total = contract.block_count();
  verdict.policy_blocks = contract.audit.blocks;
  verdict.weights_disclosed = contract.audit.weights_disclosed;
  verdict.layer_blocks = contract.partition().block_count;
  verdict.step_blocks = contract.step_block_count();
  verdict.steps = contract.steps;
  verdict.strategy = contract.audit.strategy;
  if (request.challenge) verdict.challenge = request.challenge->envelope;
  if (request.manifest) verdict.manifest = request.manifest->digest;
  for (const SignedTiming& timing : request.timings) verdict.timings.push_back(timing.envelope);
  if (!contract.audit.witnesses.asks()) {
    verdict.not_checked.push_back(
        "witnesses: none were agreed, so nobody can say when the log was written or whether "
        "another reader was shown another log");
  }
  if (contract.audit.weights_disclosed) {
    verdict.not_checked.push_back(
        "secrecy: the contract discloses weights to the verifier, who may be the client");
  }
  return verdict;
}

/// The base folder as the provider hands it over, and the data set.
std::optional<trace::SideInputs> open_inputs(const AuditRequest& request, Judge& judge) {
  const Path data = request.data ? *request.data : request.run.data();
  std::error_code error;
  if (!request.data && !std::filesystem::exists(data, error)) {
    judge.leave_open("the run has no copy of the data set: give the client's own with --data");
    return std::nullopt;
  }
  Result<trace::SideInputs> inputs =
      trace::SideInputs::open(request.contract, data, request.run.base());
  if (inputs) return *std::move(inputs);
  judge.weigh(Check::kData, "data, tokenizer or tables", inputs.error());
  return std::nullopt;
}

std::optional<Digest> read_root_salt(const AuditRequest& request, Judge& judge) {
  const auto salt = trace::read_root_salt(request.contract, request.run);
  if (salt) return *salt;
  judge.weigh(Check::kBase, "root salt", salt.error());
  return std::nullopt;
}

void check_end(const AuditRequest& request, const RunFacts& facts, Judge& judge) {
  if (facts.closed || facts.abort) return;
  const auto closes = trace::parse_utc(request.contract.closes_by);
  if (closes && request.now > *closes) {
    judge.reject(Check::kDeadline, "whole run",
                 fmt::format("the run did not end by {}", request.contract.closes_by));
  } else {
    judge.leave_open("the run is not closed yet");
  }
}

/// Whether the log that is shown is the one for which the secret drew before. A log that was closed
/// and is now shorter, aborted or another one is a lie, whatever its own end says.
Result<bool> same_log(const trace::Contract& contract, const PinnedCheckpoint& pin,
                      Verdict& verdict, Judge& judge) {
  AFTUNE_TRY(const tlog::Checkpoint shown,
             tlog::open_checkpoint(verdict.checkpoint_note, contract.log_key()));
  if (shown == pin.checkpoint) return true;
  judge.reject(
      Check::kLog, "final checkpoint",
      fmt::format("the provider signed a final checkpoint of {} entries with root {}, for "
                  "which blocks were drawn; the log that it shows now has {} entries and "
                  "root {}",
                  pin.checkpoint.size, pin.checkpoint.root.hex(), shown.size, shown.root.hex()),
      pin.checkpoint.root.hex(), shown.root.hex());
  verdict.other_checkpoint_note = pin.note;
  return false;
}

/// What is replayed, and whether the provider had to answer for it.
struct Chosen {
  std::vector<BlockIndex> blocks;
  bool is_due = false;  // the challenge is known to be the draw's: it had to be answered
};

/// The blocks of the challenge, if they are the draw's; those that the request names in their
/// place, if it does. A provider need not answer a challenge that it cannot know to be the draw's.
Result<Chosen> challenged_blocks(const AuditRequest& request,
                                 const std::vector<std::string>& entries, bool closed,
                                 Verdict& verdict, Judge& judge) {
  const SignedChallenge& asked = *request.challenge;
  verdict.drawn_by = request.blocks.empty() ? DrawnBy::kSecret : DrawnBy::kHand;
  const bool is_shown = !verdict.checkpoint_note.empty();
  if (is_shown) {
    AFTUNE_TRY(const bool same,
               same_log(request.contract, {asked.checkpoint, asked.challenge.checkpoint_note},
                        verdict, judge));
    if (!same) return Chosen();
  }
  const auto rule = draw_rule(request.contract, request.run, entries);
  if (!rule) {
    judge.leave_open("the draw hangs on the committed norms, and they cannot all be read: " +
                     rule.error().what);
    return Chosen();
  }
  AFTUNE_TRY(follows_from_draw(
      asked.challenge, draw_order(asked.challenge.secret, tlog::checkpoint_text(asked.checkpoint),
                                  verdict.layer_blocks, verdict.step_blocks, *rule)));
  Chosen out{{}, true};
  if (is_shown && closed) {
    out.blocks = request.blocks.empty() ? asked.challenge.blocks : request.blocks;
  }
  return out;
}

/// The blocks to replay, or an error of the request.
Result<Chosen> choose_blocks(const AuditRequest& request, const std::vector<std::string>& entries,
                             bool closed, Verdict& verdict, Judge& judge) {
  const std::uint32_t rows = verdict.layer_blocks;
  for (const BlockIndex& block : request.blocks) {
    if (block.layer_block >= rows || block.step_block >= verdict.step_blocks) {
      return Error{Code::kInvalidInput,
                   fmt::format("block {},{} is outside the grid of {} layer blocks and {} step "
                               "blocks",
                               block.layer_block, block.step_block, rows, verdict.step_blocks)};
    }
  }
  if (request.challenge) return challenged_blocks(request, entries, closed, verdict, judge);
  Chosen out{request.blocks};
  verdict.drawn_by = out.blocks.empty() ? DrawnBy::kNone : DrawnBy::kHand;
  if (request.all) {
    verdict.drawn_by = DrawnBy::kAll;
    out.blocks.clear();
    for (std::uint32_t i = 0; i < rows; ++i) {
      for (std::uint64_t j = 0; j < verdict.step_blocks; ++j) out.blocks.push_back({i, j});
    }
  }
  if (!request.secret) return out;
  verdict.drawn_by = DrawnBy::kSecret;
  AFTUNE_TRY(const ByteBuffer secret, read_secret(*request.secret, request.contract));
  AFTUNE_TRY(const auto pin, read_pin(*request.secret, request.contract));
  if (pin && !verdict.checkpoint_note.empty()) {
    AFTUNE_TRY(const bool same, same_log(request.contract, *pin, verdict, judge));
    if (!same) return Chosen();
  }
  if (!closed) {
    judge.leave_open("nothing is drawn before the close: the secret was not used");
    return out;
  }
  if (!pin) AFTUNE_TRY(write_pin(*request.secret, verdict.checkpoint_note));
  AFTUNE_TRY(const tlog::Checkpoint final,
             tlog::open_checkpoint(verdict.checkpoint_note, request.contract.log_key()));
  const auto rule = draw_rule(request.contract, request.run, entries);
  if (!rule) {
    // Whose fault it is, the checks of the lists say.
    judge.leave_open("the draw hangs on the committed norms, and they cannot all be read: " +
                     rule.error().what);
    return out;
  }
  out.blocks = draw_order(secret, tlog::checkpoint_text(final), rows, verdict.step_blocks, *rule);
  out.blocks.resize(std::min<std::uint64_t>(
      out.blocks.size(), std::max(request.draw_count, request.contract.audit.blocks)));
  return out;
}

Outcome outcome_of(const Verdict& verdict, const RunFacts& facts) {
  if (!verdict.findings.empty()) return Outcome::kReject;
  std::uint64_t held = 0;
  for (const ReplayedBlock& block : verdict.blocks) held += block.held && !block.rebuilt_only;
  const bool all = held == verdict.blocks_total;
  const bool drawn = verdict.drawn_by == DrawnBy::kSecret && held >= verdict.policy_blocks;
  const bool enough = facts.closed && verdict.unchecked.empty() && (all || drawn);
  return enough ? Outcome::kAccept : Outcome::kInconclusive;
}

/// What the draw was worth, where each of the chosen blocks held. One that could not be compared
/// to its end would have met nothing.
void tell_achieved(const trace::Contract& contract, std::size_t chosen, Verdict& verdict) {
  const bool fair = verdict.drawn_by == DrawnBy::kSecret || verdict.drawn_by == DrawnBy::kAll;
  const auto held = static_cast<std::size_t>(
      std::count_if(verdict.blocks.begin(), verdict.blocks.end(),
                    [](const ReplayedBlock& block) { return block.held && !block.rebuilt_only; }));
  if (!fair || chosen == 0 || held != chosen || verdict.outcome == Outcome::kReject) return;
  verdict.achieved = achieved_by(contract, chosen);
}

void explain(const RunFacts& facts, Verdict& verdict) {
  if (verdict.outcome != Outcome::kInconclusive) return;
  if (verdict.drawn_by == DrawnBy::kHand) {
    verdict.unchecked.push_back(
        "blocks chosen by hand held, but only the contract's own draw or all blocks can accept");
  }
  if (verdict.drawn_by == DrawnBy::kNone && facts.closed) {
    verdict.unchecked.push_back("no block was replayed: give --secret, --all or --block");
  }
}

/// The verdict names the delivered weights as its subject only if they were compared and held: a
/// close may bind any digest.
void compare_delivery(const AuditRequest& request, const RunFacts& facts, Verdict& verdict,
                      Judge& judge) {
  const std::size_t findings = verdict.findings.size(), unchecked = verdict.unchecked.size();
  const std::string weights = trace::weights_file(request.contract);
  check_delivery({*request.delivered, request.run.delivered(), weights}, facts, judge);
  verdict.delivery_checked = true;
  if (verdict.findings.size() != findings || verdict.unchecked.size() != unchecked) return;
  for (const trace::BoundFile& file : facts.close->files) {
    if (file.path != weights) continue;
    verdict.delivered_name = weights;
    verdict.delivered_sha256 = file.sha256;
  }
}

void check_contents(const AuditRequest& request, const std::vector<std::string>& entries,
                    const numerics::Engine& engine, Verdict& verdict, Judge& judge, RunFacts& facts,
                    const std::vector<BlockIndex>& blocks) {
  std::optional<trace::SideInputs> inputs = open_inputs(request, judge);
  const std::optional<Digest> salt = read_root_salt(request, judge);
  Result<trace::Openings> openings =
      trace::Openings::open(request.run, request.contract, entries, &engine.pool());
  if (!openings) judge.weigh(Check::kMissing, "store", openings.error());
  if (!inputs || !openings) return;
  const std::uint64_t listed = facts.abort ? facts.abort_position : entries.size();
  check_step_lists(request.contract, *openings, *inputs, listed, judge);
  check_state_lists(request.contract, *openings, *inputs, salt, listed, judge, facts);
  if (facts.closed) check_close(request.contract, *openings, *inputs, salt, judge, facts);
  if (facts.close) {
    if (request.delivered) compare_delivery(request, facts, verdict, judge);
  }
  if (facts.abort) {
    verdict.aborted = true;
    verdict.abort_proven = check_abort(request.contract, engine, *inputs, *openings, facts, judge);
  }
  if (facts.closed) {
    replay_blocks(request.contract, engine, *inputs, *openings, blocks, request.on_block, judge,
                  verdict);
  }
}

/// A folder that is not there at all is the caller's mistake, not something kept back.
Status check_folder(const Path& folder, std::string_view what) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return ok();
  return Error{Code::kNotFound, fmt::format("{} {} is not a folder", what, folder.string())};
}

/// The same for a folder that holds nothing of a run: one level too high, or a slip.
Status check_run_folder(const trace::RunFolder& run) {
  AFTUNE_TRY(check_folder(run.root, "run"));
  std::error_code error;
  if (std::filesystem::exists(run.contract(), error) || std::filesystem::exists(run.log(), error)) {
    return ok();
  }
  return Error{Code::kNotFound,
               fmt::format("{} holds no run: neither contract.json nor log/", run.root.string())};
}

/// The client's own copy must be the contract's: a mistake of the caller, not a lie.
Status check_own_data(const AuditRequest& request) {
  if (!request.data) return ok();
  AFTUNE_TRY(const text::Dataset data, text::Dataset::load(*request.data));
  const Digest root = data.root(request.contract.data_salt);
  if (root == request.contract.data_root) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("{} has root {}, the contract's data set has {}", request.data->string(),
                           root.hex(), request.contract.data_root.hex())};
}

}  // namespace

Result<Verdict> audit_run(const AuditRequest& request, const numerics::Engine& engine) {
  AFTUNE_TRY(check_run_folder(request.run));
  if (request.delivered) AFTUNE_TRY(check_folder(*request.delivered, "delivered model"));
  AFTUNE_TRY(check_own_data(request));
  AFTUNE_TRY(const auto kept,
             read_kept_checkpoints(request.witnesses, request.notes, request.contract.log_key()));
  Verdict verdict = empty_verdict(request);
  Judge judge(verdict);
  RunFacts facts;
  Chosen chosen;
  const auto log = tlog::read_log(request.run.log(), request.contract.log_key());
  if (!log) {
    if (request.challenge) judge.excuse_absence();  // the client may have lost it
    judge.weigh(Check::kLog, "log", log.error());
    AFTUNE_TRY(chosen, choose_blocks(request, {}, false, verdict, judge));
    if (request.challenge) check_answer(request, {}, chosen.is_due, judge);
  } else {
    verdict.checkpoint_note = log->checkpoint_note;
    verdict.entries = log->entries.size();
    check_entries(request.contract, log->entries, judge, facts);
    check_end(request, facts, judge);
    check_witnesses(request.contract, kept, *log, facts, request.now, limits_of(request.timings),
                    verdict, judge);
    AFTUNE_TRY(chosen, choose_blocks(request, log->entries, facts.closed, verdict, judge));
    if (request.challenge) check_answer(request, log->entries, chosen.is_due, judge);
    check_contents(request, log->entries, engine, verdict, judge, facts, chosen.blocks);
  }
  verdict.outcome = outcome_of(verdict, facts);
  if (log && verdict.outcome == Outcome::kReject) {
    verdict.evidence = evidence_of(request.contract, *log, verdict.blocks);
  }
  explain(facts, verdict);
  tell_achieved(request.contract, chosen.blocks.size(), verdict);
  return verdict;
}

}  // namespace aftune::audit
