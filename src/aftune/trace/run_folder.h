// SPDX-License-Identifier: Apache-2.0
// Where the parts of a run lie: docs/formats/run.md.
#pragma once

#include "aftune/base/file.h"

namespace aftune::trace {

class RunSource;

/// Paths only; touches nothing.
struct RunFolder {
  Path root;
  /// Where objects are fetched from that are not here yet; borrowed. Null: all that is, is here.
  RunSource* source = nullptr;

  [[nodiscard]] Path contract() const { return root / "contract.json"; }
  [[nodiscard]] Path lock() const { return root / "lock"; }
  [[nodiscard]] Path base() const { return root / "base"; }
  /// The first adapter, where the contract binds a folder of it.
  [[nodiscard]] Path adapter() const { return root / "adapter"; }
  [[nodiscard]] Path data() const { return root / "data.jsonl"; }
  [[nodiscard]] Path log() const { return root / "log"; }
  [[nodiscard]] Path store() const { return root / "store"; }
  [[nodiscard]] Path root_salt() const { return root / "root-salt"; }
  [[nodiscard]] Path metrics() const { return root / "metrics.jsonl"; }
  [[nodiscard]] Path challenges() const { return root / "challenges"; }
  [[nodiscard]] Path delivered() const { return root / "model"; }
};

/// Puts the file at `from` under the new name `to`: a hard link where possible, else a copy,
/// durably. Errors: kInvalidInput if `to` exists; kNotFound; kUnavailable.
Status place_file(const Path& from, const Path& to);

}  // namespace aftune::trace
