// SPDX-License-Identifier: Apache-2.0
// Internal to crypto: BLAKE3 over the threads of a pool. Which source implements it the build
// chooses: blake3_tree.cc where the library's internal header is there, else blake3_serial.cc.
#pragma once

#include "aftune/base/bytes.h"
#include "aftune/base/thread_pool.h"
#include "aftune/crypto/digest.h"

namespace aftune::crypto {

/// BLAKE3-256 of `data`, for any length.
Digest blake3_over_pool(Bytes data, ThreadPool& pool);

}  // namespace aftune::crypto
