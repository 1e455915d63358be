// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/reproduction.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aftune/codec/dsse.h"
#include "aftune/codec/json_reader.h"
#include "aftune/tlog/merkle.h"

namespace aftune::audit {
namespace {

using codec::Json;

Error bad_verdict(std::string what) { return {Code::kInvalidInput, "verdict: " + std::move(what)}; }

/// A member that must be there and be a string.
Result<std::string> text_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  if (value != nullptr && value->string() != nullptr) return *value->string();
  return bad_verdict(fmt::format("{} is missing or no string", name));
}

std::string text_or_empty(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->string() != nullptr ? *value->string() : std::string();
}

Result<const Json::Array*> array_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  if (value != nullptr && value->array() != nullptr) return value->array();
  return bad_verdict(fmt::format("{} is missing or no array", name));
}

/// The check of a name that check_name gives.
Result<Check> check_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Check::kAbort); ++i) {
    if (check_name(static_cast<Check>(i)) == name) return static_cast<Check>(i);
  }
  return bad_verdict(fmt::format("\"{}\" is no check", name));
}

Status read_findings(const Json& predicate, ReportedReject& out) {
  AFTUNE_TRY(const Json::Array* items, array_of(predicate, "findings"));
  for (const Json& item : *items) {
    Finding finding;
    AFTUNE_TRY(const std::string check, text_of(item, "check"));
    AFTUNE_TRY(finding.check, check_of(check));
    AFTUNE_TRY(finding.place, text_of(item, "place"));
    AFTUNE_TRY(finding.message, text_of(item, "message"));
    finding.committed = text_or_empty(item, "committed");
    finding.recomputed = text_or_empty(item, "recomputed");
    out.findings.push_back(std::move(finding));
  }
  return out.findings.empty() ? Status(bad_verdict("a REJECT without a finding")) : ok();
}

Status read_blocks(const Json& predicate, ReportedReject& out) {
  AFTUNE_TRY(const Json::Array* items, array_of(predicate, "blocks"));
  for (const Json& item : *items) {
    const Json* held = item.find("held");
    const Json* row = item.find("layer_block");
    const Json* column = item.find("step_block");
    const bool whole = held != nullptr && held->boolean() != nullptr && row != nullptr &&
                       row->integer() != nullptr && column != nullptr &&
                       column->integer() != nullptr;
    if (!whole || *row->integer() < 0 || *row->integer() > UINT32_MAX || *column->integer() < 0) {
      return bad_verdict("a block has another form");
    }
    if (*held->boolean()) continue;
    out.blocks.push_back({static_cast<std::uint32_t>(*row->integer()),
                          static_cast<std::uint64_t>(*column->integer())});
  }
  return ok();
}

Status read_timing_texts(const Json& predicate, ReportedReject& out) {
  if (predicate.find("timings") == nullptr) return ok();
  AFTUNE_TRY(const Json::Array* items, array_of(predicate, "timings"));
  for (const Json& item : *items) {
    if (item.string() == nullptr) return bad_verdict("a timing is no string");
    out.timings.push_back(*item.string());
  }
  return ok();
}

Status check_proof(const Json& item, const tlog::Checkpoint& checkpoint) {
  const Json* index = item.find("index");
  if (index == nullptr || index->integer() == nullptr || *index->integer() < 0) {
    return bad_verdict("evidence without an index");
  }
  AFTUNE_TRY(const std::string entry, text_of(item, "entry"));
  AFTUNE_TRY(const Json::Array* hashes, array_of(item, "proof"));
  std::vector<Digest> path;
  for (const Json& hash : *hashes) {
    if (hash.string() == nullptr) return bad_verdict("a hash of a proof is no string");
    AFTUNE_TRY(const Digest digest, parse_digest(*hash.string()).in("verdict: proof"));
    path.push_back(digest);
  }
  if (tlog::verify_inclusion(tlog::leaf_hash(as_bytes(entry)),
                             static_cast<std::uint64_t>(*index->integer()), checkpoint.size, path,
                             checkpoint.root)) {
    return ok();
  }
  return bad_verdict(
      fmt::format("entry {} is not in the log of its checkpoint", *index->integer()));
}

bool is_of(const Json& statement, const trace::Contract& contract) {
  const Json* subject = statement.find("subject");
  if (subject == nullptr || subject->array() == nullptr || subject->array()->empty()) return false;
  const Json* digests = subject->array()->front().find("digest");
  const Json* digest = digests == nullptr ? nullptr : digests->find("sha256");
  return digest != nullptr && *digest == Json(contract.digest().hex());
}

