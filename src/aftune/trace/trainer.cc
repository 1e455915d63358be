// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/trainer.h"

#include <fmt/format.h>

#include <memory>

#include "aftune/base/stopwatch.h"
#include "aftune/trace/delivery.h"
#include "aftune/trace/held_out.h"
#include "aftune/trace/mend.h"
#include "aftune/trace/metrics.h"
#include "aftune/trace/recorder.h"
#include "aftune/train/no_observer.h"

namespace aftune::trace {
namespace {

/// One run under way. Members in the order in which they are made.
struct Run {
  const TrainJob& job;
  const numerics::Engine& engine;
  const Contract& contract;
  Timeline timeline;
  model::Partition partition;
  SideInputs inputs;
  std::optional<HeldOut> held_out;
  std::optional<Digest> root_salt;
  std::vector<train::BlockState> states;  // outlive the recorder, whose thread reads them
  std::unique_ptr<Mirror> mirror;         // outlives the recorder; null without a remote folder
  std::unique_ptr<Recorder> recorder;     // null without recording
  std::uint64_t first_step_block = 0;
  TrainReport report;

  void note_recording() {
    if (recorder == nullptr) return;
    report.stalled_seconds = recorder->worker().stalled_seconds();
    report.recording_seconds = recorder->worker().busy_seconds();
  }

  /// Has everything copied that is here and not in the remote folder.
  Status copy_missing() { return mirror == nullptr ? ok() : mirror->add_missing(); }

