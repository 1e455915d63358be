// SPDX-License-Identifier: Apache-2.0
// Challenge, manifest and timing: what they must be.
#include "aftune/audit/challenge.h"

#include "aftune/audit/asked_run_testing.h"
#include "aftune/codec/dsse.h"

namespace aftune::audit {
namespace {

using testing::Asked;
using testing::must;
using testing::test_key;
using testing::watched_job;
using testing::witness;

TEST(Challenge, ComesBackAsItWasAndFollowsFromTheDraw) {
  const Asked asked;
  const auto opened = must(asked.opened());
  EXPECT_EQ(opened.challenge.payload(), asked.challenge.payload());
  EXPECT_EQ(opened.checkpoint, asked.log.checkpoint);
  EXPECT_TRUE(follows_from_draw(opened.challenge, asked.order()));
}

TEST(Challenge, ThatIsNotTheContractsIsRefused) {
  const auto refused = [](const char* names, const std::function<void(Challenge&)>& change) {
    Asked lie;
    change(lie.challenge);
    const auto opened = lie.opened();
    ASSERT_FALSE(opened) << names;
    EXPECT_EQ(opened.error().code, Code::kInvalidInput);
    EXPECT_NE(opened.error().what.find(names), std::string::npos) << opened.error().what;
  };
  refused("it is of contract", [](auto& c) { c.contract.bytes[0] ^= 1; });
  refused("not the one that the contract commits to", [](auto& c) { c.secret[31] ^= 1; });
  refused("not the one that the contract commits to", [](auto& c) { c.secret.pop_back(); });
  refused("blocks, the contract draws", [](auto& c) { c.blocks.pop_back(); });
  refused("blocks, the contract draws", [](auto& c) { c.blocks.assign(7, c.blocks[0]); });
  refused("outside the grid", [](auto& c) { c.blocks[1] = {2, 0}; });
  refused("outside the grid", [](auto& c) { c.blocks[1] = {0, 3}; });
  refused("challenge: ", [](auto& c) { c.checkpoint_note = "no note"; });
  refused("entries, a closed log", [](auto& c) {
    c.checkpoint_note = watched_job().log(watched_job().run()).history_notes[1];
  });
  const Asked asked;
  const auto unsigned_by_client =
      open_challenge(sign_challenge(asked.challenge, test_key(2), "client"), asked.contract);
  ASSERT_FALSE(unsigned_by_client);
  EXPECT_NE(unsigned_by_client.error().what.find("signature of the client"), std::string::npos);
}

/// A secret that can be guessed would let a provider know the draw, though both signed for it.
TEST(Challenge, WithAShortSecretIsRefusedThoughAgreed) {
  Asked asked;
  trace::Contract contract = asked.contract;
  const ByteBuffer shorter(31, 7);
  contract.audit.secret_sha256 = trace::secret_commitment(contract.run_id, shorter);
  asked.challenge.contract = contract.digest();
  asked.challenge.secret = shorter;
  const auto opened =
      open_challenge(sign_challenge(asked.challenge, test_key(1), "client"), contract);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().what.find("its secret is not the one"), std::string::npos);
}

TEST(Challenge, WithBlocksOfTheClientsOwnChoiceDoesNotFollow) {
  Asked asked;
  const auto order = asked.order();
  asked.challenge.blocks = {order[1], order[0]};
  EXPECT_FALSE(follows_from_draw(asked.challenge, order)) << "another order";
  asked.challenge.blocks = {order[0], order[2]};
  EXPECT_FALSE(follows_from_draw(asked.challenge, order)) << "one left out";
  asked.challenge.blocks = {order[0], order[0]};
  EXPECT_FALSE(follows_from_draw(asked.challenge, order)) << "one twice";
  asked.challenge.blocks = order;
  EXPECT_TRUE(follows_from_draw(asked.challenge, order)) << "a longer prefix";
}

TEST(Manifest, ListsWhatTheChallengeNeedsAndComesBackAsItWas) {
  const Asked asked;
  const Manifest manifest = asked.manifest();
  for (const Digest& list : must(list_digests(asked.contract, asked.log.entries))) {
    EXPECT_TRUE(manifest.lists(list));
  }
  const auto store = must(trace::Store::open(asked.run.store(), trace::Store::Open::kExisting));
  EXPECT_LT(manifest.objects.size(), must(store.objects()).size()) << "only what is needed";
  for (const Digest& object : manifest.objects) EXPECT_TRUE(store.has(object));
  EXPECT_EQ(manifest.files.front().path, "base/aftune.safetensors");
  const Digest challenge = must(asked.opened()).digest;
  const std::string envelope = sign_manifest(manifest, asked.job.provider, "provider");
  const auto opened = must(open_manifest(envelope, asked.contract, challenge));
  EXPECT_EQ(opened.manifest.payload(), manifest.payload());
  EXPECT_FALSE(open_manifest(envelope, asked.contract, Digest())) << "another challenge";
  EXPECT_FALSE(
      open_manifest(sign_manifest(manifest, test_key(1), "provider"), asked.contract, challenge))
      << "not by the provider";
  Manifest lie = manifest;
  std::swap(lie.objects[0], lie.objects[1]);
  EXPECT_FALSE(
      open_manifest(sign_manifest(lie, asked.job.provider, "p"), asked.contract, challenge));
  lie = manifest;
  lie.objects[1] = lie.objects[0];
  EXPECT_FALSE(
      open_manifest(sign_manifest(lie, asked.job.provider, "p"), asked.contract, challenge));
  lie = manifest;
  std::swap(lie.files[0], lie.files[1]);
  EXPECT_FALSE(
      open_manifest(sign_manifest(lie, asked.job.provider, "p"), asked.contract, challenge));
  lie = manifest;
  lie.contract.bytes[0] ^= 1;
  EXPECT_FALSE(
      open_manifest(sign_manifest(lie, asked.job.provider, "p"), asked.contract, challenge));
}

TEST(Timing, HoldsOnlyByAWitnessOfTheContractAndInOrder) {
  const Asked asked;
  const Digest challenge = must(asked.opened()).digest;
  const Timing honest{asked.contract.digest(), challenge, 100, challenge, 200, 300};
  const auto read = [&](const Timing& timing, unsigned char seed = 7) {
    return open_timing(sign_timing(timing, test_key(seed), "w"), asked.contract, challenge);
  };
  EXPECT_EQ(must(read(honest)).timing.payload(), honest.payload());
  EXPECT_EQ(must(read(honest)).witness, witness(7));
  EXPECT_FALSE(read(honest, 9)) << "no witness of the contract";
  Timing lie = honest;
  lie.stated = 199;
  EXPECT_FALSE(read(lie));
  lie = honest;
  lie.manifest_received = 99;
  EXPECT_FALSE(read(lie));
  lie = honest;
  lie.challenge.bytes[0] ^= 1;
  EXPECT_FALSE(read(lie));
  lie = honest;
  lie.contract.bytes[0] ^= 1;
  EXPECT_FALSE(read(lie));
  lie = honest;
  lie.manifest.reset();
  lie.stated = 99;
  EXPECT_FALSE(read(lie));
  // A manifest without its time, and a time without a manifest.
  for (const char* member : {"manifest", "manifest_received"}) {
    codec::Json half = must(codec::parse_json(honest.payload(), {}));
    half.object()->at(member) = "";
    codec::Dsse envelope{"application/vnd.aftune.timing+json", codec::canonical_json(half), {}};
    envelope.sign(test_key(7), "w");
    const auto refused = open_timing(codec::encode_dsse(envelope), asked.contract, challenge);
    ASSERT_FALSE(refused) << member;
    EXPECT_NE(refused.error().what.find("both be there"), std::string::npos);
  }
}

}  // namespace
}  // namespace aftune::audit
