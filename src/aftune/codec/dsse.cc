// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/dsse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "aftune/codec/base64.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"

namespace aftune::codec {
namespace {

constexpr std::size_t kMaxSignatures = 16;
constexpr std::size_t kMaxKeyIdBytes = 256;

// The bytes that are signed: "pre-authentication encoding" of DSSE.
std::string signed_bytes(const Dsse& envelope) {
  return fmt::format("DSSEv1 {} {} {} {}", envelope.payload_type.size(), envelope.payload_type,
                     envelope.payload.size(), envelope.payload);
}

Result<ByteBuffer> read_base64(JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(const std::string text, reader.string(name));
  return from_base64(text).in(fmt::format("{}.{}", reader.path(), name));
}

Result<DsseSignature> read_signature(const Json& value, std::size_t index) {
  AFTUNE_TRY(JsonReader reader,
             JsonReader::open(value, fmt::format("envelope.signatures[{}]", index)));
  DsseSignature out;
  AFTUNE_TRY(out.key_id, reader.string("keyid"));
  if (out.key_id.size() > kMaxKeyIdBytes) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.keyid has {} bytes, the limit is {}", reader.path(),
                             out.key_id.size(), kMaxKeyIdBytes)};
  }
  AFTUNE_TRY(const ByteBuffer signature, read_base64(reader, "sig"));
  if (signature.size() != out.signature.size()) {
    return Error{Code::kInvalidInput, fmt::format("{}.sig has {} bytes, needs {}", reader.path(),
                                                  signature.size(), out.signature.size())};
  }
  std::copy(signature.begin(), signature.end(), out.signature.begin());
  AFTUNE_TRY(reader.finish());
  return out;
}

Status read_signatures(JsonReader& reader, std::vector<DsseSignature>& signatures) {
  AFTUNE_TRY(const Json::Array* const array, reader.array("signatures"));
  if (array->size() > kMaxSignatures) {
    return Error{Code::kInvalidInput, fmt::format("envelope has {} signatures, the limit is {}",
                                                  array->size(), kMaxSignatures)};
  }
  for (const Json& value : *array) {
    AFTUNE_TRY(DsseSignature signature, read_signature(value, signatures.size()));
    const bool repeated =
        std::any_of(signatures.begin(), signatures.end(),
                    [&signature](const DsseSignature& s) { return s.key_id == signature.key_id; });
    if (repeated) {
      return Error{Code::kInvalidInput,
                   fmt::format("envelope.signatures[{}].keyid stands twice", signatures.size())};
    }
    signatures.push_back(std::move(signature));
  }
  return ok();
}

}  // namespace

void Dsse::sign(const crypto::PrivateKey& key, std::string key_id) {
  const crypto::Signature signature = key.sign(as_bytes(signed_bytes(*this)));
  const auto earlier =
      std::find_if(signatures.begin(), signatures.end(),
                   [&key_id](const DsseSignature& s) { return s.key_id == key_id; });
  if (earlier != signatures.end()) {
    earlier->signature = signature;
  } else {
    signatures.push_back({std::move(key_id), signature});
  }
}

bool Dsse::signed_by(const crypto::PublicKey& key) const {
  const std::string message = signed_bytes(*this);
  return std::any_of(signatures.begin(), signatures.end(), [&](const DsseSignature& s) {
    return crypto::verify_ed25519(key, as_bytes(message), s.signature);
  });
}

std::string encode_dsse(const Dsse& envelope) {
  Json::Array signatures;
  for (const DsseSignature& s : envelope.signatures) {
    signatures.emplace_back(Json::Object{{"keyid", s.key_id}, {"sig", to_base64(s.signature)}});
  }
  return canonical_json(Json::Object{{"payload", to_base64(as_bytes(envelope.payload))},
                                     {"payloadType", envelope.payload_type},
                                     {"signatures", std::move(signatures)}}) +
         "\n";
}

Result<Dsse> decode_dsse(std::string_view text, std::string_view payload_type,
                         std::uint64_t limit_bytes) {
  if (text.size() > limit_bytes) {
    return Error{Code::kInvalidInput,
                 fmt::format("envelope has {} bytes, the limit is {}", text.size(), limit_bytes)};
  }
  if (!text.ends_with('\n')) {
    return Error{Code::kInvalidInput, "envelope does not end in a newline"};
  }
  text.remove_suffix(1);
  const JsonLimits limits{.bytes = limit_bytes, .depth = 3, .values = 4 + 3 * kMaxSignatures};
  AFTUNE_TRY(const Json value, parse_canonical_json(text, limits).in("envelope"));
  AFTUNE_TRY(JsonReader reader, JsonReader::open(value, "envelope"));
  Dsse out;
  AFTUNE_TRY(out.payload_type, reader.string("payloadType"));
  if (out.payload_type != payload_type) {
    return Error{Code::kInvalidInput,
                 fmt::format("envelope.payloadType is \"{}\", needs \"{}\"",
                             out.payload_type.substr(0, kMaxKeyIdBytes), payload_type)};
  }
  AFTUNE_TRY(const ByteBuffer payload, read_base64(reader, "payload"));
  out.payload = as_text(payload);
  AFTUNE_TRY(read_signatures(reader, out.signatures));
  AFTUNE_TRY(reader.finish());
  return out;
}

}  // namespace aftune::codec
