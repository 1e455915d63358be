// SPDX-License-Identifier: Apache-2.0
// `aftune inspect`: a run at a glance.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/duration.h"
#include "aftune/cli/run_picture.h"
#include "aftune/cli/run_reading.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/metrics.h"
#include "aftune/trace/openings.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string run, contract;
};

std::string state_of(const RunReading& reading) {
  const auto& entries = reading.log.entries;
  const trace::Timeline timeline(reading.contract.contract);
  if (!entries.empty() && trace::is_abort(entries.back())) return "aborted";
  return entries.size() == timeline.entry_count() ? "closed" : "not closed";
}

void print_terms(const trace::Contract& c) {
  const auto& training = c.training;
  std::cout << fmt::format("contract {}\n", c.digest().hex());
  std::cout << fmt::format(
      "model    {}, {} layers, width {}; {}\n", model::traits_of(c.architecture.family).name,
      c.architecture.layer_count, c.architecture.hidden_size,
      c.adapter ? fmt::format("adapters of rank {} in {}", c.adapter->lora.rank,
                              fmt::join(c.adapter->lora.target_modules, ", "))
                : "all parameters are trained");
  std::cout << fmt::format(
      "data     {} rows as {}{}, {} samples of {} tokens a step, {} at a time\n", c.rows,
      c.text.format, c.text.packing ? ", packed" : "", c.batch.batch, c.text.sequence,
      c.batch.micro_batch);
  std::cout << fmt::format("training {} steps, {}, learning rate up to {:g}\n", c.steps,
                           *train::to_contract(training.optimizer).find("kind")->string(),
                           training.schedule.peak);
}

void print_losses(const std::vector<double>& losses) {
  std::cout << fmt::format("loss     {:.4f} -> {:.4f}\n", losses.front(), losses.back())
            << loss_curve(losses);
}

void print_metrics(const std::vector<trace::MetricLine>& lines, std::uint64_t steps) {
  std::vector<double> losses;
  double seconds = 0;
  std::uint64_t tokens = 0;
  for (const trace::MetricLine& line : lines) {
    losses.push_back(line.loss);
    seconds += line.seconds;
    tokens += line.tokens;
  }
  const auto done = static_cast<double>(lines.size());
  std::cout << fmt::format("steps    {} of {}, {:.3g} s each, {:.0f} tokens/s", lines.size(), steps,
                           seconds / done, seconds > 0 ? static_cast<double>(tokens) / seconds : 0);
  const std::uint64_t left = steps - std::min<std::uint64_t>(steps, lines.size());
  if (left > 0) {
    std::cout << fmt::format(", about {} left",
                             duration(seconds / done * static_cast<double>(left)));
  }
  std::cout << "\n";
  print_losses(losses);
  for (const trace::MetricLine& line : lines) {
    if (!line.eval_loss) continue;
    std::cout << fmt::format("held out after step {}: loss {:.4f}\n", line.step + 1,
                             *line.eval_loss);
  }
}

/// What the log commits to of its steps.
struct LoggedSteps {
  std::uint64_t count = 0;
  std::vector<double> losses;  // of those whose list is there
};

/// Errors: kCorrupt for a list that is not the committed one.
Result<LoggedSteps> logged_steps(const RunReading& reading) {
  const trace::Contract& contract = reading.contract.contract;
  const std::vector<std::string>& entries = reading.log.entries;
  const trace::Timeline timeline(contract);
  const std::size_t end =
      entries.size() - (!entries.empty() && trace::is_abort(entries.back()) ? 1 : 0);
  LoggedSteps out;
  while (out.count < contract.steps && timeline.position_of_step(out.count) < end) ++out.count;
  auto openings = trace::Openings::open(reading.run, contract, entries);
  if (!openings && openings.error().code == Code::kNotFound) return out;  // the log alone
  AFTUNE_TRY(const trace::Openings opened, std::move(openings));
  for (std::uint64_t step = 0; step < out.count; ++step) {
    const auto list = opened.step_list(step);
    if (!list && list.error().code == Code::kNotFound) continue;
    if (!list) return list.error();
    // As StepOutcome::loss().
    out.losses.push_back(std::accumulate(list->losses.begin(), list->losses.end(), 0.0F));
  }
  return out;
}

/// Of a run whose metrics.jsonl was not handed over.
Status print_logged(const RunReading& reading) {
  AFTUNE_TRY(const LoggedSteps steps, logged_steps(reading));
  std::cout << fmt::format("steps    {} of {}; no metrics.jsonl: what they took is not known\n",
                           steps.count, reading.contract.contract.steps);
  if (const std::uint64_t missing = steps.count - steps.losses.size(); missing > 0) {
    std::cout << fmt::format("losses of {} steps are not known: their lists are not in the store\n",
                             missing);
  }
  if (!steps.losses.empty()) print_losses(steps.losses);
  return ok();
}

Status inspect(const Args& args) {
  const trace::RunFolder folder{args.run};
  std::error_code ignored;
  const bool recorded = std::filesystem::exists(folder.contract(), ignored);
  std::optional<RunReading> reading;
  if (recorded) {
    AFTUNE_TRY(reading, read_run(args.run, args.contract));
  }
  auto metrics = trace::read_metrics(folder.metrics());
  const bool timed = metrics.has_value() || metrics.error().code != Code::kNotFound || !recorded;
  std::vector<trace::MetricLine> lines;
  if (timed) {
    AFTUNE_TRY(lines, std::move(metrics));
  }
  if (reading) {
    print_terms(reading->contract.contract);
    std::cout << fmt::format("log      {} entries, {}\n", reading->log.entries.size(),
                             state_of(*reading));
  } else {
    std::cout << "not recorded: there is no contract and no log\n";
  }
  if (!lines.empty()) {
    print_metrics(lines, reading ? reading->contract.contract.steps : lines.size());
  }
  if (!timed) AFTUNE_TRY(print_logged(*reading));
  if (reading) std::cout << grid_picture(reading->contract.contract, reading->log.entries.size());
  return ok();
}

Exit run_inspect(const Args& args) {
  const Status done = inspect(args);
  return done ? Exit::kOk : report("inspect", done.error());
}

}  // namespace

Command add_inspect(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("inspect", "A run at a glance: progress, loss curve, grid");
  cmd->footer(
      "Example:\n  aftune inspect run\nThe log is verified; metrics.jsonl is no part of the "
      "evidence: "
      "where it is not there the losses are those that the log commits to, and no times are shown. "
      "`aftune audit` checks a run.");
  cmd->add_option("run", args->run, "Run folder, finished or not")->required();
  cmd->add_option("--contract", args->contract, "Your own copy (default: the run's)");
  return {[cmd] { return cmd->parsed(); }, [args] { return run_inspect(*args); }};
}

}  // namespace aftune::cli
