// SPDX-License-Identifier: Apache-2.0
// Evidence that is not whole, as a run that goes on or closes finds it: docs/formats/run.md,
// "Durability".
#pragma once

#include <string>
#include <vector>

#include "aftune/trace/contract.h"
#include "aftune/trace/run_folder.h"

namespace aftune {
class ThreadPool;
}

namespace aftune::trace {

/// Reads the whole store and removes the file of each object that does not decode to its address:
/// it serves nobody, and what is not there is made again. Says so, an object a line.
/// Returns: how many of the first entries have all that they name.
/// `pool`, if given, hashes; it is borrowed. Cost: one pass over the store's bytes.
/// Errors: those of take_inventory.
Result<std::uint64_t> mend_evidence(const Contract& contract,
                                    const std::vector<std::string>& entries, const RunFolder& run,
                                    ThreadPool* pool);

/// Whether every object that the log's entries name is there: after the close nobody makes it
/// again. Errors: kUnavailable, naming the first entry that lacks something; those of read_log.
Status check_evidence(const Contract& contract, const RunFolder& run);

}  // namespace aftune::trace
