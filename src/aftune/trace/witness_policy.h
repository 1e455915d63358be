// SPDX-License-Identifier: Apache-2.0
// Which witnesses a contract names and what it asks of them: docs/formats/witness.md section 5.
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/tlog/cosignature.h"

namespace aftune::trace {

/// Without keys: nobody watches the log.
struct WitnessPolicy {
  std::vector<tlog::WitnessKey> keys;   // ascending by their spelling
  std::uint64_t quorum = 0;             // how many must attest
  std::uint64_t max_delay_seconds = 0;  // between showing what grew, see the page

  [[nodiscard]] bool asks() const { return !keys.empty(); }
  friend bool operator==(const WitnessPolicy&, const WitnessPolicy&) = default;
};

/// The member `audit.witnesses`: "none" or an object.
codec::Json to_contract(const WitnessPolicy& policy);

/// Reads it. Errors: kInvalidInput, naming the member; kUnsupported for another word than "none".
Result<WitnessPolicy> witness_policy_from_contract(codec::JsonReader& audit);

/// Errors: kInvalidInput if the provider is to watch itself.
Status check_witnesses(const WitnessPolicy& policy, const crypto::PublicKey& provider);

}  // namespace aftune::trace
