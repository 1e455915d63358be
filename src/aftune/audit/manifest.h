// SPDX-License-Identifier: Apache-2.0
// A provider's signed answer to a challenge: what it hands over. Bytes: docs/formats/challenge.md.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/audit/challenge.h"
#include "aftune/trace/openings.h"

namespace aftune::audit {

struct Manifest {
  Digest contract, challenge;
  std::vector<Digest> objects;          // ascending
  std::vector<trace::BoundFile> files;  // ascending by path; "base/config.json" and the like

  [[nodiscard]] std::string payload() const;
  [[nodiscard]] bool lists(const Digest& object) const;
};

/// A manifest whose signature holds, for one contract and challenge.
struct SignedManifest {
  Manifest manifest;
  Digest digest;
};

std::string sign_manifest(const Manifest& manifest, const crypto::PrivateKey& provider,
                          const std::string& name);

/// Errors: kInvalidInput for a malformed envelope, another contract or challenge, and without the
///         provider's signature.
Result<SignedManifest> open_manifest(std::string_view envelope, const trace::Contract& contract,
                                     const Digest& challenge);

/// What the provider of `run` hands over for these blocks: every list, every file that nobody else
/// has, and the states and edges that it holds of what the blocks take and make. `entries` are
/// those of its closed log. Errors: kNotFound or kCorrupt for a list or file that is not whole.
Result<Manifest> make_manifest(const trace::RunFolder& run, const trace::Contract& contract,
                               const std::vector<std::string>& entries,
                               const SignedChallenge& challenge);

/// The states and edges that the provider holds of what a replay of these blocks takes and makes,
/// each with the bases that its file needs. Errors: those of Openings' lists.
Result<std::set<Digest>> tensors_held(const trace::Contract& contract,
                                      const trace::Openings& openings,
                                      const std::vector<BlockIndex>& drawn);

/// The digests of the lists behind the entries, by position from 1: what every challenge needs.
/// Errors: kInvalidInput for an entry that the contract does not imply.
Result<std::vector<Digest>> list_digests(const trace::Contract& contract,
                                         const std::vector<std::string>& entries);

/// The paths, inside a run, of the files that every challenge needs, ascending.
std::vector<std::string> needed_files(const trace::Contract& contract);

}  // namespace aftune::audit
