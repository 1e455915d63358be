// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "aftune/audit/detection.h"
#include "aftune/base/log_line.h"

namespace aftune::audit {
namespace {

using codec::Json;

constexpr std::size_t kShownFindings = 8;
constexpr std::string_view kVerifier = "aftune 0.1.0, exact arithmetic 1";

std::string block_list(const Verdict& verdict, bool rebuilt) {
  std::string out;
  for (const ReplayedBlock& block : verdict.blocks) {
    if (block.rebuilt_only != rebuilt) continue;
    out += fmt::format(" ({},{}){}", block.layer_block, block.step_block, block.held ? "" : "!");
  }
  return out;
}

std::uint64_t audited(const Verdict& verdict) {
  return static_cast<std::uint64_t>(
      std::count_if(verdict.blocks.begin(), verdict.blocks.end(),
                    [](const ReplayedBlock& block) { return !block.rebuilt_only; }));
}

std::string headline(const Verdict& verdict) {
  switch (verdict.outcome) {
    case Outcome::kAccept:
      return "ACCEPT: everything that was checked is exactly what both sides agreed";
    case Outcome::kReject:
      return "REJECT: the provider's evidence does not hold";
    case Outcome::kInconclusive:
      if (verdict.abort_proven) {
        return "INCONCLUSIVE: the run was aborted, and a replay proves that it had to be";
      }
      return verdict.aborted
                 ? "INCONCLUSIVE: the run was aborted for a reason that nobody can check"
                 : "INCONCLUSIVE: nothing wrong was found, but not enough was checked";
  }
  return "";
}

/// What the draw was worth, in few words.
std::string achieved_text(const Verdict& verdict) {
  if (verdict.achieved.empty()) return "";
  if (verdict.drawn_by == DrawnBy::kAll) {
    return "  chance     every block was replayed: a lie inside any of them would have been met\n";
  }
  std::string odds;
  for (const Achieved& a : verdict.achieved) {
    const bool steps = a.threat.starts_with("steps-skipped");
    const std::string who =
        steps ? "half of the steps"
              : fmt::format("{} block{}", a.bad_blocks, a.bad_blocks == 1 ? "" : "s");
    odds += fmt::format("{}{}: {:.1f} %", odds.empty() ? "" : ", ", who,
                        std::floor(1000 * a.probability + 1e-6) / 10);
  }
  return fmt::format("  chance     to meet a provider that spoiled {} ({} draw{})\n", odds,
                     strategy_name(verdict.strategy),
                     verdict.strategy == trace::Strategy::kUniform ? "" : ", at least");
}

std::string blocks_text(const Verdict& verdict) {
  std::string out = fmt::format("  grid       {} layer blocks x {} step blocks, {} steps\n",
                                verdict.layer_blocks, verdict.step_blocks, verdict.steps);
  const std::uint64_t count = audited(verdict);
  out +=
      fmt::format("  replayed   {} of {} blocks (layer,step){}; chosen by: {}\n", count,
                  verdict.blocks_total, block_list(verdict, false), drawn_name(verdict.drawn_by));
  const std::string rebuilt = block_list(verdict, true);
  if (!rebuilt.empty()) {
    out +=
        fmt::format("  rebuilt    {} to make states and edges that are not there, compared alike\n",
                    rebuilt.substr(1));
  }
  if (verdict.not_handed_over > 0) {
    out += fmt::format(
        "  absent     {} objects that the contract stores were not handed over: made "
        "again, equal to their commitments\n",
        verdict.not_handed_over);
  }
  out += achieved_text(verdict);
  return out;
}

/// The first finding of each check at each place, and how many are like it: one lie leaves many
/// marks, and the first ones should not be all of one kind.
std::string findings_text(const std::vector<Finding>& findings) {
  std::string out;
  std::size_t shown = 0, told = 0;
  for (std::size_t i = 0; i < findings.size() && shown < kShownFindings; ++i) {
    const auto alike = [&](const Finding& other) {
      return other.check == findings[i].check && other.place == findings[i].place;
    };
    const auto here = findings.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(findings.begin(), here, alike)) continue;
    const auto count = static_cast<std::size_t>(std::count_if(here, findings.end(), alike));
    out += fmt::format("  found      [{}] {}: {}{}\n", check_name(findings[i].check),
                       findings[i].place, printable(findings[i].message),
                       count > 1 ? fmt::format(" (and {} more like it)", count - 1) : "");
    ++shown;
    told += count;
  }
  if (findings.size() > told) {
    out += fmt::format("  found      and {} more\n", findings.size() - told);
  }
  return out;
}

Json finding_json(const Finding& finding) {
  Json::Object out{{"check", Json(check_name(finding.check))},
                   {"message", Json(finding.message)},
                   {"place", Json(finding.place)}};
  if (!finding.committed.empty()) out["committed"] = finding.committed;
  if (!finding.recomputed.empty()) out["recomputed"] = finding.recomputed;
  return out;
}

Json strings_json(const std::vector<std::string>& texts) {
  Json::Array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

Json witnesses_json(const std::vector<WitnessReport>& witnesses) {
  Json::Array out;
  for (const WitnessReport& witness : witnesses) {
    out.emplace_back(Json::Object{{"attests", Json(witness.attests)},
                                  {"message", Json(witness.message)},
                                  {"name", Json(witness.name)}});
  }
  return out;
}

Json evidence_json(const std::vector<EntryProof>& evidence) {
  Json::Array out;
  for (const EntryProof& one : evidence) {
    Json::Array path;
    for (const Digest& hash : one.path) path.emplace_back(hash.hex());
    out.emplace_back(Json::Object{
        {"entry", Json(one.entry)}, {"index", Json(one.index)}, {"proof", Json(std::move(path))}});
  }
  return out;
}

Json achieved_json(const std::vector<Achieved>& all) {
  Json::Array out;
  for (const Achieved& a : all) {
    out.emplace_back(Json::Object{{"bad_blocks", Json(a.bad_blocks)},
                                  {"probability", Json(spell_probability(a.probability))},
                                  {"threat", Json(a.threat)}});
  }
  return out;
}

Json predicate(const Verdict& verdict) {
  Json::Array findings, blocks;
  for (const Finding& finding : verdict.findings) findings.push_back(finding_json(finding));
  for (const ReplayedBlock& block : verdict.blocks) {
    blocks.emplace_back(Json::Object{{"held", Json(block.held)},
                                     {"layer_block", Json(block.layer_block)},
                                     {"rebuilt_only", Json(block.rebuilt_only)},
                                     {"seconds", Json(fmt::format("{:.3f}", block.seconds))},
                                     {"step_block", Json(block.step_block)}});
  }
  Json::Object out{{"blocks", Json(std::move(blocks))},
                   {"blocks_total", Json(verdict.blocks_total)},
                   {"checkpoint", Json(verdict.checkpoint_note)},
                   {"delivery_checked", Json(verdict.delivery_checked)},
                   {"detection", achieved_json(verdict.achieved)},
                   {"drawn_by", Json(drawn_name(verdict.drawn_by))},
                   {"findings", Json(std::move(findings))},
                   {"not_checked", strings_json(verdict.not_checked)},
                   {"not_handed_over", Json(verdict.not_handed_over)},
                   {"outcome", Json(outcome_name(verdict.outcome))},
                   {"policy_blocks", Json(verdict.policy_blocks)},
                   {"strategy", Json(strategy_name(verdict.strategy))},
                   {"unchecked", strings_json(verdict.unchecked)},
                   {"verifier", Json(kVerifier)}};
  if (!verdict.challenge.empty()) out["challenge"] = verdict.challenge;
  if (!verdict.timings.empty()) out["timings"] = strings_json(verdict.timings);
  if (verdict.manifest) out["manifest"] = verdict.manifest->hex();
  if (!verdict.evidence.empty()) out["evidence"] = evidence_json(verdict.evidence);
  if (!verdict.witnesses.empty()) out["witnesses"] = witnesses_json(verdict.witnesses);
  if (!verdict.other_checkpoint_note.empty()) {
    out["other_checkpoint"] = verdict.other_checkpoint_note;
  }
  return out;
}

}  // namespace

std::string_view drawn_name(DrawnBy by) {
  switch (by) {
    case DrawnBy::kNone:
      return "none";
    case DrawnBy::kHand:
      return "hand";
    case DrawnBy::kSecret:
      return "secret";
    case DrawnBy::kAll:
      return "all";
  }
  return "?";
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAccept:
      return "ACCEPT";
    case Outcome::kReject:
      return "REJECT";
    case Outcome::kInconclusive:
      return "INCONCLUSIVE";
  }
  return "?";
}

