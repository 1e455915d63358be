// SPDX-License-Identifier: Apache-2.0
// A whole run: from a signed contract to the closed log and the delivered model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "aftune/base/remote_folder.h"
#include "aftune/numerics/engine.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/encoding.h"
#include "aftune/trace/run_folder.h"
#include "aftune/trace/run_setup.h"

namespace aftune::trace {

/// What a person may want to know after each step.
struct StepProgress {
  std::uint64_t step = 0, steps = 0;  // step from 0
  float loss = 0;
  double learning_rate = 0, norm = 0;
  std::uint64_t tokens = 0;                        // rows times sequence of this step
  double seconds = 0;                              // of this step
  double stalled_seconds = 0;                      // waited for recording, since the start
  std::optional<double> eval_loss = std::nullopt;  // of the held-out data set after this step
};

/// A data set that is looked at, not trained on.
struct HeldOutJob {
  Path data;
  std::uint64_t interval = 0;  // steps; 0: after the last one only
};

enum class Recording { kOn, kOff };

struct TrainJob {
  const SignedContract& contract;
  RunFolder run;
  const crypto::PrivateKey& key;  // the provider's
  Path model;                     // the base folder
  Path data;                      // JSONL
  Existing existing = Existing::kRefuse;
  Recording recording = Recording::kOn;
  std::function<void(const StepProgress&)> on_step;
  StoreEncoding encoding = StoreEncoding::kRaw;
  Path adapter = {};  // the folder of the first adapter, where the contract binds one
  std::optional<HeldOutJob> held_out = std::nullopt;
  RemoteFolder* remote = nullptr;  // where the run is copied while it is recorded; borrowed
};

enum class RunEnd { kClosed, kAlreadyClosed, kAborted };

struct TrainReport {
  RunEnd end = RunEnd::kClosed;
  std::string abort_reason;
  std::optional<float> first_loss, last_loss;
  std::uint64_t steps_run = 0;                       // in this process
  std::uint64_t resumed_from = 0;                    // first step of this process
  double seconds = 0;                                // steps and close, set-up apart
  double stalled_seconds = 0;                        // the training thread waited for recording
  double recording_seconds = 0;                      // the background thread worked
  std::uint64_t copied_files = 0, copied_bytes = 0;  // to the remote folder, in this process
  double copying_seconds = 0;                        // of another background thread
};

/// Runs or resumes. With Recording::kOff nothing but metrics and the delivered model is written.
/// Errors: kInvalidInput for a key, model or data set that is not the contract's (the last two as
///         kCorrupt), a folder of another run, a closed or aborted log; kUnavailable for I/O: what
///         is committed stays, and a resumed run goes on; also for a remote folder that gives up.
Result<TrainReport> train_run(const TrainJob& job, const numerics::Engine& engine);

}  // namespace aftune::trace
