// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/checkpoint.h"

#include <gtest/gtest.h>

#include "aftune/tlog/folder_testing.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {
namespace {

constexpr std::string_view kEmptyRoot = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

TEST(Checkpoint, TextIsThreeLines) {
  const Checkpoint checkpoint{"example.com/log", 0, merkle_root({})};
  const std::string text = checkpoint_text(checkpoint);
  EXPECT_EQ(text, "example.com/log\n0\n" + std::string(kEmptyRoot) + "\n");
  const auto back = parse_checkpoint_text(text);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, checkpoint);
}

TEST(Checkpoint, TheLargestSizeRoundTrips) {
  const Checkpoint checkpoint{"o", ~std::uint64_t{0}, {}};
  const auto back = parse_checkpoint_text(checkpoint_text(checkpoint));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->size, 18446744073709551615U);
}

TEST(Checkpoint, OtherSpellingsAreRefused) {
  const std::string root(kEmptyRoot);
  const std::string lies[] = {
      "",
      "o\n",
      "o\n1\n",
      "o\n1\n" + root,
      "\n1\n" + root + "\n",
      "o\n\n" + root + "\n",
      "o\n01\n" + root + "\n",
      "o\n+1\n" + root + "\n",
      "o\n-1\n" + root + "\n",
      "o\n1 \n" + root + "\n",
      "o\n0x1\n" + root + "\n",
      "o\n18446744073709551616\n" + root + "\n",
      "o\n1\n" + root.substr(4) + "\n",
      "o\n1\nAAAA" + root + "\n",
      "o\n1\n" + root + "\n\n",
      "o\n1\n" + root + "\nextension\n",
  };
  for (const std::string& lie : lies) {
    const auto got = parse_checkpoint_text(lie);
    ASSERT_FALSE(got) << lie;
    EXPECT_EQ(got.error().code, Code::kInvalidInput) << lie;
  }
  EXPECT_EQ(parse_checkpoint_text(lies[15]).error().what, "checkpoint has extension lines");
}

TEST(OpenCheckpoint, TakesOnlyTheLogsOwnKeyAndOrigin) {
  const auto key = test_key(1);
  const VerifierKey ours{"example.com/log", key.public_key()};
  const Checkpoint checkpoint{"example.com/log", 7, leaf_hash({})};
  const std::string note = encode_note(sign_checkpoint(checkpoint, key));
  const auto got = open_checkpoint(note, ours);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, checkpoint);

  EXPECT_FALSE(open_checkpoint(note, {"example.com/log", test_key(2).public_key()}));
  EXPECT_FALSE(open_checkpoint(note, {"example.com/other", key.public_key()}));
  SignedNote other_origin{checkpoint_text({"example.com/other", 7, leaf_hash({})}), {}};
  other_origin.sign(key, "example.com/log");
  EXPECT_FALSE(open_checkpoint(encode_note(other_origin), ours));
  SignedNote extended{checkpoint_text(checkpoint) + "luck 7\n", {}};
  extended.sign(key, "example.com/log");
  EXPECT_FALSE(open_checkpoint(encode_note(extended), ours));
}

TEST(OpenCheckpoint, IgnoresSignaturesOfOthers) {
  const auto key = test_key(1);
  SignedNote note = sign_checkpoint({"o", 7, {}}, key);
  note.sign(test_key(2), "witness.example");
  note.sign(test_key(2), "o");
  EXPECT_TRUE(open_checkpoint(encode_note(note), {"o", key.public_key()}));
}

}  // namespace
}  // namespace aftune::tlog
