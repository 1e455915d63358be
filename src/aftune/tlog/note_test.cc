// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/note.h"

#include <gtest/gtest.h>

#include "aftune/tlog/folder_testing.h"

namespace aftune::tlog {
namespace {

// From the Go checksum database: a key and a signed tree head that are widely published.
constexpr std::string_view kSumDbKey =
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

constexpr std::string_view kLogKey =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
constexpr std::string_view kLogNote =
    "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n"
    "\xE2\x80\x94 example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+"
    "CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=\n";

TEST(VerifierKey, RoundTripsPublishedKeys) {
  for (const std::string_view text : {kSumDbKey, kLogKey}) {
    const auto key = parse_verifier_key(text);
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_EQ(key->spell(), text);
  }
  EXPECT_EQ(parse_verifier_key(kSumDbKey)->id(), 0x033de0aeU);
}

TEST(VerifierKey, OtherSpellingsAreRefused) {
  const std::string rest = "Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
  const std::string lies[] = {
      "",
      "sum.golang.org",
      "sum.golang.org+033de0ae",
      "sum.golang.org+033de0ae+",
      "+033de0ae+" + rest,
      "sum golang.org+033de0ae+" + rest,
      "sum.golang.org+033DE0AE+" + rest,
      "sum.golang.org+33de0ae+" + rest,
      "sum.golang.org+033de0af+" + rest,
      "sum.golang.orh+033de0ae+" + rest,
      "sum.golang.org+033de0ae+" + rest + "\n",
      "sum.golang.org+033de0ae+" + rest.substr(0, 40),
      "sum.golang.org+033de0ae+AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  };
  for (const std::string& lie : lies) {
    const auto key = parse_verifier_key(lie);
    ASSERT_FALSE(key) << lie;
    EXPECT_EQ(key.error().code, Code::kInvalidInput) << lie;
  }
}

TEST(KeyName, HasNoSpaceOfAnyKindNorPlus) {
  for (const char* name : {"a", "example.com/log42", "gr\xC3\xBC\xC3\x9F", "\xE2\x80\x94"}) {
    EXPECT_TRUE(is_key_name(name)) << name;
  }
  for (const char* name : {"", "a b", "a+b", "a\nb", "a\tb", "a\x01", "a\xC2\xA0", "\xE3\x80\x80",
                           "a\xE2\x80\x8A", "\xC3", "\xC0\xA0"}) {
    EXPECT_FALSE(is_key_name(name)) << name;
  }
}

TEST(Note, OfAnotherImplementationVerifiesAndRoundTrips) {
  const auto note = decode_note(kLogNote);
  ASSERT_TRUE(note) << note.error().what;
  EXPECT_TRUE(note->signed_by(*parse_verifier_key(kLogKey)));
  EXPECT_FALSE(note->signed_by(*parse_verifier_key(kSumDbKey)));
  EXPECT_EQ(encode_note(*note), kLogNote);
}

TEST(Note, TextMayHaveEmptyLines) {
  const auto key = test_key(1);
  SignedNote note{"one\n\nthree\n", {}};
  note.sign(key, "k");
  const auto back = decode_note(encode_note(note));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->text, "one\n\nthree\n");
  EXPECT_TRUE(back->signed_by({"k", key.public_key()}));
}

TEST(Note, AnyFlippedBitEndsTheSignature) {
  const auto key = *parse_verifier_key(kLogKey);
  for (std::size_t bit = 0; bit < kLogNote.size() * 8; ++bit) {
    std::string lie(kLogNote);
    lie[bit / 8] = static_cast<char>(lie[bit / 8] ^ (1 << (bit % 8)));
    const auto note = decode_note(lie);
    EXPECT_FALSE(note && note->signed_by(key)) << bit;
  }
}

TEST(Note, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < kLogNote.size(); ++size) {
    EXPECT_FALSE(decode_note(kLogNote.substr(0, size))) << size;
  }
}

TEST(Note, ExactlyOneLineOfTheKeyMustBeThere) {
  const auto ours = test_key(1);
  const auto theirs = test_key(2);
  const VerifierKey key{"k", ours.public_key()};
  SignedNote note{"x\n", {}};
  EXPECT_FALSE(note.signed_by(key));
  note.sign(theirs, "k");
  note.sign(ours, "other");
  EXPECT_FALSE(note.signed_by(key));
  note.sign(ours, "k");
  EXPECT_TRUE(note.signed_by(key));
  SignedNote forged = note;
  forged.signatures[2].signature = forged.signatures[0].signature;
  EXPECT_FALSE(forged.signed_by(key));
  note.sign(ours, "k");
  EXPECT_FALSE(note.signed_by(key));
}

TEST(Note, MalformedNotesAreRefused) {
  const std::string line = "\xE2\x80\x94 k AAAAAQI=\n";
  ASSERT_TRUE(decode_note("x\n\n" + line));
  const std::string lies[] = {
      "",
      "x\n",
      "x\n\n",
      "x\n" + line,
      "\n" + line,
      "x\n\n" + line + "\n",
      "x\n\n" + line + "y\n",
      "x\r\n\n" + line,
      std::string("x\0\n\n", 4) + line,
      "\xFF\n\n" + line,
      "x\n\n- k AAAAAQI=\n",
      "x\n\n\xE2\x80\x94 k\n",
      "x\n\n\xE2\x80\x94  AAAAAQI=\n",
      "x\n\n\xE2\x80\x94 k  AAAAAQI=\n",
      "x\n\n\xE2\x80\x94 a+b AAAAAQI=\n",
      "x\n\n\xE2\x80\x94 k AAAAAQ==\n",
      "x\n\n\xE2\x80\x94 k AAAAAQI\n",
      "x\n\n\xE2\x80\x94 k AAAAAQJ=\n",
  };
  for (const std::string& lie : lies) EXPECT_FALSE(decode_note(lie)) << lie;
}

TEST(Note, LimitsHold) {
  std::string many = "x\n\n";
  for (int i = 0; i < 100; ++i) many += "\xE2\x80\x94 k AAAAAQI=\n";
  EXPECT_TRUE(decode_note(many));
  EXPECT_FALSE(decode_note(many + "\xE2\x80\x94 k AAAAAQI=\n"));
  const std::string tail = "\n\n\xE2\x80\x94 k AAAAAQI=\n";
  EXPECT_TRUE(decode_note(std::string((1 << 20) - tail.size(), 'x') + tail));
  EXPECT_FALSE(decode_note(std::string((1 << 20) - tail.size() + 1, 'x') + tail));
}

}  // namespace
}  // namespace aftune::tlog