  /// Waits until the remote folder has everything.
  Status finish_copying() {
    if (mirror == nullptr) return ok();
    AFTUNE_TRY(mirror->drain());
    report.copied_files = mirror->files_done();
    report.copied_bytes = mirror->bytes_done();
    report.copying_seconds = mirror->worker().busy_seconds();
    return ok();
  }
};

/// A closed run whose delivered model is gone or altered is not complete, and cannot be made so.
/// Errors: kNotFound, kCorrupt: what is not as the close says.
Status check_closed(const Run& run, const std::vector<std::string>& entries) {
  AFTUNE_TRY(const Openings openings, Openings::open(run.job.run, run.contract, entries));
  AFTUNE_TRY(const CloseList close, openings.close_list());
  for (const BoundFile& file : close.files) {
    AFTUNE_TRY(check_bound_file(file, run.job.run.delivered()));
  }
  return ok();
}

/// Tells whether the log has ended, and puts the states to start from in place.
Status start_recording(Run& run) {
  if (run.job.remote != nullptr) {
    AFTUNE_TRY(run.mirror, Mirror::open(*run.job.remote, run.job.run, run.job.existing));
  }
  AFTUNE_TRY(run.recorder, Recorder::open(run.contract, run.job.run, run.job.key, run.job.encoding,
                                          run.mirror.get()));
  const auto& entries = run.recorder->found_entries();
  if (!entries.empty() && is_abort(entries.back())) {
    AFTUNE_TRY(run.copy_missing());
    AFTUNE_TRY(run.finish_copying());
    return Error{Code::kInvalidInput, fmt::format("the run in {} was aborted and cannot go on",
                                                  run.job.run.root.string())};
  }
  if (entries.size() == run.timeline.entry_count()) {
    run.report.end = RunEnd::kAlreadyClosed;
    AFTUNE_TRY(
        check_closed(run, entries)
            .in(fmt::format("the run in {} is closed, but not whole", run.job.run.root.string())));
    return run.copy_missing();
  }
  // Training goes on where all evidence before is whole: what comes after is made again.
  AFTUNE_TRY(const std::uint64_t whole,
             mend_evidence(run.contract, entries, run.job.run, &run.engine.pool()));
  AFTUNE_TRY(run.copy_missing());  // nothing of what was altered
  AFTUNE_TRY(const Openings openings,
             Openings::open(run.job.run, run.contract, entries, &run.engine.pool()));
  AFTUNE_TRY(ResumePoint point, find_resume_point(run.contract, openings, whole));
  if (point.step_block > 0) {
    run.first_step_block = point.step_block;
    run.states = std::move(point.states);
  }
  AFTUNE_TRY(run.recorder->record_contract());
  return run.recorder->record_states(run.first_step_block, run.states);
}

/// The held-out loss after this step, where one is due.
Result<std::optional<double>> evaluate_after(const Run& run, std::uint64_t step) {
  if (!run.held_out) return std::optional<double>();
  const std::uint64_t interval = run.job.held_out->interval;
  const bool is_last = step + 1 == run.contract.steps;
  if (!is_last && (interval == 0 || (step + 1) % interval != 0)) return std::optional<double>();
  const Result<train::Evaluation> done =
      run.held_out->evaluate(run.engine, run.inputs.model(), run.partition, run.states);
  if (done) return std::optional(done->loss);
  // Numbers that are not finite end a run where a step has them, and nowhere else.
  if (done.error().code == Code::kNonFinite) return std::optional<double>();
  return Error(done.error()).in("held-out data after step " + std::to_string(step));
}

Status run_one_step(Run& run, std::uint64_t step, std::vector<train::BlockStep>& workers,
                    Metrics& metrics) {
  const Stopwatch watch;
  AFTUNE_TRY(const auto batches, run.inputs.batches().micro_batches(step));
  train::NoObserver nobody;
  train::StepObserver& observer =
      run.recorder ? static_cast<train::StepObserver&>(*run.recorder) : nobody;
  AFTUNE_TRY(
      const train::StepOutcome outcome,
      train::run_step(run.contract.train_spec(), step, run.partition, batches, workers, observer));
  if (run.recorder) {
    AFTUNE_TRY(run.recorder->record_step(step, run.inputs.batches().rows(step),
                                         batches.front().counted, outcome));
  }
  StepProgress progress{step,
                        run.contract.steps,
                        outcome.loss(),
                        outcome.learning_rate,
                        outcome.norm,
                        run.contract.batch.batch * run.contract.sequence(),
                        watch.seconds(),
                        run.recorder ? run.recorder->worker().stalled_seconds() : 0};
  AFTUNE_TRY(progress.eval_loss, evaluate_after(run, step));
  if (!run.report.first_loss) run.report.first_loss = progress.loss;
  run.report.last_loss = progress.loss;
  ++run.report.steps_run;
  AFTUNE_TRY(metrics.add(progress));
  if (run.job.on_step) run.job.on_step(progress);
  return ok();
}

/// Ends the log where a step left the finite numbers, or where a resumed step is not the logged
/// one.
Status abort_run(Run& run, std::uint64_t step, const Error& error) {
  run.report.end = RunEnd::kAborted;
  run.report.abort_reason = error.what;
  if (run.recorder == nullptr) return ok();
  const char* cause = error.code == Code::kNonFinite ? "non-finite" : "fault";
  return run.recorder->record_abort(step, cause, error.what);
}

bool ends_the_run(const Run& run, const Error& error) {
  return error.code == Code::kNonFinite || (error.code == Code::kCorrupt && run.recorder);
}

Status run_steps(Run& run) {
  std::vector<train::BlockStep> workers;
  workers.reserve(run.states.size());
  for (std::uint32_t block = 0; block < run.states.size(); ++block) {
    workers.emplace_back(run.engine, run.inputs.model(), run.partition, block, run.states[block]);
  }
  AFTUNE_TRY(Metrics metrics,
             Metrics::open(run.job.run.metrics(), run.timeline.first_step(run.first_step_block)));
  for (std::uint64_t j = run.first_step_block; j < run.timeline.step_blocks(); ++j) {
    for (std::uint64_t step = run.timeline.first_step(j); step < run.timeline.last_step(j);
         ++step) {
      Status done = run_one_step(run, step, workers, metrics);
      if (!done && ends_the_run(run, done.error())) return abort_run(run, step, done.error());
      if (!done) return done;
    }
    if (!run.recorder) continue;
    Status recorded = run.recorder->record_states(j + 1, run.states);
    if (recorded && j + 1 == run.timeline.step_blocks()) recorded = run.recorder->drain();
    if (!recorded && ends_the_run(run, recorded.error())) {
      return abort_run(run, run.timeline.last_step(j) - 1, recorded.error());
    }
    if (!recorded) return recorded;
  }
  return ok();
}

Status close_run(Run& run) {
  Digest root;
  if (run.recorder) {
    const TensorSpec table = model::table_spec(run.contract.architecture);
    AFTUNE_TRY(root, run.recorder->model_root(table, run.inputs.table_digest(), run.root_salt));
  }
  TensorMap parameters;
  for (train::BlockState& state : run.states) {
    state.first.clear();
    state.second.clear();
    parameters.merge(state.parameters);
  }
  // The run's own copy holds the contract's files only, even if the model folder has changed.
  AFTUNE_TRY(std::vector<BoundFile> files,
             deliver(run.contract, run.recorder ? run.job.run.base() : run.job.model, parameters,
                     run.job.run.delivered()));
  if (run.mirror) AFTUNE_TRY(run.mirror->add_delivered());
  if (run.recorder) {
    AFTUNE_TRY(check_evidence(run.contract, run.job.run));
    AFTUNE_TRY(run.recorder->record_close(root, std::move(files)));
  }
  return ok();
}

Status check_key(const TrainJob& job) {
  if (job.key.public_key() == job.contract.contract.provider.key) return ok();
  return Error{Code::kInvalidInput, fmt::format("the key is not that of the contract's provider {}",
                                                job.contract.contract.provider.name)};
}

}  // namespace

Result<TrainReport> train_run(const TrainJob& job, const numerics::Engine& engine) {
  const Contract& contract = job.contract.contract;
  AFTUNE_TRY(check_key(job));
  AFTUNE_TRY(SideInputs inputs, SideInputs::open(contract, job.data, job.model));
  AFTUNE_TRY(inputs.batches().check_steps(contract.steps).in(job.data.string()));
  std::optional<Digest> root_salt;
  if (!contract.base_public) root_salt = SaltSource(job.key, contract.run_id).root_salt();
  AFTUNE_TRY(std::vector<train::BlockState> base,
             load_base(contract, job.model, inputs, root_salt, job.adapter));
  std::optional<HeldOut> held_out;
  if (job.held_out) {
    AFTUNE_TRY(held_out, HeldOut::open(contract, job.held_out->data, inputs.tokenizer()));
  }
  std::optional<FileLock> lock;
  if (job.recording == Recording::kOn) {
    AFTUNE_TRY(
        prepare_run_folder(job.contract, job.run, job.model, job.data, job.existing, job.adapter));
    AFTUNE_TRY(FileLock held, FileLock::acquire(job.run.lock()));
    lock.emplace(std::move(held));
    if (root_salt) {
      AFTUNE_TRY(write_file(job.run.root_salt(), as_bytes(root_salt->hex() + "\n")));
    }
  } else {
    AFTUNE_TRY(prepare_unrecorded_folder(job.run));
  }
  Run run{job,
          engine,
          contract,
          Timeline(contract),
          contract.partition(),
          std::move(inputs),
          std::move(held_out),
          root_salt,
          std::move(base),
          nullptr,
          nullptr,
          0,
          {}};
  const Stopwatch watch;
  if (job.recording == Recording::kOn) {
    AFTUNE_TRY(start_recording(run));
    if (run.report.end == RunEnd::kAlreadyClosed) {
      AFTUNE_TRY(run.finish_copying());
      return run.report;
    }
  }
  run.report.resumed_from = run.timeline.first_step(run.first_step_block);
  AFTUNE_TRY(run_steps(run));
  if (run.report.end != RunEnd::kAborted) {
    AFTUNE_TRY(close_run(run));
  }
  AFTUNE_TRY(run.finish_copying());
  run.note_recording();
  run.report.seconds = watch.seconds();
  return run.report;
}

}  // namespace aftune::trace
