// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/base/file.h"
#include "aftune/trace/contract.h"

namespace aftune::cli {

/// A contract file whose two signatures hold. Errors: those of open_signed_contract.
Result<trace::SignedContract> load_signed_contract(const Path& file);

}  // namespace aftune::cli
