// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/blake3_tree.h"

namespace aftune::crypto {

Digest blake3_over_pool(Bytes data, ThreadPool&) { return blake3(data); }

}  // namespace aftune::crypto
