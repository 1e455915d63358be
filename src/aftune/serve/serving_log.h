// SPDX-License-Identifier: Apache-2.0
// The folder and the log of a server: what was answered becomes receipts.
// Bytes and order of durability: docs/formats/receipt.md, "Serving folder".
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/crypto/ed25519.h"
#include "aftune/receipt/serving_folder.h"
#include "aftune/serve/generated.h"
#include "aftune/serve/proof_tree.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/store.h"

namespace aftune::serve {

/// An answer with its receipt, as the client gets them. Both texts are empty without a receipt.
struct Receipted {
  receipt::Receipt receipt;
  std::string receipt_text, proof_text;
  receipt::Answer answer;
};

/// Threads: one at a time.
class ServingLog {
 public:
  /// Opens or makes the folder. `statement` is complete but for its secret. Receipts that a server
  /// before this one logged and did not give a proof get it.
  /// Requires: `key` outlives the object.
  /// Errors: kInvalidInput if the folder serves something else; kUnavailable if another process
  ///         works in it; those of LogWriter::open.
  static Result<ServingLog> open(const Path& folder, receipt::Statement statement,
                                 const crypto::PrivateKey& key,
                                 const std::optional<Digest>& root_salt);

  [[nodiscard]] const receipt::Statement& statement() const { return statement_; }
  [[nodiscard]] const crypto::SecretBytes& secret() const { return secret_; }
  [[nodiscard]] const receipt::ServingFolder& folder() const { return folder_; }
  /// Entries, the statement included.
  [[nodiscard]] std::uint64_t size() const { return tree_.size(); }

  /// Receipts for all of them, in order, under one checkpoint; durable when it returns.
  /// Errors: kUnavailable, and then for every later call as well: open the log anew.
  Result<std::vector<Receipted>> issue(std::vector<Generated> answers);
  /// The answers alone, which nothing is logged of: for those that were not recorded.
  [[nodiscard]] std::vector<Receipted> unreceipted(std::vector<Generated> answers) const;

 private:
  ServingLog(receipt::ServingFolder folder, receipt::Statement statement,
             crypto::SecretBytes secret, FileLock lock, trace::Store store, tlog::LogWriter log);
  Status take_up();
  Result<receipt::Receipt> log_one(const Generated& answer);
  Result<std::string> prove(std::uint64_t position);
  Result<std::string> current_note() const;

  receipt::ServingFolder folder_;
  receipt::Statement statement_;
  crypto::SecretBytes secret_;
  FileLock lock_;
  trace::Store store_;
  tlog::LogWriter log_;
  ProofTree tree_;
};

}  // namespace aftune::serve
