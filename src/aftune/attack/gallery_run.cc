// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/gallery_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/audit/auditor.h"
#include "aftune/base/stopwatch.h"

namespace aftune::attack {
namespace {

audit::AuditRequest audit_of(const GalleryRequest& request, const Twin& twin,
                             const trace::RunFolder& run) {
  audit::AuditRequest out{twin.contract.contract, run, {}, false, {}, 0, {}, {}, request.now, {}};
  std::error_code error;
  if (std::filesystem::is_directory(run.delivered(), error)) out.delivered = run.delivered();
  return out;
}

Status check_twin(const GalleryRequest& request, const Twin& twin, const numerics::Engine& engine,
                  GalleryReport& report) {
  audit::AuditRequest honest = audit_of(request, twin, twin.run);
  honest.all = true;
  const Stopwatch watch;
  AFTUNE_TRY(const audit::Verdict verdict, audit::audit_run(honest, engine));
  report.honest_seconds = watch.seconds();
  if (verdict.outcome == audit::Outcome::kAccept) return ok();
  std::string why;
  if (!verdict.findings.empty()) {
    const audit::Finding& first = verdict.findings.front();
    why = fmt::format(": [{}] {}: {}", audit::check_name(first.check), first.place, first.message);
  } else if (!verdict.unchecked.empty()) {
    why = ": " + verdict.unchecked.front();
  }
  return Error{Code::kInvalidInput,
               fmt::format("the run itself is not accepted, so that lies beside it show nothing: "
                           "{}{}",
                           audit::outcome_name(verdict.outcome), why)};
}

void take_verdict(const audit::Verdict& verdict, const trace::RunFolder& run, LieOutcome& out) {
  out.verdict = verdict.outcome;
  if (!verdict.findings.empty()) {
    const audit::Finding& first = verdict.findings.front();
    out.check = audit::check_name(first.check);
    out.place = first.place;
    out.cause = first.message;
    // The copy's own path says nothing to a reader.
    const std::string folder = run.root.string() + "/";
    for (auto at = out.cause.find(folder); at != std::string::npos; at = out.cause.find(folder)) {
      out.cause.erase(at, folder.size());
    }
  } else if (!verdict.unchecked.empty()) {
    out.cause = verdict.unchecked.front();
  }
}

/// First what needs no replay, then every block that the lie can have touched.
Status audit_lie(const GalleryRequest& request, const Ground& ground, const Told& told,
                 LieOutcome& out) {
  audit::AuditRequest whole = audit_of(request, ground.twin, ground.run);
  if (told.after_closing) {
    AFTUNE_TRY(const std::int64_t closes, trace::parse_utc(ground.contract().closes_by));
    whole.now = std::max(whole.now, closes + 1);
  }
  const Stopwatch watch;
  AFTUNE_TRY(const audit::Verdict first, audit::audit_run(whole, ground.engine));
  take_verdict(first, ground.run, out);
  out.without_replay = out.caught();
  out.seconds = watch.seconds();
  if (out.caught() || first.aborted) return ok();
  const trace::Timeline timeline = ground.timeline();
  const std::uint64_t begin = ground.from - std::min(ground.from, told.blocks_before);
  for (std::uint64_t j = begin; j < timeline.step_blocks(); ++j) {
    for (std::uint32_t i = 0; i < timeline.layer_blocks(); ++i) whole.blocks.push_back({i, j});
  }
  AFTUNE_TRY(const audit::Verdict verdict, audit::audit_run(whole, ground.engine));
  take_verdict(verdict, ground.run, out);
  const auto held = std::count_if(
      verdict.blocks.begin(), verdict.blocks.end(),
      [](const audit::ReplayedBlock& block) { return block.held && !block.rebuilt_only; });
  out.bad_blocks = whole.blocks.size() - static_cast<std::uint64_t>(held);
  out.seconds = watch.seconds();
  return ok();
}

Result<LieOutcome> run_lie(const GalleryRequest& request, const Lie& lie, const Ground& ground) {
  LieOutcome out;
  out.row = lie.row;
  out.lie = lie.name;
  AFTUNE_TRY(copy_run(ground.twin.run.root, ground.run.root));
  const Stopwatch watch;
  AFTUNE_TRY(const Told told, lie.tell(ground).in(lie.name));
  out.telling_seconds = watch.seconds();
  out.why_not = told.why_not;
  out.relative_l2 = told.relative_l2;
  if (told.why_not.empty()) AFTUNE_TRY(audit_lie(request, ground, told, out).in(lie.name));
  std::error_code error;
  std::filesystem::remove_all(ground.run.root, error);
  return out;
}

std::string progress_text(const LieOutcome& lie) {
  if (!lie.why_not.empty())
    return fmt::format("{} {}: not told: {}", lie.row, lie.lie, lie.why_not);
  return fmt::format("{} {}: {} [{}] {} ({} bad blocks, {:.1f} s to tell, {:.1f} s to audit{})",
                     lie.row, lie.lie, audit::outcome_name(lie.verdict), lie.check, lie.place,
                     lie.bad_blocks, lie.telling_seconds, lie.seconds,
                     lie.relative_l2 ? fmt::format(", relative L2 {:.2e}", *lie.relative_l2) : "");
}

bool is_called(const Lie& lie, const std::string& word) {
  return lie.row == word || lie.name.find(word) != std::string::npos;
}

bool wanted(const GalleryRequest& request, const Lie& lie) {
  return request.only.empty() ||
         std::any_of(request.only.begin(), request.only.end(),
                     [&](const std::string& word) { return is_called(lie, word); });
}

/// Lies are searched for and measured in fp32. Of moments none asks for a value.
Status check_dtypes(const trace::Dtypes& dtypes) {
  if (dtypes.boundary == Dtype::kF32 && dtypes.frozen == Dtype::kF32) return ok();
  return Error{Code::kUnsupported,
               fmt::format("the contract has edges in {} and a base in {}, the gallery tells lies "
                           "about F32 and F32 only",
                           dtype_name(dtypes.boundary), dtype_name(dtypes.frozen))};
}

/// A word that means no lie would look like a lie that was told and caught.
Status check_words(const trace::Contract& contract, const std::vector<std::string>& words) {
  const std::vector<Lie> lies = gallery(contract);
  for (const std::string& word : words) {
    if (std::none_of(lies.begin(), lies.end(),
                     [&](const Lie& lie) { return is_called(lie, word); })) {
      return Error{Code::kInvalidInput, fmt::format("no lie of the gallery is called {}", word)};
    }
  }
  return ok();
}

}  // namespace

std::uint64_t GalleryReport::accepted() const {
  return static_cast<std::uint64_t>(
      std::count_if(lies.begin(), lies.end(),
                    [](const LieOutcome& lie) { return lie.why_not.empty() && !lie.caught(); }));
}

double expected_draws(std::uint64_t total, std::uint64_t bad) {
  return static_cast<double>(total + 1) / static_cast<double>(bad + 1);
}

Result<GalleryReport> run_gallery(const GalleryRequest& request, const numerics::Engine& engine) {
  AFTUNE_TRY(check_dtypes(request.contract.dtypes));
  const auto say = [&](const std::string& line) {
    if (request.on_progress) request.on_progress(line);
  };
  AFTUNE_TRY(check_words(request.contract, request.only));
  AFTUNE_TRY(const Twin twin,
             take_over(request.contract, request.run, request.data, request.work / "honest"));
  const trace::Timeline timeline(request.contract);
  GalleryReport report;
  report.blocks_total = request.contract.block_count();
  report.policy_blocks = request.contract.audit.blocks;
  if (request.begin == Begin::kLastStates) {
    report.from_step_block = timeline.stored_before(timeline.step_blocks() - 1);
  }
  say(fmt::format("auditing all {} blocks of the honest twin", report.blocks_total));
  AFTUNE_TRY(check_twin(request, twin, engine, report));
  std::uint64_t count = 0;
  for (const Lie& lie : gallery(request.contract)) {
    if (!wanted(request, lie)) continue;
    const Ground ground{
        twin, engine, report.from_step_block, {request.work / fmt::format("lie-{}", ++count)}};
    AFTUNE_TRY(LieOutcome outcome, run_lie(request, lie, ground));
    say(progress_text(outcome));
    report.lies.push_back(std::move(outcome));
  }
  return report;
}

}  // namespace aftune::attack
