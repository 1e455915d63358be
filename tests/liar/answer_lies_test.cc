// SPDX-License-Identifier: Apache-2.0
// A5, A7, T4 and T33 around a challenge: a provider that does not answer, and a client that wants
// an honest one to look guilty.
#include <gtest/gtest.h>

#include "expect_verdict.h"
#include "watched_run.h"

namespace aftune::liar {
namespace {

constexpr std::int64_t kAsked = 1'791'000'000;
constexpr std::int64_t kDeadline = 72 * 3600;

/// A closed, watched run, and the client's challenge.
struct Case {
  const World& w = world(watched({1, 8, 9}, 2));  // 1 is the client's own key
  WatchedRun run{w};
  Watcher first{w, 8}, second{w, 9};
  Path secret = w.fresh_secret();
  std::vector<audit::SignedTiming> timings;

  Case() { run.grow({&first, &second}); }
  [[nodiscard]] std::vector<Path> witnesses() const { return {first.state(), second.state()}; }
  [[nodiscard]] Result<audit::Challenge> ask() const {
    return audit::make_challenge({w.contract(), run.folder(), secret, witnesses(), 0, kAsked});
  }
  [[nodiscard]] audit::SignedChallenge asked() const { return challenge_of(w, must(ask())); }
  [[nodiscard]] audit::Manifest answer() const {
    return must(audit::make_answer(run.folder(), w.contract(), asked()));
  }
  void say(unsigned char seed, std::int64_t waited, std::optional<std::int64_t> answered = {}) {
    audit::Timing timing{w.contract().digest(), asked().digest, kAsked, {}, 0, kAsked + waited};
    if (answered) {
      timing.manifest = Digest();
      timing.manifest_received = kAsked + *answered;
    }
    timings.push_back(must(audit::open_timing(audit::sign_timing(timing, key_of_seed(seed), "w"),
                                              w.contract(), asked().digest)));
  }
  [[nodiscard]] audit::Verdict audited(const std::optional<audit::Manifest>& manifest) const {
    audit::AuditRequest request = run.request(witnesses());
    request.all = false;
    request.challenge = asked();
    request.timings = timings;
    if (manifest) {
      const std::string envelope = audit::sign_manifest(*manifest, w.provider_key(), "provider");
      request.manifest =
          must(audit::open_manifest(envelope, w.contract(), request.challenge->digest));
    }
    return must(audit::audit_run(request, engine()));
  }
};

TEST(AnswerLies, HonestTwinAnswersAndIsAccepted) {
  Case c;
  c.say(8, kDeadline + 5, kDeadline);
  c.say(9, kDeadline + 5, 10);
  EXPECT_TRUE(accepted(c.audited(c.answer())));
}

TEST(AnswerLies, A5NoManifestPastADeadlineThatAQuorumTimed) {
  Case c;
  std::filesystem::remove_all(c.run.folder().store());
  c.say(8, kDeadline + 1);
  EXPECT_TRUE(inconclusive(c.audited({}), "no manifest answers the challenge"));
  c.say(9, kDeadline + 1);
  EXPECT_TRUE(rejected(c.audited({}), {"deadline", "answer", "2 of 3 witnesses"}));
}

TEST(AnswerLies, A5AManifestPastTheDeadline) {
  Case c;
  c.say(8, kDeadline + 9, kDeadline + 1);
  c.say(9, kDeadline + 9, kDeadline + 2);
  EXPECT_TRUE(rejected(c.audited(c.answer()), {"deadline", "answer", "2 of 3 witnesses"}));
}

TEST(AnswerLies, A7TheClientsOwnClockTimesNoDeadline) {
  Case c;
  std::filesystem::remove_all(c.run.folder().store());
  c.say(8, kDeadline + 1);
  c.say(1, kDeadline + 1);
  EXPECT_TRUE(inconclusive(c.audited({}), "no manifest answers the challenge"));
}

TEST(AnswerLies, A7WhatTheClientDeletesWasListed) {
  Case c;
  const audit::Manifest manifest = c.answer();
  FinishedRun run(c.w, c.run.folder());
  std::filesystem::remove(run.object(run.list_digest(5)));
  EXPECT_TRUE(inconclusive(c.audited(manifest), "1 of what the manifest lists did not arrive"));
}

TEST(AnswerLies, T4WhatTheProviderKeepsBackIsNotListed) {
  Case c;
  FinishedRun run(c.w, c.run.folder());
  audit::Manifest manifest = c.answer();
  std::erase(manifest.objects, run.list_digest(5));
  std::filesystem::remove(run.object(run.list_digest(5)));
  EXPECT_TRUE(rejected(c.audited(manifest),
                       {"missing", "manifest", "the list of entry 5 is not in the manifest"}));
}

TEST(AnswerLies, A7BlocksOfTheClientsChoiceAreRefused) {
  Case c;
  audit::Challenge lie = must(c.ask());
  lie.blocks[0] = lie.blocks[1];
  const auto refused = audit::make_answer(c.run.folder(), c.w.contract(), challenge_of(c.w, lie));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("does not follow from the draw"), std::string::npos);
}

TEST(AnswerLies, T33ASecondLogAfterTheChallenge) {
  Case c;
  const audit::SignedChallenge asked = c.asked();
  c.run.change_step(1);
  c.run.write_log();
  audit::AuditRequest request = c.run.request({});
  request.all = false;
  request.challenge = asked;
  EXPECT_TRUE(rejected(must(audit::audit_run(request, engine())),
                       {"log", "final checkpoint", "for which blocks were drawn"}));
  const auto again = c.ask();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kCorrupt) << "and nothing is drawn for it";
}

TEST(AnswerLies, T19AnEndThatAWitnessSawOnlyAfterTheChallenge) {
  Case c;
  for (const unsigned char seed : std::initializer_list<unsigned char>{8, 9}) {
    c.say(seed, 10, 5);
    audit::Timing& timing = c.timings.back().timing;
    timing.received = static_cast<std::int64_t>(kFirstLook);
    timing.manifest_received = timing.received + 5;
  }
  EXPECT_TRUE(inconclusive(c.audited(c.answer()), "after it had received the challenge"));
}

TEST(AnswerLies, TheSecretStaysOneUntilTheWitnessesAttest) {
  Case c;
  std::filesystem::remove(c.second.state() / "cosigned" / std::to_string(c.run.sizes()[0]));
  const auto challenge = c.ask();
  ASSERT_FALSE(challenge);
  EXPECT_EQ(challenge.error().code, Code::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(c.secret.string() + ".checkpoint"));
}

}  // namespace
}  // namespace aftune::liar
