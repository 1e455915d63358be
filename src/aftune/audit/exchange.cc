// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "aftune/audit/draw_rule.h"
#include "aftune/audit/whole_run.h"
#include "aftune/audit/witness_check.h"

namespace aftune::audit {
namespace {

/// All blocks in the order in which the contract's rule draws them.
Result<std::vector<BlockIndex>> order_of(const trace::Contract& contract,
                                         const trace::RunFolder& run,
                                         const std::vector<std::string>& entries,
                                         const ByteBuffer& secret,
                                         const tlog::Checkpoint& checkpoint) {
  AFTUNE_TRY(const DrawRule rule, draw_rule(contract, run, entries));
  return draw_order(secret, tlog::checkpoint_text(checkpoint), contract.partition().block_count,
                    contract.step_block_count(), rule);
}

/// The final note with one cosignature of each witness, the first that there is, and without lines
/// of strangers: the note that is stored and shown is bounded, whatever the provider adds to its.
Result<std::string> with_cosignatures(const tlog::LogReading& log, const trace::Contract& contract,
                                      const std::vector<KeptCheckpoint>& kept) {
  AFTUNE_TRY(tlog::SignedNote note, tlog::decode_note(log.checkpoint_note));
  const tlog::VerifierKey key = contract.log_key();
  std::vector<const tlog::SignedNote*> sources{&note};
  for (const KeptCheckpoint& one : kept) {
    if (one.checkpoint == log.checkpoint) sources.push_back(&one.note);
  }
  std::vector<tlog::NoteSignature> lines;
  const auto is_of = [](const auto& signer) {
    return [&signer, id = signer.id()](const tlog::NoteSignature& line) {
      return line.name == signer.name && line.key_id == id;
    };
  };
  std::copy_if(note.signatures.begin(), note.signatures.end(), std::back_inserter(lines),
               is_of(key));
  for (const tlog::WitnessKey& witness : contract.audit.witnesses.keys) {
    for (const tlog::SignedNote* source : sources) {
      const std::size_t before = lines.size();
      for (const tlog::NoteSignature& line : source->signatures) {
        const tlog::SignedNote alone{source->text, {line}};
        if (lines.size() == before && !tlog::cosigned_at(alone, witness).empty()) {
          lines.push_back(line);
        }
      }
      if (lines.size() != before) break;
    }
  }
  note.signatures = std::move(lines);
  return tlog::encode_note(note);
}

/// That the log is closed and attested: before that no secret is shown.
Status check_ready(const ChallengeRequest& request, const tlog::LogReading& log,
                   const std::vector<KeptCheckpoint>& kept) {
  Verdict verdict;
  Judge judge(verdict);
  RunFacts facts;
  check_entries(request.contract, log.entries, judge, facts);
  check_witnesses(request.contract, kept, log, facts, request.now, {}, verdict, judge);
  if (!verdict.findings.empty()) {
    const Finding& first = verdict.findings[0];
    return Error{Code::kCorrupt, fmt::format("{}: {}", first.place, first.message)};
  }
  if (!facts.closed) {
    return Error{Code::kInvalidInput, "the run is not closed: nothing is drawn before its end"};
  }
  if (verdict.unchecked.empty()) return ok();
  return Error{Code::kUnavailable, "the secret was not shown: " + verdict.unchecked[0]};
}

}  // namespace

Result<Challenge> make_challenge(const ChallengeRequest& request) {
  const trace::Contract& contract = request.contract;
  AFTUNE_TRY(ByteBuffer secret, read_secret(request.secret, contract));
  AFTUNE_TRY(const auto kept, read_kept_checkpoints(request.witnesses, {}, contract.log_key()));
  AFTUNE_TRY(const tlog::LogReading log, tlog::read_log(request.run.log(), contract.log_key()));
  AFTUNE_TRY(check_ready(request, log, kept));
  AFTUNE_TRY(const auto pin, read_pin(request.secret, contract));
  if (pin && pin->checkpoint != log.checkpoint) {
    return Error{Code::kCorrupt,
                 fmt::format("the secret drew for another final checkpoint, with root {}; the log "
                             "that is shown has {}",
                             pin->checkpoint.root.hex(), log.checkpoint.root.hex())};
  }
  AFTUNE_TRY(const std::string note, with_cosignatures(log, contract, kept));
  if (!pin) AFTUNE_TRY(write_pin(request.secret, note));
  AFTUNE_TRY(std::vector<BlockIndex> blocks,
             order_of(contract, request.run, log.entries, secret, log.checkpoint));
  blocks.resize(
      std::min<std::uint64_t>(blocks.size(), std::max(request.count, contract.audit.blocks)));
  return Challenge{contract.digest(), std::move(secret), note, std::move(blocks)};
}

Status accept_challenge(const trace::RunFolder& run, const trace::Contract& contract,
                        const tlog::LogReading& log, const SignedChallenge& challenge) {
  if (log.checkpoint != challenge.checkpoint) {
    return Error{Code::kInvalidInput,
                 fmt::format("the challenge is for a log of {} entries with root {}, this run's "
                             "has {} with root {}",
                             challenge.checkpoint.size, challenge.checkpoint.root.hex(),
                             log.checkpoint.size, log.checkpoint.root.hex())};
  }
  AFTUNE_TRY(const auto order, order_of(contract, run, log.entries, challenge.challenge.secret,
                                        challenge.checkpoint));
  return follows_from_draw(challenge.challenge, order);
}

Result<Manifest> make_answer(const trace::RunFolder& run, const trace::Contract& contract,
                             const SignedChallenge& challenge) {
  AFTUNE_TRY(const tlog::LogReading log, tlog::read_log(run.log(), contract.log_key()));
  AFTUNE_TRY(accept_challenge(run, contract, log, challenge));
  return make_manifest(run, contract, log.entries, challenge);
}

}  // namespace aftune::audit
