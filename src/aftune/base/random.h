// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "aftune/base/bytes.h"

namespace aftune {

/// `count` bytes from the operating system's generator, for keys, nonces and secrets.
ByteBuffer random_bytes(std::size_t count);

}  // namespace aftune
