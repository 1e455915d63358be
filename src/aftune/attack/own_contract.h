// SPDX-License-Identifier: Apache-2.0
// A finished run taken over: who has neither its provider's nor its client's key signs a contract
// of equal terms with keys of its own, and signs the run's log again under it.
#pragma once

#include <optional>

#include "aftune/attack/lying_provider.h"

namespace aftune::attack {

/// The honest twin: everything but keys, contract and log is the given run's.
struct Twin {
  trace::SignedContract contract;
  crypto::PrivateKey key;  // the provider's
  trace::RunFolder run;
  std::optional<Digest> root_salt;

  [[nodiscard]] Job job() const { return {contract, key, run.base(), run.data(), root_salt}; }
};

/// The same terms, without witnesses, under keys that nobody else has.
Result<trace::SignedContract> own_contract(const trace::Contract& given,
                                           const crypto::PrivateKey& provider);

/// Makes the twin of `run` in `folder`, which must not exist. Its data set is `data` if the run
/// leaves it out. Files are hard links where possible.
/// Errors: kInvalidInput for a run that is not closed; those of read_log; kUnavailable.
Result<Twin> take_over(const trace::Contract& given, const trace::RunFolder& run,
                       const std::optional<Path>& data, const Path& folder);

}  // namespace aftune::attack
