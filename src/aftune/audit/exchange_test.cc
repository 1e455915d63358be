// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/exchange.h"

#include <gtest/gtest.h>

#include "aftune/audit/challenge_post.h"
#include "aftune/codec/base64.h"
#include "aftune/trace/finished_run_testing.h"

namespace aftune::audit {
namespace {

using trace::testing::get;
using trace::testing::must;
using trace::testing::put;
using trace::testing::RunCopy;
using trace::testing::test_key;

constexpr std::int64_t kNow = 1'800'000'000;

/// The finished run, whose contract names no witness, and the client's secret.
struct Sides {
  const RunCopy copy;
  const trace::testing::TempFolder folder;
  const trace::Contract& contract = copy.job.contract();

  Sides() { put(secret(), to_hex(ByteBuffer(32, 7)) + "\n"); }
  [[nodiscard]] Path secret() const { return folder / "secret"; }
  [[nodiscard]] Result<Challenge> ask(std::uint64_t count = 0,
                                      const std::vector<Path>& witnesses = {}) const {
    return make_challenge({contract, copy.run, secret(), witnesses, count, kNow});
  }
  [[nodiscard]] SignedChallenge open(const Challenge& challenge) const {
    return must(open_challenge(sign_challenge(challenge, test_key(1), "client"), contract));
  }
};

TEST(Exchange, TheClientAsksForAPrefixAndTheProviderAnswers) {
  const Sides sides;
  const Challenge small = must(sides.ask());
  EXPECT_EQ(small.blocks.size(), 2U);
  const Challenge large = must(sides.ask(5));
  ASSERT_EQ(large.blocks.size(), 5U);
  EXPECT_TRUE(std::equal(small.blocks.begin(), small.blocks.end(), large.blocks.begin()))
      << "a larger audit is a longer prefix";
  EXPECT_EQ(must(sides.ask(100)).blocks.size(), 6U);
  const SignedChallenge asked = sides.open(small);
  const Manifest manifest = must(make_answer(sides.copy.run, sides.contract, asked));
  EXPECT_EQ(manifest.challenge, asked.digest);
  EXPECT_LT(manifest.objects.size(),
            must(make_answer(sides.copy.run, sides.contract, sides.open(large))).objects.size());
}

TEST(Exchange, TheCheckpointIsStoredBeforeTheSecretIsShown) {
  const Sides sides;
  const Challenge challenge = must(sides.ask());
  EXPECT_EQ(get(sides.folder / "secret.checkpoint"), challenge.checkpoint_note);
  // Another final log of the provider's: nothing is drawn for it.
  RunCopy other;
  other.set_list(other.timeline().position_of_step(0), "other");
  other.write_log();
  const auto second = make_challenge({sides.contract, other.run, sides.secret(), {}, 0, kNow});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kCorrupt);
}

TEST(Exchange, NoSecretIsShownForARunThatIsNotClosed) {
  const Sides sides;
  RunCopy open;
  open.entries.resize(7);
  open.write_log();
  const auto challenge = make_challenge({sides.contract, open.run, sides.secret(), {}, 0, kNow});
  ASSERT_FALSE(challenge);
  EXPECT_EQ(challenge.error().code, Code::kInvalidInput);
  EXPECT_FALSE(std::filesystem::exists(sides.folder / "secret.checkpoint"));
}

TEST(Exchange, NoSecretIsShownWithoutTheAgreedWitnesses) {
  const Sides sides;
  trace::Contract watched = sides.contract;
  watched.audit.witnesses = {{{"w", test_key(7).public_key()}}, 1, 3600};
  // The log of a contract names it: sign the same entries for this one.
  const trace::testing::TempFolder folder;
  auto entries = sides.copy.entries;
  entries[0] = trace::encode_entry(0, {}, watched.digest());
  auto log =
      must(tlog::LogWriter::open(folder / "run/log", watched.origin(), sides.copy.job.provider));
  const trace::Timeline timeline(watched);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    must(log.append(entries[i]));
    const bool ends_block =
        i + 1 == entries.size() || (i > 0 && timeline.at(i).kind == trace::EntryKind::kState &&
                                    timeline.at(i + 1).kind != trace::EntryKind::kState);
    if (ends_block) must(log.sign());
  }
  const trace::RunFolder run{folder / "run"};
  const auto ask = [&] {
    return make_challenge({watched, run, sides.secret(), {folder / "witness"}, 0, kNow});
  };
  must(make_folders(folder / "witness/cosigned"));
  const auto early = ask();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kUnavailable);
  EXPECT_NE(early.error().what.find("the secret was not shown"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(sides.folder / "secret.checkpoint"));
  const auto reading = must(tlog::read_log(run.log(), watched.log_key()));
  for (std::size_t i = 0; i < reading.history.size(); ++i) {
    auto note = must(tlog::decode_note(reading.history_notes[i]));
    tlog::cosign(note, test_key(7), "w", static_cast<std::uint64_t>(kNow) - 100 + i);
    put(folder / "witness/cosigned" / std::to_string(i), tlog::encode_note(note));
  }
  const Challenge challenge = must(ask());
  const auto note = must(tlog::decode_note(challenge.checkpoint_note));
  EXPECT_EQ(tlog::cosigned_at(note, watched.audit.witnesses.keys[0]).size(), 1U);
  EXPECT_EQ(get(sides.folder / "secret.checkpoint"), challenge.checkpoint_note);
}

