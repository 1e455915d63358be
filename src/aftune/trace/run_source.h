// SPDX-License-Identifier: Apache-2.0
// A run that lies elsewhere, fetched into a run folder: docs/formats/object-storage.md, "Reading".
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aftune/trace/run_files.h"

namespace aftune::trace {

/// Nothing that is fetched is trusted: whoever reads it checks it as if the disk had it.
///
/// Errors once it is open: kNotFound for a file that is not there; else kUnavailable, whatever went
///         wrong: that a file could not be had says nothing of it.
/// Threads: any.
class RunSource {
 public:
  /// Gets the checkpoint, then the list. `remote` outlives the object; `run.root` may be absent.
  /// Errors: those of `remote`; kNotFound if it holds no run; kInvalidInput for a folder in which
  ///         somebody trained, or with the contract of another run.
  static Result<std::unique_ptr<RunSource>> open(RemoteFolder& remote, const RunFolder& run);

  /// What is fetched at once: contract and log; all but objects and the delivered model; all but
  /// objects; everything, which makes the folder a run folder.
  enum class Share : std::uint8_t { kLog, kInputs, kDelivered, kAll };
  Status fetch_share(Share share);

  /// The size of a file that is there, by the list.
  [[nodiscard]] std::optional<std::uint64_t> size_of(const std::string& name) const;
  /// Names of the store's files, ascending.
  [[nodiscard]] std::vector<RemoteFolder::File> objects() const;
  /// Makes sure that the folder has the file.
  Status fetch(const std::string& name);
  /// The first bytes, without fetching the rest; asked for once.
  Result<ByteBuffer> read_head(const std::string& name, std::size_t count);
  /// Drops the folder's copy of a file that is there, so that it is fetched anew. False if it was
  /// fetched anew before.
  bool drop(const std::string& name);

  [[nodiscard]] std::uint64_t fetched_files() const { return fetched_files_; }
  [[nodiscard]] std::uint64_t fetched_bytes() const { return fetched_bytes_; }

 private:
  RunSource(RemoteFolder& remote, RunFolder run) : remote_(remote), run_(std::move(run)) {}
  [[nodiscard]] Error absent(const std::string& name) const;
  [[nodiscard]] bool has_copy(const std::string& name, std::uint64_t size) const;

  RemoteFolder& remote_;
  RunFolder run_;
  std::map<std::string, std::uint64_t> files_;  // by the list; only those that a run has
  std::mutex mutex_;
  std::set<std::string> dropped_;
  std::map<std::string, ByteBuffer> heads_;
  std::uint64_t fetched_files_ = 0, fetched_bytes_ = 0;
};

}  // namespace aftune::trace
