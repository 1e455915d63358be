// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/remote_folder.h"
#include "aftune/trace/run_folder.h"

namespace aftune::trace {

/// Whether a run folder's file of this name is copied to other places:
/// docs/formats/object-storage.md, "Place". No such name leads out of the folder.
bool is_copied_file(std::string_view name);

/// The files of `run` that are copied, with their sizes, in the order in which they are copied; of
/// one folder of it if `below` is "log" or the like. Errors: kUnavailable.
Result<std::vector<RemoteFolder::File>> copied_files(const RunFolder& run, const Path& below = {});

/// "store/ab/abc.raw".
std::string name_in_run(const RunFolder& run, const Path& file);

}  // namespace aftune::trace
