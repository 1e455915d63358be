// SPDX-License-Identifier: Apache-2.0
// Records a run while it trains: digests, objects, entries, checkpoints, off the training thread.
// Order of durability: docs/formats/run.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aftune/tlog/tiles.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/list.h"
#include "aftune/trace/mirror.h"
#include "aftune/trace/run_folder.h"
#include "aftune/trace/store.h"
#include "aftune/trace/worker.h"

namespace aftune::trace {

/// Calls come in the order of docs/formats/entries.md. Entries that the log has already (a resumed
/// run) are compared, not written; one that differs is a fault and ends the recording.
///
/// Errors: of every call, the first failure of the background thread: kUnavailable (disk), or
///         kCorrupt for a fault. After one, nothing more is recorded or signed but an abort.
/// Threads: calls from one thread. Tensors of states are read in the background until
///          before_update() of their block returns; no copy of a state is made.
class Recorder final : public train::StepObserver {
 public:
  /// `contract` and `key` are borrowed. A log that has ended unsigned, by a kill, gets its
  /// checkpoint. `mirror`, if given, is borrowed; it gets objects and log as they become durable,
  /// and its errors are the recorder's. Errors: those of LogWriter::open and Store::open.
  static Result<std::unique_ptr<Recorder>> open(const Contract& contract, const RunFolder& run,
                                                const crypto::PrivateKey& key,
                                                StoreEncoding encoding = StoreEncoding::kRaw,
                                                Mirror* mirror = nullptr);
  ~Recorder() override;

  /// Position 0.
  Status record_contract();
  /// The states at the start of `step_block`, all blocks; stores their tensors where the contract
  /// says so; then signs a checkpoint. The states must stay in place until before_update().
  Status record_states(std::uint64_t step_block, const std::vector<train::BlockState>& states);

  Status on_edge(const train::EdgeId& id, train::EdgeTensor tensor) override;
  Status before_update(std::uint32_t block) override;
  /// After the step's edges.
  Status record_step(std::uint64_t step, std::vector<std::uint64_t> rows, std::uint64_t counted,
                     const train::StepOutcome& outcome);

  /// Waits until everything posted is durable: also objects of entries that the log had already.
  Status drain();

  /// The model root of the last states, or their adapter root. Requires: drain() after the last
  /// record_states().
  [[nodiscard]] Result<Digest> model_root(const TensorSpec& table, const Digest& table_digest,
                                          const std::optional<Digest>& salt) const;
  /// The last entry and the final checkpoint, durable on return.
  Status record_close(const Digest& model_root, std::vector<BoundFile> files);
  /// Ends the log with an abort; it is a fault wherever the log is not at this step. Works after a
  /// failure of the background thread, too.
  Status record_abort(std::uint64_t step, std::string cause, std::string reason);

  /// Entries that the log had when the recorder was opened.
  [[nodiscard]] const std::vector<std::string>& found_entries() const { return found_; }
  [[nodiscard]] const Worker& worker() const { return worker_; }

 private:
  Recorder(const Contract& contract, const RunFolder& run, const crypto::PrivateKey& key,
           Store store, tlog::LogWriter log, StoreEncoding encoding, Mirror* mirror);
  Status post(std::uint64_t bytes, std::function<Status()> job);
  Status commit(std::uint64_t position, const std::string& entry);
  Status commit_list(std::uint64_t position, const std::string& list);
  Status take_state(std::uint32_t block, std::uint64_t step_block, const train::BlockState& state);
  Status commit_states(std::uint64_t step_block);
  Status sync_objects();
  Status sign();
  Status sign_if_at(std::uint64_t size);
  /// What put() is told of a list, of elements of a type (an edge's) or of tensor `index` of a
  /// block's state.
  [[nodiscard]] PutHint hint_for_list() const;
  [[nodiscard]] PutHint hint_for(Dtype dtype) const;
  [[nodiscard]] PutHint hint_for_state(std::uint32_t block, std::size_t index,
                                       const StateTensor& tensor) const;

  const Contract& contract_;
  RunFolder run_;
  Timeline timeline_;
  SaltSource salts_;
  Store store_;          // used by the background thread once it runs
  tlog::LogWriter log_;  // the same
  StoreEncoding encoding_;
  Mirror* mirror_;  // the same; may be null
  std::vector<std::string> found_;
  std::vector<Digest> edges_;                       // of the step under way; background thread
  std::vector<StateList> last_states_;              // by block; background thread
  std::vector<std::vector<Digest>> stored_states_;  // the last stored ones; the same
  std::vector<std::uint64_t> state_tickets_;        // by block
  Worker worker_;
};

}  // namespace aftune::trace
