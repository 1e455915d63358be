// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/tlog_proof.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/tlog/folder_testing.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {
namespace {

std::vector<Digest> leaves_of(std::size_t count) {
  std::vector<Digest> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(leaf_hash(as_bytes(std::to_string(i))));
  return out;
}

VerifierKey verifier() { return {"example.com/log", test_key(1).public_key()}; }

TlogProof proof_of(std::uint64_t index, std::size_t count) {
  const auto leaves = leaves_of(count);
  const Checkpoint checkpoint{"example.com/log", count, merkle_root(leaves)};
  return {index, *inclusion_proof(leaves, index),
          encode_note(sign_checkpoint(checkpoint, test_key(1)))};
}

TEST(TlogProof, HasTheBytesOfTheFormat) {
  const TlogProof proof = proof_of(1, 2);
  const std::string text = encode_tlog_proof(proof);
  EXPECT_EQ(text,
            "c2sp.org/tlog-proof@v1\nindex 1\n"
            "2zQm6HgGjSjSabbIcXIyLOU3K2V1bQeJAB00g19gHAM=\n\n" +
                proof.checkpoint_note);
}

TEST(TlogProof, RoundTripsAndVerifiesForEveryLeaf) {
  for (const std::size_t count : {1, 2, 7, 8}) {
    for (std::uint64_t index = 0; index < count; ++index) {
      const std::string text = encode_tlog_proof(proof_of(index, count));
      const auto proof = decode_tlog_proof(text);
      ASSERT_TRUE(proof) << proof.error().what;
      EXPECT_EQ(encode_tlog_proof(*proof), text);
      const auto verified = verify_tlog_proof(*proof, leaves_of(count)[index], verifier());
      EXPECT_TRUE(verified) << verified.error().what;
    }
  }
}

TEST(TlogProof, ExtraIsCarriedAlongAndProvesNothing) {
  TlogProof proof = proof_of(1, 2);
  proof.extra = {1, 2, 3};
  const std::string text = encode_tlog_proof(proof);
  EXPECT_NE(text.find("@v1\nextra AQID\nindex 1\n"), std::string::npos);
  const auto back = decode_tlog_proof(text);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->extra, proof.extra);
  EXPECT_TRUE(verify_tlog_proof(*back, leaves_of(2)[1], verifier()));
}

TEST(TlogProof, LiesAreRefuted) {
  struct Lie {
    std::string name;
    std::function<void(TlogProof&, Digest&, VerifierKey&)> apply;
  };
  const Lie lies[] = {
      {"other leaf", [](TlogProof&, Digest& leaf, VerifierKey&) { leaf.bytes[0] ^= 1; }},
      {"other index", [](TlogProof& p, Digest&, VerifierKey&) { p.index ^= 1; }},
      {"index outside", [](TlogProof& p, Digest&, VerifierKey&) { p.index = 7; }},
      {"hash missing", [](TlogProof& p, Digest&, VerifierKey&) { p.path.pop_back(); }},
      {"hash bit", [](TlogProof& p, Digest&, VerifierKey&) { p.path[0].bytes[9] ^= 1; }},
      {"other key", [](TlogProof&, Digest&, VerifierKey& k) { k.key = test_key(2).public_key(); }},
      {"other origin", [](TlogProof&, Digest&, VerifierKey& k) { k.name = "example.com/log2"; }},
      {"other checkpoint",
       [](TlogProof& p, Digest&, VerifierKey&) {
         p.checkpoint_note = proof_of(3, 8).checkpoint_note;
       }},
  };
  for (const Lie& lie : lies) {
    TlogProof proof = proof_of(3, 7);
    Digest leaf = leaves_of(7)[3];
    VerifierKey key = verifier();
    ASSERT_TRUE(verify_tlog_proof(proof, leaf, key));
    lie.apply(proof, leaf, key);
    const auto got = verify_tlog_proof(proof, leaf, key);
    ASSERT_FALSE(got) << lie.name;
    EXPECT_EQ(got.error().code, Code::kInvalidInput) << lie.name;
  }
}

TEST(TlogProof, OtherSpellingsAreRefused) {
  const TlogProof good = proof_of(1, 2);
  const std::string hash = "2zQm6HgGjSjSabbIcXIyLOU3K2V1bQeJAB00g19gHAM=\n";
  const std::string head = "c2sp.org/tlog-proof@v1\n";
  const std::string tail = "\n" + good.checkpoint_note;
  ASSERT_TRUE(decode_tlog_proof(head + "index 1\n" + hash + tail));
  std::string long_path;
  for (int i = 0; i < 65; ++i) long_path += hash;
  const std::string lies[] = {
      "",
      head,
      "c2sp.org/tlog-proof@v2\nindex 1\n" + hash + tail,
      "index 1\n" + hash + tail,
      head + "index 01\n" + hash + tail,
      head + "index -1\n" + hash + tail,
      head + "index\n" + hash + tail,
      head + "Index 1\n" + hash + tail,
      head + hash + tail,
      head + "extra \nindex 1\n" + hash + tail,
      head + "extra AQI\nindex 1\n" + hash + tail,
      head + "extra AQID\nextra AQID\nindex 1\n" + hash + tail,
      head + "index 1\nextra AQID\n" + hash + tail,
      head + "index 1\nAQID\n" + tail,
      head + "index 1\r\n" + hash + tail,
      head + "index 1\n" + hash,
      head + "index 1\n" + hash + "\n",
      head + "index 1\n" + hash + good.checkpoint_note,
      head + "index 1\n" + hash + tail + "x",
      head + "index 1\n" + long_path + tail,
  };
  for (const std::string& lie : lies) {
    const auto got = decode_tlog_proof(lie);
    ASSERT_FALSE(got) << lie;
    EXPECT_EQ(got.error().code, Code::kInvalidInput);
  }
}

TEST(TlogProof, EveryTruncationIsRefused) {
  const std::string text = encode_tlog_proof(proof_of(3, 7));
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode_tlog_proof(text.substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace aftune::tlog
