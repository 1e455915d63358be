// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon et al., SC 2011): a counter-based generator.
#pragma once

#include <array>
#include <cstdint>

namespace aftune::numerics {

/// Ten rounds. The words of the known-answer tests of the authors' library Random123.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

}  // namespace aftune::numerics
