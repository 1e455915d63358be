// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/timing.h"

#include <fmt/format.h>

#include <utility>

#include "aftune/codec/dsse.h"
#include "aftune/codec/json_reader.h"

namespace aftune::audit {
namespace {

using codec::Json;
using codec::JsonReader;

constexpr const char* kType = "application/vnd.aftune.timing+json";
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 20;

Error invalid(std::string what) { return {Code::kInvalidInput, "timing: " + std::move(what)}; }

Result<std::int64_t> read_time(JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(const std::string text, reader.string(name));
  return trace::parse_utc(text).in(fmt::format("timing.{}", name));
}

Status read_manifest(JsonReader& reader, Timing& out) {
  AFTUNE_TRY(const std::string digest, reader.string("manifest"));
  AFTUNE_TRY(const std::string received, reader.string("manifest_received"));
  if (digest.empty() != received.empty()) {
    return invalid("manifest and manifest_received must both be there or both be empty");
  }
  if (digest.empty()) return ok();
  AFTUNE_TRY(out.manifest, parse_digest(digest).in("timing.manifest"));
  AFTUNE_TRY(out.manifest_received, trace::parse_utc(received).in("timing.manifest_received"));
  return ok();
}

Result<Timing> read_payload(const std::string& payload) {
  AFTUNE_TRY(const Json json,
             codec::parse_canonical_json(payload, {.bytes = kMaxBytes, .depth = 2}).in("timing"));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(json, "timing"));
  AFTUNE_TRY([[maybe_unused]] const auto version, reader.integer("version", 1, 1));
  Timing out;
  AFTUNE_TRY(out.contract, reader.digest("contract"));
  AFTUNE_TRY(out.challenge, reader.digest("challenge"));
  AFTUNE_TRY(out.received, read_time(reader, "received"));
  AFTUNE_TRY(read_manifest(reader, out));
  AFTUNE_TRY(out.stated, read_time(reader, "stated"));
  AFTUNE_TRY(reader.finish());
  const bool in_order =
      out.manifest ? out.received <= out.manifest_received && out.manifest_received <= out.stated
                   : out.received <= out.stated;
  if (!in_order) {
    return invalid(
        fmt::format("its times do not follow one another: received {}, manifest {}, "
                    "stated {}",
                    trace::spell_utc(out.received),
                    out.manifest ? trace::spell_utc(out.manifest_received) : "none",
                    trace::spell_utc(out.stated)));
  }
  return out;
}

}  // namespace

std::string Timing::payload() const {
  return codec::canonical_json(
      Json::Object{{"version", 1},
                   {"contract", contract.hex()},
                   {"challenge", challenge.hex()},
                   {"received", trace::spell_utc(received)},
                   {"manifest", manifest ? manifest->hex() : ""},
                   {"manifest_received", manifest ? trace::spell_utc(manifest_received) : ""},
                   {"stated", trace::spell_utc(stated)}});
}

std::string sign_timing(const Timing& timing, const crypto::PrivateKey& witness,
                        const std::string& name) {
  codec::Dsse envelope{kType, timing.payload(), {}};
  envelope.sign(witness, name);
  return codec::encode_dsse(envelope);
}

Result<SignedTiming> open_timing(std::string_view envelope, const trace::Contract& contract,
                                 const Digest& challenge) {
  AFTUNE_TRY(const codec::Dsse dsse,
             codec::decode_dsse(envelope, kType, 2 * kMaxBytes).in("timing"));
  for (const tlog::WitnessKey& witness : contract.audit.witnesses.keys) {
    if (!dsse.signed_by(witness.key)) continue;
    AFTUNE_TRY(const Timing timing, read_payload(dsse.payload));
    if (timing.contract != contract.digest() || timing.challenge != challenge) {
      return invalid(fmt::format("it is of contract {} and challenge {}, these are {} and {}",
                                 timing.contract.hex(), timing.challenge.hex(),
                                 contract.digest().hex(), challenge.hex()));
    }
    return SignedTiming{timing, witness, std::string(envelope)};
  }
  return invalid("no valid signature of a witness that the contract names");
}

}  // namespace aftune::audit