/// Whether two verifiers found one thing, whatever they may show of values. A log is contradicted
/// by a note alike, whether it was stored beside a secret or kept by a witness.
bool is_same(const Finding& a, const Finding& b) {
  const bool placed = a.place == b.place || (a.check == Check::kLog && !a.committed.empty());
  return placed && a.check == b.check && a.committed == b.committed && a.recomputed == b.recomputed;
}

/// A split view, told from its other side: the verdict has both notes, and the second verifier may
/// be shown either log. What contradicts it is then the note of the log that was judged.
bool is_other_side(const ReportedReject& reported, const Finding& finding, const Verdict& verdict) {
  const bool split = finding.check == Check::kLog && !finding.committed.empty() &&
                     !reported.other_checkpoint.empty();
  return split && !verdict.other_checkpoint_note.empty() &&
         verdict.other_checkpoint_note == reported.checkpoint_note;
}

}  // namespace

Result<ReportedReject> read_reject(std::string_view envelope, const trace::Contract& contract) {
  AFTUNE_TRY(const codec::Dsse dsse,
             codec::decode_dsse(envelope, kVerdictType, kMaxVerdictBytes).in("verdict"));
  AFTUNE_TRY(
      const Json statement,
      codec::parse_json(dsse.payload, {.bytes = kMaxVerdictBytes, .depth = 8}).in("verdict"));
  if (!is_of(statement, contract))
    return bad_verdict("it is not of contract " + contract.digest().hex());
  const Json* predicate = statement.find("predicate");
  if (predicate == nullptr) return bad_verdict("no predicate");
  AFTUNE_TRY(const std::string outcome, text_of(*predicate, "outcome"));
  if (outcome != outcome_name(Outcome::kReject)) {
    return bad_verdict(fmt::format("it says {}: only a REJECT is reproduced", outcome));
  }
  ReportedReject out;
  out.is_signed = dsse.signed_by(contract.verifier.key);
  AFTUNE_TRY(out.checkpoint_note, text_of(*predicate, "checkpoint"));
  out.other_checkpoint = text_or_empty(*predicate, "other_checkpoint");
  out.challenge = text_or_empty(*predicate, "challenge");
  if (const std::string digest = text_or_empty(*predicate, "manifest"); !digest.empty()) {
    AFTUNE_TRY(out.manifest, parse_digest(digest).in("verdict: manifest"));
  }
  AFTUNE_TRY(read_timing_texts(*predicate, out));
  AFTUNE_TRY(read_findings(*predicate, out));
  AFTUNE_TRY(read_blocks(*predicate, out));
  const Json* evidence = predicate->find("evidence");
  if (evidence == nullptr) return out;
  if (evidence->array() == nullptr) return bad_verdict("evidence is no array");
  AFTUNE_TRY(const tlog::Checkpoint checkpoint,
             tlog::open_checkpoint(out.checkpoint_note, contract.log_key()).in("verdict"));
  for (const Json& item : *evidence->array()) AFTUNE_TRY(check_proof(item, checkpoint));
  return out;
}

Status ask_again(const ReportedReject& reported, std::string_view manifest, AuditRequest& request) {
  // The log that was judged, and what contradicts it: another one than is shown now is a split
  // view.
  for (const std::string& note : {reported.checkpoint_note, reported.other_checkpoint}) {
    if (!note.empty()) request.notes.push_back(note);
  }
  request.blocks = reported.blocks;
  if (reported.challenge.empty()) return ok();
  AFTUNE_TRY(SignedChallenge asked, open_challenge(reported.challenge, request.contract));
  for (const std::string& text : reported.timings) {
    AFTUNE_TRY(SignedTiming timing, open_timing(text, request.contract, asked.digest));
    request.timings.push_back(std::move(timing));
  }
  if (!manifest.empty()) {
    AFTUNE_TRY(request.manifest, open_manifest(manifest, request.contract, asked.digest));
  }
  request.challenge = std::move(asked);
  const auto hex = [](const std::optional<Digest>& digest) {
    return digest ? digest->hex() : std::string("none");
  };
  const auto given = request.manifest ? std::optional(request.manifest->digest) : std::nullopt;
  if (given == reported.manifest) return ok();
  return bad_verdict(
      fmt::format("it was given over manifest {}, here is {}", hex(reported.manifest), hex(given)));
}

std::vector<Finding> not_found_again(const ReportedReject& reported, const Verdict& verdict) {
  std::vector<Finding> out;
  for (const Finding& finding : reported.findings) {
    if (is_other_side(reported, finding, verdict)) continue;
    const auto same = [&finding](const Finding& other) { return is_same(finding, other); };
    if (std::none_of(verdict.findings.begin(), verdict.findings.end(), same)) {
      out.push_back(finding);
    }
  }
  return out;
}

}  // namespace aftune::audit
