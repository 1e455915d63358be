// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/receipt_verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/log_line.h"
#include "aftune/codec/dsse.h"
#include "aftune/codec/json_reader.h"
#include "aftune/crypto/sha256.h"
#include "aftune/tlog/tlog_proof.h"

namespace aftune::audit {
namespace {

using codec::Json;

constexpr std::size_t kShownFindings = 8;

const char* headline(const ReceiptVerdict& verdict) {
  switch (verdict.outcome) {
    case Outcome::kAccept:
      return "ACCEPT: the answer is what the stated model gives to this request";
    case Outcome::kReject:
      return "REJECT: the receipt does not hold for this answer";
    case Outcome::kInconclusive:
      return "INCONCLUSIVE: nothing wrong was found, but not enough was checked";
  }
  return "";
}

std::string blocks_text(const ReceiptVerdict& verdict) {
  std::string drawn, rebuilt;
  std::size_t count = 0;
  double seconds = 0;
  for (const ReplayedLayers& block : verdict.blocks) {
    (block.rebuilt_only ? rebuilt : drawn) +=
        fmt::format(" {}{}", block.layer_block, block.held ? "" : "!");
    if (!block.rebuilt_only) ++count;
    seconds += block.seconds;
  }
  std::string out =
      fmt::format("  replayed   {} of {} layer blocks:{} ({:.2f} s); chosen by: {}\n", count,
                  verdict.blocks_total, drawn, seconds, drawn_name(verdict.drawn_by));
  if (!rebuilt.empty()) {
    out += fmt::format("  rebuilt    layer blocks{} to make edges that are not there\n", rebuilt);
  }
  return out;
}

Json finding_json(const receipt::ReceiptFinding& finding) {
  Json::Object out{{"check", Json(receipt::check_name(finding.check))},
                   {"message", Json(printable(finding.message))},
                   {"place", Json(finding.place)}};
  if (!finding.committed.empty()) out["committed"] = finding.committed;
  if (!finding.recomputed.empty()) out["recomputed"] = finding.recomputed;
  return out;
}

Json training_json(const std::optional<TrainingVerdict>& training) {
  if (!training) return Json("not audited");
  return Json::Object{{"contract", Json(training->contract.hex())},
                      {"outcome", Json(training->outcome)},
                      {"verdict", Json(training->verdict.hex())}};
}

Json predicate(const ReceiptVerdict& verdict) {
  Json::Array findings, blocks, unchecked;
  for (const receipt::ReceiptFinding& finding : verdict.findings) {
    findings.push_back(finding_json(finding));
  }
  for (const ReplayedLayers& block : verdict.blocks) {
    blocks.emplace_back(Json::Object{{"held", Json(block.held)},
                                     {"layer_block", Json(block.layer_block)},
                                     {"rebuilt_only", Json(block.rebuilt_only)},
                                     {"seconds", Json(fmt::format("{:.3f}", block.seconds))}});
  }
  for (const std::string& text : verdict.unchecked) unchecked.emplace_back(printable(text));
  return Json::Object{{"blocks", Json(std::move(blocks))},
                      {"blocks_total", Json(verdict.blocks_total)},
                      {"checkpoint", Json(verdict.checkpoint_note)},
                      {"decisions", Json(verdict.decisions)},
                      {"drawn_by", Json(drawn_name(verdict.drawn_by))},
                      {"findings", Json(std::move(findings))},
                      {"model_root", Json(verdict.model_root.hex())},
                      {"not_handed_over", Json(verdict.not_handed_over)},
                      {"outcome", Json(outcome_name(verdict.outcome))},
                      {"seed", Json(receipt::seed_kind_name(verdict.seed))},
                      {"training", training_json(verdict.training)},
                      {"unchecked", Json(std::move(unchecked))},
                      {"verifier", Json("aftune 0.1.0, exact arithmetic 1")}};
}

Error not_this_run(const char* what) {
  return {Code::kInvalidInput, fmt::format("the training verdict is {}", what)};
}

/// The contract that a verdict's statement is about.
Result<Digest> subject_of(codec::JsonReader& statement) {
  AFTUNE_TRY(const Json::Array* subjects, statement.array("subject"));
  if (subjects->empty()) return not_this_run("about nothing");
  AFTUNE_TRY(codec::JsonReader subject,
             codec::JsonReader::open(subjects->front(), "verdict.subject[0]"));
  AFTUNE_TRY(codec::JsonReader digest, subject.object("digest"));
  return digest.digest("sha256");
}

}  // namespace

std::string receipt_verdict_text(const ReceiptVerdict& verdict) {
  std::string out = headline(verdict) + std::string("\n");
  out += fmt::format("  receipt    entry {}, request {}\n", verdict.position, verdict.id);
  out += fmt::format("  log        {}\n", printable(verdict.origin));
  out += fmt::format("  model      root {}\n", verdict.model_root.hex());
  out += verdict.training
             ? fmt::format("  training   {} by verdict {}\n", printable(verdict.training->outcome),
                           verdict.training->verdict.hex())
             : "  training   not audited\n";
  out += blocks_text(verdict);
  out +=
      fmt::format("  decisions  {} made again, and the head ({:.2f} s); seed: {}\n",
                  verdict.decisions, verdict.head_seconds, receipt::seed_kind_name(verdict.seed));
  if (verdict.not_handed_over > 0) {
    out += fmt::format("  absent     {} stored edges were not handed over: made again\n",
                       verdict.not_handed_over);
  }
  for (std::size_t i = 0; i < std::min(verdict.findings.size(), kShownFindings); ++i) {
    const receipt::ReceiptFinding& finding = verdict.findings[i];
    out += fmt::format("  found      [{}] {}: {}\n", receipt::check_name(finding.check),
                       finding.place, printable(finding.message));
  }
  if (verdict.findings.size() > kShownFindings) {
    out += fmt::format("  found      and {} more\n", verdict.findings.size() - kShownFindings);
  }
  for (const std::string& text : verdict.unchecked) {
    out += "  open       " + printable(text) + "\n";
  }
  return out;
}

Json receipt_verdict_statement(const ReceiptVerdict& verdict) {
  Json::Array subject;
  subject.emplace_back(
      Json::Object{{"digest", Json(Json::Object{{"sha256", Json(verdict.leaf.hex())}})},
                   {"name", Json(verdict.origin)}});
  return Json::Object{{"_type", Json("https://in-toto.io/Statement/v1")},
                      {"predicate", predicate(verdict)},
                      {"predicateType", Json("urn:aftune:receipt-verdict:1")},
                      {"subject", Json(std::move(subject))}};
}

Result<TrainingVerdict> read_training_verdict(std::string_view text,
                                              const trace::Contract& contract,
                                              const receipt::Statement& statement) {
  AFTUNE_TRY(receipt::check_training(statement, contract));
  AFTUNE_TRY(const codec::Dsse envelope, codec::decode_dsse(text, kVerdictType, kMaxVerdictBytes));
  if (!envelope.signed_by(contract.verifier.key)) {
    return not_this_run("not signed by the contract's verifier");
  }
  AFTUNE_TRY(const Json json, codec::parse_json(envelope.payload, {.bytes = kMaxVerdictBytes}));
  AFTUNE_TRY(codec::JsonReader reader, codec::JsonReader::open(json, "verdict"));
  AFTUNE_TRY(const std::string type, reader.string("predicateType"));
  if (type != "urn:aftune:verdict:1") return not_this_run("of another kind");
  AFTUNE_TRY(const Digest subject, subject_of(reader));
  if (subject != contract.digest()) return not_this_run("of another contract");
  AFTUNE_TRY(codec::JsonReader predicate, reader.object("predicate"));
  TrainingVerdict out{contract.digest(), {}, crypto::sha256(as_bytes(envelope.payload))};
  AFTUNE_TRY(out.outcome, predicate.string("outcome"));
  AFTUNE_TRY(const std::string note, predicate.string("checkpoint"));
  AFTUNE_TRY(const tlog::Checkpoint audited, tlog::open_checkpoint(note, contract.log_key()));
  AFTUNE_TRY(const tlog::TlogProof proof, tlog::decode_tlog_proof(statement.training->proof));
  AFTUNE_TRY(const tlog::Checkpoint stated,
             tlog::open_checkpoint(proof.checkpoint_note, contract.log_key()));
  if (!(audited == stated)) return not_this_run("of another final checkpoint");
  return out;
}

}  // namespace aftune::audit
