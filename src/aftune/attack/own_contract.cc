// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/own_contract.h"

#include <fmt/format.h>

#include "aftune/attack/finished_run.h"
#include "aftune/codec/dsse.h"
#include "aftune/trace/entry.h"

namespace aftune::attack {
namespace {

Result<std::optional<Digest>> read_root_salt(const trace::Contract& contract,
                                             const trace::RunFolder& run) {
  if (contract.base_public) return std::optional<Digest>();
  AFTUNE_TRY(std::string text, read_text_file(run.root_salt(), 128));
  if (text.ends_with('\n')) text.pop_back();
  AFTUNE_TRY(const Digest salt, parse_digest(text).in(run.root_salt().string()));
  return std::optional<Digest>(salt);
}

}  // namespace

Result<trace::SignedContract> own_contract(const trace::Contract& given,
                                           const crypto::PrivateKey& provider) {
  const crypto::PrivateKey client = crypto::PrivateKey::generate();
  trace::Contract own = given;
  own.client = {"client-of-the-gallery", client.public_key()};
  own.provider = {"provider-of-the-gallery", provider.public_key()};
  own.verifier = {"verifier-of-the-gallery", client.public_key()};
  own.audit.witnesses = {};  // nobody else's word is asked for
  codec::Dsse envelope{std::string(trace::kContractPayloadType), own.payload(), {}};
  envelope.sign(client, own.client.name);
  envelope.sign(provider, own.provider.name);
  return trace::open_signed_contract(codec::encode_dsse(envelope));
}

Result<Twin> take_over(const trace::Contract& given, const trace::RunFolder& run,
                       const std::optional<Path>& data, const Path& folder) {
  AFTUNE_TRY(const FinishedRun honest, FinishedRun::open(given, run).in(run.root.string()));
  if (honest.entries.size() != honest.timeline().entry_count()) {
    return Error{
        Code::kInvalidInput,
        fmt::format("{} is not closed: its log has {} entries, the contract implies {}",
                    run.root.string(), honest.entries.size(), honest.timeline().entry_count())};
  }
  AFTUNE_TRY(std::optional<Digest> salt, read_root_salt(given, run));
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  AFTUNE_TRY(trace::SignedContract contract, own_contract(given, key));
  AFTUNE_TRY(copy_run(run.root, folder));
  Twin twin{std::move(contract), std::move(key), {folder}, salt};
  std::error_code error;
  if (data && !std::filesystem::exists(twin.run.data(), error)) {
    AFTUNE_TRY(trace::place_file(*data, twin.run.data()));
  }
  AFTUNE_TRY(FinishedRun mine, FinishedRun::open(given, twin.run));
  mine.entries[0] = trace::encode_entry(0, mine.timeline().at(0), twin.contract.contract.digest());
  AFTUNE_TRY(mine.sign(twin.contract, twin.key));
  return twin;
}

}  // namespace aftune::attack
