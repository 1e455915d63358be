// SPDX-License-Identifier: Apache-2.0
// `aftune train`: run a contract.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/duration.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/remote_run.h"
#include "aftune/cli/value_checks.h"
#include "aftune/codec/key_file.h"
#include "aftune/trace/trainer.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string contract, run, key, model, data, encoding = "raw";
  bool resume = false, no_record = false, quiet = false;
  MachineArgs machine;
  std::string adapter, eval_data;
  std::uint64_t eval_steps = 0;
  RemoteArgs remote;
};

/// One line a step; time left from the mean of this process's steps.
struct ProgressPrinter {
  double seconds = 0;
  std::uint64_t steps = 0;

  void print(const trace::StepProgress& p) {
    seconds += p.seconds;
    ++steps;
    const double left =
        seconds / static_cast<double>(steps) * static_cast<double>(p.steps - p.step - 1);
    log_line(
        fmt::format("step {}/{}  loss {:.4f}  lr {:.2e}  norm {:.3f}  {:.0f} tokens/s  "
                    "left {}  waited for recording {:.1f} %",
                    p.step + 1, p.steps, p.loss, p.learning_rate, p.norm,
                    static_cast<double>(p.tokens) / p.seconds, duration(left),
                    100 * p.stalled_seconds / seconds));
    if (p.eval_loss) {
      log_line(fmt::format("held out after step {}: loss {:.4f}", p.step + 1, *p.eval_loss));
    }
  }
};

void summarise(const trace::TrainReport& report, const Args& args) {
  if (report.first_loss) {
    log_line(fmt::format("loss {:.4f} -> {:.4f} in {} steps, {}", *report.first_loss,
                         *report.last_loss, report.steps_run, duration(report.seconds)));
  }
  if (!args.no_record) {
    log_line(fmt::format("recording: training waited {:.2f} s, {:.2f} s of work beside it",
                         report.stalled_seconds, report.recording_seconds));
  }
  if (!args.remote.store.empty()) {
    log_line(fmt::format("copied {} files, {} bytes to {} in {:.2f} s beside it",
                         report.copied_files, report.copied_bytes, args.remote.store,
                         report.copying_seconds));
  }
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  log_line(fmt::format("peak memory {:.2f} GB", static_cast<double>(usage.ru_maxrss) / 1e6));
  log_line(fmt::format("delivered model: {}", (Path(args.run) / "model").string()));
}

/// Where there is no run, --resume is a slip in a path: it must not start another.
Status check_resume(const Args& args) {
  std::error_code error;
  if (!args.resume || std::filesystem::exists(args.run, error)) return ok();
  return Error{Code::kNotFound, fmt::format("there is no run in {} to resume", args.run)};
}

Result<trace::TrainReport> train(const Args& args) {
  AFTUNE_TRY(check_resume(args));
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
  AFTUNE_TRY(const codec::KeyFile key, codec::read_key_file(args.key));
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const auto remote, open_remote_copy(args.remote, contract.contract));
  ProgressPrinter printer;
  trace::TrainJob job{
      contract,
      {args.run},
      key.key,
      args.model,
      args.data,
      args.resume ? trace::Existing::kResume : trace::Existing::kRefuse,
      args.no_record ? trace::Recording::kOff : trace::Recording::kOn,
      {},
      args.encoding == "raw" ? trace::StoreEncoding::kRaw : trace::StoreEncoding::kAuto};
  if (!args.quiet) job.on_step = [&](const trace::StepProgress& p) { printer.print(p); };
  job.adapter = args.adapter;
  job.remote = remote.get();
  if (!args.eval_data.empty()) job.held_out = trace::HeldOutJob{args.eval_data, args.eval_steps};
  return trace::train_run(job, machine.engine);
}

Exit run_train(const Args& args) {
  const auto done = train(args);
  if (!done) return report("train", done.error());
  switch (done->end) {
    case trace::RunEnd::kClosed:
      summarise(*done, args);
      return Exit::kOk;
    case trace::RunEnd::kAlreadyClosed:
      log_line("the run is closed already");
      return Exit::kOk;
    case trace::RunEnd::kAborted:
      log_line("aftune train: the run aborted: " + done->abort_reason);
      return Exit::kUnchecked;
  }
  return Exit::kUnchecked;
}

}  // namespace

Command add_train(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("train", "Fine-tune as a signed contract says, and record it");
  cmd->footer(
      "Examples:\n  aftune train contract.json --run run --key keys/provider.key --model smollm2 "
      "--data data.jsonl\n"
      "  aftune train contract.json --run run --key keys/provider.key --model smollm2 "
      "--data data.jsonl --resume\n"
      "  aftune train contract.json --run run --key keys/provider.key --model smollm2 "
      "--data data.jsonl --store s3://evidence/runs/1 --store-lock governance");
  cmd->add_option("contract", args->contract, "Contract signed by both sides")->required();
  cmd->add_option("--run", args->run, "Run folder to make (docs/formats/run.md)")->required();
  cmd->add_option("--key", args->key, "The provider's private key")->required();
  cmd->add_option("--model", args->model, "Base model folder; must be the contract's")->required();
  cmd->add_option("--data", args->data, "Data set (JSONL); must be the contract's")->required();
  cmd->add_option("--adapter", args->adapter,
                  "Folder of the first adapter, where a LoRA contract binds one");
  auto* held_out = cmd->add_option("--eval-data", args->eval_data,
                                   "Held-out data set (JSONL): its loss is shown, and is no part "
                                   "of the evidence");
  cmd->add_option("--eval-steps", args->eval_steps,
                  "Evaluate after so many steps each (default: after the last one only)")
      ->check(check_whole_number)
      ->check(CLI::PositiveNumber)
      ->needs(held_out);
  auto* resume = cmd->add_flag("--resume", args->resume, "Go on with an interrupted run");
  auto* unrecorded =
      cmd->add_flag("--no-record", args->no_record, "Train only: no log, no evidence")
          ->excludes(resume);
  add_remote_options(*cmd, args->remote, "Copy the run there while it is recorded");
  add_lock_option(*cmd, args->remote);
  unrecorded->excludes(cmd->get_option("--store"));
  cmd->add_option("--encoding", args->encoding,
                  "How objects lie on the disk: raw as they are, auto is smaller (default: raw)")
      ->check(CLI::IsMember({"raw", "auto"}));
  cmd->add_flag("--quiet", args->quiet, "No line for each step");
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_train(*args); }};
}

}  // namespace aftune::cli
