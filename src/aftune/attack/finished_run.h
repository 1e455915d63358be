// SPDX-License-Identifier: Apache-2.0
// A finished run in the hands of its provider, who changes it and signs the whole log again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aftune/codec/json.h"
#include "aftune/crypto/ed25519.h"
#include "aftune/trace/run_folder.h"
#include "aftune/trace/store.h"
#include "aftune/trace/timeline.h"

namespace aftune::attack {

/// Threads: one at a time.
class FinishedRun {
 public:
  /// `run` was logged under `contract`, which is borrowed. Errors: those of read_log and Store.
  static Result<FinishedRun> open(const trace::Contract& contract, trace::RunFolder run);

  std::vector<std::string> entries;

  [[nodiscard]] const trace::RunFolder& folder() const { return run_; }
  [[nodiscard]] const trace::Timeline& timeline() const { return timeline_; }

  Result<Digest> list_digest(std::uint64_t position) const;
  Result<std::string> list_text(std::uint64_t position) const;
  /// Stores another list and names it in the entry; sign() makes it so.
  Status set_list_text(std::uint64_t position, const std::string& text);
  /// Changes the JSON of a list and spells it canonically again.
  Status edit_list(std::uint64_t position, const std::function<void(codec::Json::Object&)>& edit);

  /// Digests that a list names, in its order: of "tensors" or "edges".
  Result<std::vector<Digest>> digests(std::uint64_t position, const char* member) const;

  [[nodiscard]] Path object(const Digest& digest) const { return store_.path_of(digest); }
  Result<Digest> put(Bytes bytes);

  /// A new log over `entries`, by `key`, under the contract `as`.
  Status sign(const trace::SignedContract& as, const crypto::PrivateKey& key);

 private:
  FinishedRun(const trace::Contract& contract, trace::RunFolder run, trace::Store store)
      : run_(std::move(run)), timeline_(contract), store_(std::move(store)) {}

  trace::RunFolder run_;
  trace::Timeline timeline_;
  trace::Store store_;
};

/// A copy of the folder whose files are hard links where possible: replace, do not write into them.
/// Errors: kUnavailable.
Status copy_run(const Path& from, const Path& to);

/// Flips one bit of the file, which becomes a file of its own (other links keep their bytes).
/// Errors: those of reading and writing; kInvalidInput for a byte behind the end.
Status flip_bit(const Path& file, std::uint64_t byte, unsigned bit = 0);

}  // namespace aftune::attack