std::string_view check_name(Check check) {
  switch (check) {
    case Check::kLog:
      return "log";
    case Check::kEntry:
      return "entry";
    case Check::kList:
      return "list";
    case Check::kData:
      return "data";
    case Check::kRule:
      return "rule";
    case Check::kBase:
      return "base";
    case Check::kState:
      return "state";
    case Check::kActivation:
      return "activation";
    case Check::kGradient:
      return "gradient";
    case Check::kLoss:
      return "loss";
    case Check::kNorm:
      return "norm";
    case Check::kModelRoot:
      return "model-root";
    case Check::kDelivery:
      return "delivery";
    case Check::kOpening:
      return "opening";
    case Check::kMissing:
      return "missing";
    case Check::kDeadline:
      return "deadline";
    case Check::kAbort:
      return "abort";
  }
  return "?";
}

std::string verdict_text(const Verdict& verdict) {
  std::string out = headline(verdict) + "\n";
  out += fmt::format("  contract   {}\n", verdict.contract_digest.hex());
  out += fmt::format("  log        {} entries\n", verdict.entries);
  out += blocks_text(verdict);
  out += fmt::format("  delivered  {}\n",
                     verdict.delivery_checked ? "compared with the last states, file by file"
                     : verdict.delivery_given ? "NOT CHECKED: the log binds nothing to compare with"
                                              : "NOT CHECKED: no --delivered folder was given");
  for (const WitnessReport& witness : verdict.witnesses) {
    out += fmt::format("  witness    {} {}: {}\n", printable(witness.name),
                       witness.attests ? "attests" : "does NOT attest", witness.message);
  }
  out += findings_text(verdict.findings);
  for (const std::string& text : verdict.unchecked) {
    out += "  open       " + printable(text) + "\n";
  }
  for (const std::string& text : verdict.not_checked) out += "  not told   " + text + "\n";
  return out;
}

codec::Json verdict_statement(const Verdict& verdict) {
  Json::Array subject;
  subject.emplace_back(
      Json::Object{{"digest", Json(Json::Object{{"sha256", Json(verdict.contract_digest.hex())}})},
                   {"name", Json(verdict.origin)}});
  if (verdict.delivered_sha256) {
    subject.emplace_back(Json::Object{
        {"digest", Json(Json::Object{{"sha256", Json(verdict.delivered_sha256->hex())}})},
        {"name", Json(verdict.delivered_name)}});
  }
  return Json::Object{{"_type", Json("https://in-toto.io/Statement/v1")},
                      {"predicate", predicate(verdict)},
                      {"predicateType", Json("urn:aftune:verdict:1")},
                      {"subject", Json(std::move(subject))}};
}

}  // namespace aftune::audit
