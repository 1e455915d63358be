// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/cosignature.h"

#include <gtest/gtest.h>

#include "aftune/tlog/checkpoint.h"
#include "aftune/tlog/folder_testing.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {
namespace {

const std::string kName = "witness.example/w1";
constexpr std::uint64_t kTime = 1679315147;

WitnessKey witness() { return {kName, test_key(7).public_key()}; }

SignedNote note() { return sign_checkpoint({"example.com/log", 1, leaf_hash({})}, test_key(1)); }

SignedNote cosigned(std::uint64_t time = kTime) {
  SignedNote out = note();
  cosign(out, test_key(7), kName, time);
  return out;
}

// Made with Python's cryptography from the text of the page: seeds of 32 bytes 01 and 07.
constexpr std::string_view kVectorKey =
    "witness.example/w1+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
constexpr std::string_view kVectorNote =
    "example.com/log\n"
    "1\n"
    "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"
    "\n"
    "— example.com/log "
    "m+XTxgT/eQLaMDlpPN9IqHZPELfe/N6aVP0qAukNIU9FwFBfUMGYAFlzUjAgHslr1vGRorF0hhggr9VPSOjvvqhk8AM=\n"
    "— witness.example/w1 "
    "qkoJ0QAAAABkGFDLhussGhTF80EBGPEXDB/kNjQhQUCJwNmNOEvhm0MZCBHIoajZu8droSj+zXFQm57h5rzfA9wx/"
    "eWVJDZSkFdYAQ==\n";

TEST(Cosignature, HasTheBytesOfAnotherImplementation) {
  EXPECT_EQ(witness().spell(), kVectorKey);
  EXPECT_EQ(encode_note(cosigned()), kVectorNote);
  const auto read = decode_note(kVectorNote);
  ASSERT_TRUE(read);
  EXPECT_EQ(cosigned_at(*read, witness()), std::vector<std::uint64_t>{kTime});
}

TEST(Cosignature, LeavesTheLogsSignatureAsItIs) {
  const VerifierKey log{"example.com/log", test_key(1).public_key()};
  EXPECT_TRUE(open_checkpoint(encode_note(cosigned()), log));
  EXPECT_EQ(cosigned().text, note().text);
}

TEST(Cosignature, ChangedInAnyBitIsNone) {
  const SignedNote honest = cosigned();
  for (std::size_t bit = 0; bit < 8 * 72; ++bit) {
    SignedNote lie = honest;
    lie.signatures[1].signature[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_TRUE(cosigned_at(lie, witness()).empty()) << "bit " << bit;
  }
}

TEST(Cosignature, IsForOneTextAndOneKeyOnly) {
  SignedNote other = cosigned();
  other.text = checkpoint_text({"example.com/log", 2, leaf_hash({})});
  EXPECT_TRUE(cosigned_at(other, witness()).empty()) << "another size";
  const SignedNote honest = cosigned();
  EXPECT_TRUE(cosigned_at(honest, {kName, test_key(8).public_key()}).empty()) << "another key";
  EXPECT_TRUE(cosigned_at(honest, {"witness.example/w2", test_key(7).public_key()}).empty());
  for (const int change : {-1, 1}) {
    SignedNote lie = honest;
    ByteBuffer& bytes = lie.signatures[1].signature;
    bytes.resize(bytes.size() + static_cast<std::size_t>(change));
    EXPECT_TRUE(cosigned_at(lie, witness()).empty()) << "length " << bytes.size();
  }
}

TEST(Cosignature, NoSignatureOfANotePassesForIt) {
  // The same key signs the text itself, as a log would, under the witness's key id.
  SignedNote lie = note();
  const auto plain = test_key(7).sign(as_bytes(lie.text));
  ByteBuffer bytes(8, 0);
  append(bytes, plain);
  lie.signatures.push_back({kName, witness().id(), bytes});
  EXPECT_TRUE(cosigned_at(lie, witness()).empty());
  EXPECT_NE(witness().id(), (VerifierKey{kName, test_key(7).public_key()}.id()));
}

TEST(Cosignature, OfOneWitnessMayStandThereManyTimes) {
  SignedNote both = cosigned(20);
  cosign(both, test_key(7), kName, 10);
  cosign(both, test_key(8), "other", 5);
  EXPECT_EQ(cosigned_at(both, witness()), (std::vector<std::uint64_t>{10, 20}));
}

TEST(WitnessKey, IsSpeltWithItsOwnAlgorithm) {
  const auto parsed = parse_witness_key(witness().spell());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, witness());
  EXPECT_FALSE(parse_verifier_key(witness().spell()));
  const std::string as_log = VerifierKey{kName, test_key(7).public_key()}.spell();
  EXPECT_FALSE(parse_witness_key(as_log));
  std::string wrong_hash = witness().spell();
  wrong_hash[kName.size() + 1] ^= 1;
  EXPECT_FALSE(parse_witness_key(wrong_hash));
}

}  // namespace
}  // namespace aftune::tlog
