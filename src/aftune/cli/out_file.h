// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/base/file.h"

namespace aftune::cli {

/// Before work whose result goes there: says that the file exists, instead of after the work.
/// Errors: kInvalidInput if there is something at `path`; kNotFound if its folder is missing.
Status check_out_file(const Path& path);

}  // namespace aftune::cli
