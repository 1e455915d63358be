// SPDX-License-Identifier: Apache-2.0
// Signed documents of a challenge as files. Errors name the file.
#pragma once

#include "aftune/audit/manifest.h"

namespace aftune::cli {

inline constexpr std::uint64_t kMaxManifest = std::uint64_t{512} << 20;  // bytes, as an envelope

/// Errors: those of audit::open_challenge; kNotFound.
Result<audit::SignedChallenge> load_challenge(const Path& file, const trace::Contract& contract);

/// A manifest and its envelope. Errors: those of audit::open_manifest; kNotFound.
struct LoadedManifest {
  audit::SignedManifest manifest;
  std::string envelope;
};
Result<LoadedManifest> load_manifest(const Path& file, const trace::Contract& contract,
                                     const Digest& challenge);

}  // namespace aftune::cli
