// SPDX-License-Identifier: Apache-2.0
// When a witness had a challenge, and its answer. Bytes: docs/formats/challenge.md, "Timing".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aftune/trace/contract.h"

namespace aftune::audit {

/// Times are seconds since 1970.
struct Timing {
  Digest contract, challenge;
  std::int64_t received = 0;
  std::optional<Digest> manifest;  // the first one for this challenge
  std::int64_t manifest_received = 0;
  std::int64_t stated = 0;

  [[nodiscard]] std::string payload() const;
};

/// A timing by a witness of the contract.
struct SignedTiming {
  Timing timing;
  tlog::WitnessKey witness;
  std::string envelope;  // as stored
};

std::string sign_timing(const Timing& timing, const crypto::PrivateKey& witness,
                        const std::string& name);

/// Errors: kInvalidInput for a malformed envelope, another contract or challenge, times that do
///         not follow one another, and without the signature of one of the contract's witnesses.
Result<SignedTiming> open_timing(std::string_view envelope, const trace::Contract& contract,
                                 const Digest& challenge);

}  // namespace aftune::audit
