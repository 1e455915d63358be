// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/dsse.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "aftune/codec/base64.h"

namespace aftune::codec {
namespace {

constexpr const char* kType = "application/x-test";
constexpr std::uint64_t kLimit = 1 << 16;

crypto::PrivateKey key(std::uint8_t fill) {
  return *crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, fill)));
}

Dsse signed_envelope() {
  Dsse envelope{kType, "{\"a\":1}", {}};
  envelope.sign(key(1), "client");
  envelope.sign(key(2), "provider");
  return envelope;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Dsse, SignaturesCoverTheEncodingOfTheSpecification) {
  // The protocol's own example: type and payload with their lengths.
  Dsse envelope{"http://example.com/HelloWorld", "hello world", {}};
  envelope.sign(key(1), "k");
  EXPECT_EQ(envelope.signatures[0].signature,
            key(1).sign(as_bytes("DSSEv1 29 http://example.com/HelloWorld 11 hello world")));
}

TEST(Dsse, ReadsBackWhatWasSigned) {
  const Dsse envelope = signed_envelope();
  const std::string text = encode_dsse(envelope);
  const auto read = decode_dsse(text, kType, kLimit);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->payload, envelope.payload);
  EXPECT_EQ(read->payload_type, kType);
  ASSERT_EQ(read->signatures.size(), 2u);
  EXPECT_EQ(read->signatures[1].key_id, "provider");
  EXPECT_TRUE(read->signed_by(key(1).public_key()));
  EXPECT_TRUE(read->signed_by(key(2).public_key()));
  EXPECT_FALSE(read->signed_by(key(3).public_key()));
  EXPECT_EQ(encode_dsse(*read), text);
}

TEST(Dsse, SpellingIsTheOneOfThePage) {
  Dsse envelope{"t", "p", {}};
  envelope.signatures.push_back({"k", crypto::Signature{}});
  EXPECT_EQ(
      encode_dsse(envelope),
      "{\"payload\":\"cA==\",\"payloadType\":\"t\",\"signatures\":[{\"keyid\":\"k\",\"sig\":\"" +
          to_base64(ByteBuffer(64)) + "\"}]}\n");
}

TEST(Dsse, KeyIdDecidesNothing) {
  Dsse envelope = signed_envelope();
  std::swap(envelope.signatures[0].key_id, envelope.signatures[1].key_id);
  EXPECT_TRUE(envelope.signed_by(key(1).public_key()));
  EXPECT_TRUE(envelope.signed_by(key(2).public_key()));
}

TEST(Dsse, SignatureBelongsToPayloadAndType) {
  Dsse other = signed_envelope();
  other.payload += " ";
  EXPECT_FALSE(other.signed_by(key(1).public_key()));
  other = signed_envelope();
  other.payload_type = "application/y-test";
  EXPECT_FALSE(other.signed_by(key(1).public_key()));
  // Moving the border between type and payload changes the lengths.
  Dsse shifted{"a", "b c", {}};
  shifted.sign(key(1), "k");
  shifted.payload_type = "a 3 b";
  shifted.payload = "c";
  EXPECT_FALSE(shifted.signed_by(key(1).public_key()));
}

TEST(Dsse, SigningAgainReplacesTheSignatureInItsPlace) {
  Dsse envelope = signed_envelope();
  envelope.payload = "changed";
  envelope.sign(key(1), "client");
  ASSERT_EQ(envelope.signatures.size(), 2u);
  EXPECT_EQ(envelope.signatures[0].key_id, "client");
  EXPECT_TRUE(envelope.signed_by(key(1).public_key()));
  EXPECT_FALSE(envelope.signed_by(key(2).public_key()));
}

TEST(Dsse, LiesAreRefused) {
  const std::string honest = encode_dsse(signed_envelope());
  const std::string sig = to_base64(signed_envelope().signatures[0].signature);
  const std::pair<const char*, std::string> lies[] = {
      {"no newline", honest.substr(0, honest.size() - 1)},
      {"another byte for the newline", honest.substr(0, honest.size() - 1) + " "},
      {"two newlines", honest + "\n"},
      {"cut off", honest.substr(0, honest.size() / 2) + "\n"},
      {"empty", ""},
      {"white space", replaced(honest, ",", ", ")},
      {"another type", replaced(honest, "x-test", "y-test")},
      {"a member more", replaced(honest, "]}", "],\"z\":1}")},
      {"a member of a signature more", replaced(honest, "\"}", "\",\"x\":1}")},
      {"no payload", replaced(honest, "\"payload\":\"eyJhIjoxfQ==\",", "")},
      {"no key id", replaced(honest, "\"keyid\":\"client\",", "")},
      {"payload without padding", replaced(honest, "fQ==", "fQ")},
      {"payload with unused bits", replaced(honest, "fQ==", "fR==")},
      {"short signature", replaced(honest, sig, to_base64(ByteBuffer(63)))},
      {"long signature", replaced(honest, sig, to_base64(ByteBuffer(65)))},
      {"key id twice", replaced(honest, "provider", "client")},
      {"long key id", replaced(honest, "client", std::string(257, 'c'))},
  };
  ASSERT_TRUE(decode_dsse(honest, kType, kLimit));
  for (const auto& [name, lie] : lies) {
    const auto read = decode_dsse(lie, kType, kLimit);
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, Code::kInvalidInput) << name;
  }
}

TEST(Dsse, NumberOfSignaturesIsBounded) {
  Dsse envelope{kType, "p", {}};
  EXPECT_TRUE(decode_dsse(encode_dsse(envelope), kType, kLimit)) << "a draft";
  for (int i = 0; i < 16; ++i) {
    envelope.signatures.push_back({std::to_string(i), crypto::Signature{}});
  }
  EXPECT_TRUE(decode_dsse(encode_dsse(envelope), kType, kLimit));
  envelope.signatures.push_back({"16", crypto::Signature{}});
  EXPECT_FALSE(decode_dsse(encode_dsse(envelope), kType, kLimit));
}

TEST(Dsse, LimitOfBytesIsInclusive) {
  const std::string text = encode_dsse(signed_envelope());
  EXPECT_TRUE(decode_dsse(text, kType, text.size()));
  EXPECT_FALSE(decode_dsse(text, kType, text.size() - 1));
}

}  // namespace
}  // namespace aftune::codec