TEST(Exchange, NoSecretIsShownForALogThatAKeptNoteContradicts) {
  const Sides sides;
  const tlog::Checkpoint other{sides.contract.origin(), 3, Digest()};
  put(sides.folder / "note",
      tlog::encode_note(tlog::sign_checkpoint(other, sides.copy.job.provider)));
  const auto challenge = sides.ask(0, {sides.folder / "note"});
  ASSERT_FALSE(challenge);
  EXPECT_EQ(challenge.error().code, Code::kCorrupt);
  EXPECT_NE(challenge.error().what.find("split view"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(sides.folder / "secret.checkpoint"));
}

TEST(Exchange, A7TheProviderRefusesBlocksThatTheClientChose) {
  const Sides sides;
  Challenge lie = must(sides.ask(6));
  std::swap(lie.blocks[0], lie.blocks[5]);
  const auto refused = make_answer(sides.copy.run, sides.contract, sides.open(lie));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidInput);
  EXPECT_NE(refused.error().what.find("does not follow from the draw"), std::string::npos);
}

TEST(Exchange, TheProviderRefusesAChallengeForAnotherLog) {
  const Sides sides;
  RunCopy other;
  other.set_list(other.timeline().position_of_step(0), "other");
  other.write_log();
  const auto refused = make_answer(other.run, sides.contract, sides.open(must(sides.ask())));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("this run's has"), std::string::npos);
}

TEST(Exchange, TheProviderDoesNotSignForAListThatItLost) {
  const Sides sides;
  std::filesystem::remove(sides.copy.list_of(3));
  const auto answer = make_answer(sides.copy.run, sides.contract, sides.open(must(sides.ask())));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kNotFound);
}

TEST(Exchange, TheProviderDoesNotSignForAListOrFileThatIsAltered) {
  const Sides list;
  const SignedChallenge asked = list.open(must(list.ask()));
  trace::testing::flip_bit(list.copy.list_of(list.copy.timeline().position_of_close()), 20);
  const auto altered = make_answer(list.copy.run, list.contract, asked);
  ASSERT_FALSE(altered);
  EXPECT_EQ(altered.error().code, Code::kCorrupt);
  const Sides file;
  trace::testing::flip_bit(file.copy.run.base() / "tokenizer.json", 20);
  const auto other = make_answer(file.copy.run, file.contract, file.open(must(file.ask())));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kCorrupt);
  EXPECT_NE(other.error().what.find("tokenizer.json has SHA-256"), std::string::npos);
}

/// Lines that a provider adds to its final note are neither stored nor shown.
TEST(Exchange, T33LinesOfStrangersDoNotTravelWithTheChallenge) {
  const Sides sides;
  const std::string honest = get(sides.copy.run.log() / "checkpoint");
  std::string note = honest;
  const std::string line = "\u2014 stranger " + codec::to_base64(ByteBuffer(7000, 1)) + "\n";
  for (int i = 0; i < 99; ++i) note += line;
  put(sides.copy.run.log() / "checkpoint", note);
  EXPECT_EQ(must(sides.ask()).checkpoint_note, honest);
  EXPECT_EQ(must(sides.ask(5)).checkpoint_note, honest) << "and again, for more blocks";
}

TEST(ChallengePost, KeepsTheFirstTimesAcrossProcesses) {
  const Sides sides;
  trace::Contract contract = sides.contract;
  contract.audit.witnesses = {{{"w", test_key(7).public_key()}}, 1, 3600};
  const SignedChallenge asked = sides.open(must(sides.ask()));
  const Manifest answer = must(make_answer(sides.copy.run, sides.contract, asked));
  const std::string envelope = sign_manifest(answer, sides.copy.job.provider, "provider");
  const SignedManifest manifest = must(open_manifest(envelope, sides.contract, asked.digest));
  const auto state = [&](std::int64_t now) {
    auto post = must(ChallengePost::take(sides.folder / "state", asked, now));
    const auto stated = must(post.state_timing(contract, test_key(7), "w", now));
    return must(open_timing(stated, contract, asked.digest)).timing;
  };
  EXPECT_EQ(state(100).received, 100);
  EXPECT_EQ(state(150).received, 100);
  EXPECT_FALSE(state(160).manifest);
  // A clock that went back would leave times behind that no auditor takes.
  EXPECT_EQ(must(ChallengePost::take(sides.folder / "state", asked, 99))
                .take_manifest(envelope, manifest, 99)
                .error()
                .code,
            Code::kUnavailable);
  EXPECT_FALSE(state(170).manifest);
  must(must(ChallengePost::take(sides.folder / "state", asked, 200))
           .take_manifest(envelope, manifest, 200));
  const Timing answered = state(300);
  EXPECT_EQ(answered.manifest, manifest.digest);
  EXPECT_EQ(answered.manifest_received, 200);
  EXPECT_EQ(answered.stated, 300);
  EXPECT_EQ(get(challenge_folder(sides.folder / "state", asked.digest) / "challenge.json"),
            asked.envelope);
  // The first manifest counts, and the clock does not go back.
  auto post = must(ChallengePost::take(sides.folder / "state", asked, 400));
  SignedManifest second = manifest;
  second.digest.bytes[0] ^= 1;
  EXPECT_FALSE(post.take_manifest(envelope, second, 400));
  EXPECT_TRUE(post.take_manifest(envelope, manifest, 400));
  EXPECT_EQ(post.state_timing(contract, test_key(7), "w", 199).error().code, Code::kUnavailable);
  EXPECT_EQ(
      must(read_timings({sides.folder / "state", sides.folder.path()}, contract, asked.digest))
          .size(),
      1U);
  EXPECT_TRUE(must(read_timings({sides.folder / "state"}, sides.contract, asked.digest)).empty());
}

}  // namespace
}  // namespace aftune::audit
