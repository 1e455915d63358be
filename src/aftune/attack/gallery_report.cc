// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "aftune/attack/gallery_run.h"
#include "aftune/audit/detection.h"

namespace aftune::attack {
namespace {

using codec::Json;

/// The part of a finding's message before its values, short enough for a table.
std::string short_cause(const LieOutcome& lie) {
  constexpr std::size_t kWidth = 72;
  std::string text = lie.cause.substr(0, lie.cause.find(" (the "));
  for (const char* values : {": committed ", " of its values differ"}) {
    const auto at = text.find(values);
    if (at == std::string::npos) continue;
    text.resize(std::min(at, text.rfind(':', at)));
  }
  for (char& c : text) {
    if (c == '|' || c == '\n') c = '/';
  }
  if (text.size() > kWidth) text = text.substr(0, kWidth) + "...";
  return text;
}

std::string draws(const GalleryReport& report, const LieOutcome& lie) {
  if (lie.without_replay) return "0 | 100 %";
  if (!lie.caught()) return "never | 0 %";
  if (lie.bad_blocks == 0) return "? | ?";
  return fmt::format("{:.1f} | {:.0f} %", expected_draws(report.blocks_total, lie.bad_blocks),
                     100 * audit::detection_probability(report.blocks_total, lie.bad_blocks,
                                                        report.policy_blocks));
}

std::string row_text(const GalleryReport& report, const LieOutcome& lie) {
  if (!lie.why_not.empty()) {
    return fmt::format("| {} | {} | not told | | {} | | | | | |\n", lie.row, lie.lie, lie.why_not);
  }
  return fmt::format(
      "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2f} |\n", lie.row, lie.lie,
      audit::outcome_name(lie.verdict), lie.check, short_cause(lie), lie.place,
      lie.without_replay ? std::string("-") : fmt::format("{}", lie.bad_blocks), draws(report, lie),
      lie.relative_l2 ? fmt::format("{:.1e}", *lie.relative_l2) : std::string("-"), lie.seconds);
}

}  // namespace

std::string gallery_text(const GalleryReport& report) {
  std::string out = fmt::format(
      "The honest twin: ACCEPT, all {} blocks replayed in {:.1f} s. Lies of training begin at step "
      "block {}.\n\n",
      report.blocks_total, report.honest_seconds, report.from_step_block);
  out +=
      "| row | lie | verdict | check | cause | caught at | bad blocks | draws | met by the policy "
      "| "
      "relative L2 | seconds |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
  std::uint64_t told = 0;
  for (const LieOutcome& lie : report.lies) {
    out += row_text(report, lie);
    told += lie.why_not.empty() ? 1U : 0U;
  }
  out += fmt::format("\n{} lies told, {} accepted, {} not told.\n", told, report.accepted(),
                     report.lies.size() - told);
  return out;
}

Json gallery_json(const GalleryReport& report) {
  Json::Array lies;
  for (const LieOutcome& lie : report.lies) {
    Json::Object out{{"row", lie.row}, {"lie", lie.lie}};
    if (!lie.why_not.empty()) {
      out["verdict"] = "NOT TOLD";
      out["cause"] = lie.why_not;
      out["check"] = "";
      out["seconds"] = 0;
      lies.emplace_back(std::move(out));
      continue;
    }
    out["verdict"] = audit::outcome_name(lie.verdict);
    out["check"] = lie.check;
    out["place"] = lie.place;
    out["cause"] = lie.cause;
    out["without_replay"] = lie.without_replay;
    out["bad_blocks"] = lie.bad_blocks;
    if (lie.without_replay) {
      out["expected_draws"] = 0;
    } else if (lie.caught() && lie.bad_blocks > 0) {
      out["expected_draws"] = expected_draws(report.blocks_total, lie.bad_blocks);
    }
    if (lie.relative_l2) out["relative_l2"] = *lie.relative_l2;
    out["telling_seconds"] = lie.telling_seconds;
    out["seconds"] = lie.seconds;
    lies.emplace_back(std::move(out));
  }
  return Json::Object{{"accepted", report.accepted()},
                      {"blocks_total", report.blocks_total},
                      {"from_step_block", report.from_step_block},
                      {"honest_seconds", report.honest_seconds},
                      {"honest_verdict", "ACCEPT"},
                      {"lies", std::move(lies)},
                      {"policy_blocks", report.policy_blocks}};
}

}  // namespace aftune::attack
