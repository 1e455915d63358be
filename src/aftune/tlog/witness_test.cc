// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/witness.h"

#include <gtest/gtest.h>

#include "aftune/base/hex.h"
#include "aftune/tlog/folder_testing.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {
namespace {

const std::string kOrigin = "example.com/log";
const Path kVectors = AFTUNE_SOURCE_DIR "/../shared/vectors/witness";

/// Leaf hashes of a log of `size` entries; `fork`: from which entry on it is another one.
std::vector<Digest> leaves(std::uint64_t size, std::uint64_t fork = UINT64_MAX) {
  std::vector<Digest> out;
  for (std::uint64_t i = 0; i < size; ++i) {
    out.push_back(leaf_hash(as_bytes((i >= fork ? "other " : "entry ") + std::to_string(i))));
  }
  return out;
}

std::string note_of(const std::vector<Digest>& log) {
  return encode_note(sign_checkpoint({kOrigin, log.size(), merkle_root(log)}, test_key(1)));
}

AddCheckpoint grow(std::uint64_t from, const std::vector<Digest>& to) {
  return {from, *consistency_proof(to, from), note_of(to)};
}

Witness fresh() {
  Witness out;
  out.watch({kOrigin, test_key(1).public_key()}, std::nullopt);
  return out;
}

Witness at(std::uint64_t size) {
  Witness out;
  out.watch({kOrigin, test_key(1).public_key()},
            Checkpoint{kOrigin, size, merkle_root(leaves(size))});
  return out;
}

TEST(Witness, AcceptsEveryGrowthByItsProof) {
  for (std::uint64_t from = 0; from <= 20; ++from) {
    for (std::uint64_t to = std::max<std::uint64_t>(from, 1); to <= 20; ++to) {
      Witness witness = from == 0 ? fresh() : at(from);
      const auto decision = witness.consider(grow(from, leaves(to)));
      ASSERT_EQ(decision.answer, WitnessAnswer::kAccepted) << from << " to " << to;
      EXPECT_EQ(decision.latest_size, from);
      witness.accept(decision.checkpoint);
      EXPECT_EQ((*witness.latest(kOrigin))->size, to);
    }
  }
}

TEST(Witness, RefusesEveryForkWhateverProofIsGiven) {
  for (std::uint64_t from = 1; from <= 9; ++from) {
    for (std::uint64_t to = from; to <= 12; ++to) {
      for (std::uint64_t fork = 0; fork < from; ++fork) {
        const Witness witness = at(from);
        const auto lie = leaves(to, fork);
        const auto mine = witness.consider(grow(from, lie));
        const auto honest =
            witness.consider({from, *consistency_proof(leaves(to), from), note_of(lie)});
        const auto wanted = from == to ? WitnessAnswer::kConflict : WitnessAnswer::kBadProof;
        EXPECT_EQ(mine.answer, wanted) << from << " to " << to << " forked at " << fork;
        EXPECT_EQ(honest.answer, wanted) << from << " to " << to << " forked at " << fork;
      }
    }
  }
}

TEST(Witness, ForgetsNothingBetweenConsiderAndAccept) {
  Witness witness = at(3);
  EXPECT_EQ(witness.consider(grow(3, leaves(5))).answer, WitnessAnswer::kAccepted);
  EXPECT_EQ(witness.consider(grow(3, leaves(4))).answer, WitnessAnswer::kAccepted);
  witness.accept({kOrigin, 5, merkle_root(leaves(5))});
  const auto late = witness.consider(grow(3, leaves(4)));
  EXPECT_EQ(late.answer, WitnessAnswer::kConflict);
  EXPECT_EQ(late.latest_size, 5U);
  EXPECT_EQ(witness.consider({5, {}, note_of(leaves(4))}).answer, WitnessAnswer::kOldTooLarge);
}

TEST(Witness, GivesEachRefusalItsName) {
  const Witness witness = at(3);
  const auto answer = [&](const AddCheckpoint& request) {
    return witness.consider(request).answer;
  };
  const AddCheckpoint honest = grow(3, leaves(5));
  AddCheckpoint lie = honest;
  lie.note = "no note";
  EXPECT_EQ(answer(lie), WitnessAnswer::kBadSignature);
  lie.note = encode_note(sign_checkpoint({"example.com/other", 5, leaf_hash({})}, test_key(1)));
  EXPECT_EQ(answer(lie), WitnessAnswer::kUnknownLog);
  lie.note = encode_note(sign_checkpoint({kOrigin, 5, merkle_root(leaves(5))}, test_key(2)));
  EXPECT_EQ(answer(lie), WitnessAnswer::kBadSignature);
  SignedNote extended{checkpoint_text({kOrigin, 5, merkle_root(leaves(5))}) + "more\n", {}};
  extended.sign(test_key(1), kOrigin);
  lie.note = encode_note(extended);
  EXPECT_EQ(answer(lie), WitnessAnswer::kMalformed);
  lie = honest;
  lie.old_size = 6;
  EXPECT_EQ(answer(lie), WitnessAnswer::kOldTooLarge);
  for (const std::uint64_t old : {0, 2, 4}) {
    lie.old_size = old;
    EXPECT_EQ(answer(lie), WitnessAnswer::kConflict) << old;
  }
  lie = honest;
  lie.proof.pop_back();
  EXPECT_EQ(answer(lie), WitnessAnswer::kBadProof);
  lie = honest;
  lie.proof.push_back(lie.proof[0]);
  EXPECT_EQ(answer(lie), WitnessAnswer::kBadProof);
  EXPECT_EQ(answer({3, {leaf_hash({})}, note_of(leaves(3))}), WitnessAnswer::kBadProof);
  EXPECT_EQ(fresh().consider({0, {leaf_hash({})}, note_of(leaves(3))}).answer,
            WitnessAnswer::kBadProof);
  EXPECT_FALSE(witness.latest("example.com/other"));
}

TEST(Witness, TakesAnEmptyLogOnlyWithTheRootOfNothing) {
  EXPECT_EQ(fresh().consider({0, {}, note_of({})}).answer, WitnessAnswer::kAccepted);
  const std::string lie = encode_note(sign_checkpoint({kOrigin, 0, leaf_hash({})}, test_key(1)));
  EXPECT_EQ(fresh().consider({0, {}, lie}).answer, WitnessAnswer::kBadProof);
}

TEST(AddCheckpoint, ComesBackAsItWasAndInOneSpelling) {
  const AddCheckpoint request = grow(3, leaves(7));
  const std::string text = encode_add_checkpoint(request);
  const auto read = decode_add_checkpoint(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(encode_add_checkpoint(*read), text);
  EXPECT_EQ(read->proof, request.proof);
  const std::string hash = text.substr(6, 45);
  std::string many = "old 3\n";
  for (int i = 0; i < 64; ++i) many += hash;
  for (const std::string& lie :
       {std::string(), std::string("old 3"), std::string("old 3\n"), "old 03\n\n" + request.note,
        "old\n\n" + request.note, "new 3\n\n" + request.note, "old 3\nAAAA\n\n" + request.note,
        "old 3\r\n\n" + request.note, many + "\n" + request.note}) {
    EXPECT_FALSE(decode_add_checkpoint(lie)) << lie.substr(0, 20);
  }
  EXPECT_TRUE(decode_add_checkpoint(many.substr(0, 6 + 63 * 45) + "\n" + request.note));
}

/// The requests of the script and what it expects of each.
struct Exchange {
  std::string request;
  unsigned status = 0;
  std::string body;  // contained in the answer, or equal to it
};

std::vector<Exchange> read_script(const std::string& text) {
  std::vector<Exchange> out;
  std::size_t at = 0;
  while ((at = text.find("/add-checkpoint\n```\n", at)) != std::string::npos) {
    const std::size_t begin = at + 20, end = text.find("```\nHTTP ", begin);
    Exchange item{text.substr(begin, end - begin), 0, ""};
    item.status = static_cast<unsigned>(std::stoul(text.substr(end + 9, 3)));
    const std::size_t body = text.find("body ", end);
    const std::size_t first = text.find('"', body), last = text.find("\"\n", first + 1);
    item.body = text.substr(first + 1, last - first - 1);
    at = last;
    out.push_back(std::move(item));
  }
  return out;
}

TEST(Witness, AnswersThePublicScriptAsItExpects) {
  const Path file = kVectors / "litewitness.txt";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
  const std::string text = *read_text_file(file, 1U << 20);
  const std::string hex = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
  ASSERT_NE(text.find("-key=" + hex), std::string::npos);
  VerifierKey log{
      "sigsum.org/v1/tree/"
      "4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562",
      {}};
  const ByteBuffer key = *from_hex(hex);
  std::copy(key.begin(), key.end(), log.key.bytes.begin());
  Witness witness;
  witness.watch(log, std::nullopt);
  const auto script = read_script(text);
  ASSERT_EQ(script.size(), 9U);
  for (std::size_t i = 0; i < script.size(); ++i) {
    const Exchange& item = script[i];
    const auto request = decode_add_checkpoint(item.request);
    ASSERT_TRUE(request) << i << ": " << request.error().what;
    const WitnessDecision decision = witness.consider(*request);
    // The script is of before an unknown log got its own status, 404.
    const bool unknown = decision.answer == WitnessAnswer::kUnknownLog;
    EXPECT_EQ(unknown ? 403 : http_status(decision.answer), item.status) << i;
    if (item.status == 409) {
      EXPECT_EQ(std::to_string(decision.latest_size) + "\\n", item.body) << i;
    } else if (item.status != 200) {
      EXPECT_NE(decision.reason.find(item.body), std::string::npos) << i << decision.reason;
    } else {
      witness.accept(decision.checkpoint);
    }
  }
  EXPECT_EQ((*witness.latest(log.name))->size, 5U);
}

}  // namespace
}  // namespace aftune::tlog
