// SPDX-License-Identifier: Apache-2.0
// The signed checkpoints that a log folder holds.
#pragma once

#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/tlog/checkpoint.h"

namespace aftune::tlog {

inline constexpr std::string_view kCheckpointFile = "checkpoint";
inline constexpr std::string_view kHistoryFolder = "checkpoints";

struct StoredCheckpoint {
  Checkpoint checkpoint;
  std::string note;
};

/// `checkpoint` and all of `checkpoints/`, each verified, ascending by size; none in a folder
/// without checkpoints.
/// Errors: kInvalidInput for one that is malformed or not by `key`, or a name that is no size;
///         kCorrupt for two roots of one size, or a size other than the name; kUnavailable.
Result<std::vector<StoredCheckpoint>> read_history(const Path& folder, const VerifierKey& key);

}  // namespace aftune::tlog
