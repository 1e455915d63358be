// SPDX-License-Identifier: Apache-2.0
// Copies a run to another place while it is recorded: docs/formats/object-storage.md, "Order".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "aftune/base/remote_folder.h"
#include "aftune/trace/run_files.h"
#include "aftune/trace/run_setup.h"
#include "aftune/trace/worker.h"

namespace aftune::trace {

/// Files are copied in the background, in the order in which they are added, so that a checkpoint
/// follows all that it covers. A file whose copy is there already is left out.
///
/// Errors: of every call, the first failure of the background thread.
/// Threads: one at a time; it may be another one after the first has ended its work.
class Mirror {
 public:
  /// What waits to be copied at most, before add() waits: docs/formats/object-storage.md.
  static constexpr std::uint64_t kLimitBytes = std::uint64_t{4} << 30;

  /// Compares what is there with the run, whose folder holds contract and inputs. `remote` outlives
  /// the object. Errors: kInvalidInput for another run's place, this run's with Existing::kRefuse,
  ///         or one that is further than the folder.
  static Result<std::unique_ptr<Mirror>> open(RemoteFolder& remote, const RunFolder& run,
                                              Existing existing,
                                              std::uint64_t limit_bytes = kLimitBytes);

  /// Everything of the folder that is not there, in the page's order.
  Status add_missing();
  /// One file of the run, durable and never to change.
  Status add(const Path& file);
  /// What the log's last checkpoint brought.
  Status add_log();
  /// The delivered model.
  Status add_delivered();
  /// Waits until everything is copied.
  Status drain();

  /// Of this process. Requires: drain() returned.
  [[nodiscard]] std::uint64_t files_done() const { return files_done_; }
  [[nodiscard]] std::uint64_t bytes_done() const { return bytes_done_; }
  /// Seconds that callers waited, and seconds of copying.
  [[nodiscard]] const Worker& worker() const { return worker_; }

 private:
  Mirror(RemoteFolder& remote, const RunFolder& run, std::uint64_t limit_bytes)
      : remote_(remote), run_(run), worker_(limit_bytes) {}
  Status check_place(Existing existing);
  Status check_age();
  /// Whether it must be copied; then it counts as there.
  bool take(const RemoteFolder::File& file);
  Status post(const RemoteFolder::File& file, std::function<Status()> job);
  Status add_named(const RemoteFolder::File& file);
  Status add_content(const RemoteFolder::File& file);
  Status put(const std::string& name, Bytes content);

  RemoteFolder& remote_;
  RunFolder run_;
  std::map<std::string, std::uint64_t> there_;     // by name: sizes of what is there or on its way
  std::uint64_t files_done_ = 0, bytes_done_ = 0;  // background thread
  Worker worker_;
};

}  // namespace aftune::trace
