// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace aftune::cli {

/// "42 s", "3 min 05 s", "2 h 10 min". Requires: seconds >= 0.
std::string duration(double seconds);

}  // namespace aftune::cli
