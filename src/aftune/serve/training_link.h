// SPDX-License-Identifier: Apache-2.0
// What a server states of the run that its model comes from.
#pragma once

#include <optional>

#include "aftune/receipt/statement.h"
#include "aftune/trace/run_folder.h"

namespace aftune::serve {

/// The closing entry of a run, its list and its proof; and the salt of the model root, if the run
/// has one.
struct TrainingLink {
  receipt::TrainedBy trained;
  std::optional<Digest> root_salt;
};

/// Errors: kInvalidInput for a run that is not closed; those of read_log and Store::get.
Result<TrainingLink> link_to_training(const trace::Contract& contract, const trace::RunFolder& run);

}  // namespace aftune::serve
