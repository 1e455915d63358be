// SPDX-License-Identifier: Apache-2.0
// Who signs the papers around the run of examples/tiny, and which challenge they are about.
#pragma once

#include "aftune/trace/contract.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {

struct Papers {
  trace::Contract contract;  // that of examples/tiny with `witness`, and with these keys
  crypto::PrivateKey client, provider, witness;
  ByteBuffer secret;
  Digest challenge;
};

const Papers& tiny_papers();

}  // namespace aftune::fuzz
