// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/document_files.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kMaxChallenge = std::uint64_t{32} << 20;

}  // namespace

Result<audit::SignedChallenge> load_challenge(const Path& file, const trace::Contract& contract) {
  AFTUNE_TRY(const std::string text, read_text_file(file, kMaxChallenge));
  return audit::open_challenge(text, contract).in(file.string());
}

Result<LoadedManifest> load_manifest(const Path& file, const trace::Contract& contract,
                                     const Digest& challenge) {
  AFTUNE_TRY(std::string text, read_text_file(file, kMaxManifest));
  AFTUNE_TRY(audit::SignedManifest manifest,
             audit::open_manifest(text, contract, challenge).in(file.string()));
  return LoadedManifest{std::move(manifest), std::move(text)};
}

}  // namespace aftune::cli
