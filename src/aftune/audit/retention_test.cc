// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/retention.h"

#include "aftune/audit/asked_run_testing.h"
#include "aftune/trace/encoded_object.h"

namespace aftune::audit {
namespace {

using testing::Asked;
using testing::must;

constexpr std::uint64_t kLimit = std::uint64_t{1} << 30;

std::int64_t over(const Asked& asked) { return window_end(asked.contract) + 1; }

trace::Store store_of(const Asked& asked) {
  return must(trace::Store::open(asked.run.store(), trace::Store::Open::kExisting));
}

Result<RetentionPlan> try_plan(const Asked& asked, std::int64_t now,
                               const std::vector<SignedChallenge>& challenges = {}) {
  return plan_retention({asked.contract, asked.run, asked.log.entries, challenges, now});
}

RetentionPlan plan(const Asked& asked, std::int64_t now,
                   const std::vector<SignedChallenge>& challenges = {}) {
  return must(try_plan(asked, now, challenges));
}

bool removes(const RetentionPlan& plan, const Path& file) {
  return std::any_of(plan.removals.begin(), plan.removals.end(),
                     [&](const Removal& removal) { return removal.file == file; });
}

trace::Inventory inventory_of(const Asked& asked) {
  return must(trace::take_inventory(asked.contract, asked.log.entries, asked.run));
}

/// Writes `digest` anew as a delta over `base`.
void make_delta(const Asked& asked, const Digest& digest, const Digest& base) {
  const trace::Store store = store_of(asked);
  const ByteBuffer data = must(store.get(digest, kLimit)), other = must(store.get(base, kLimit));
  ByteBuffer text;
  must(trace::encode_object({trace::Encoding::kDelta, 1, data.size(), base}, data, other, nullptr,
                            [&text](Bytes piece) {
                              append(text, piece);
                              return ok();
                            }));
  Path file = store.path_of(digest);
  std::filesystem::remove(file);
  must(write_file(file.replace_extension(".delta"), text));
}

/// A tensor that the challenge needs and one of its size that it does not.
std::pair<Digest, Digest> needed_and_not(const Asked& asked) {
  const trace::Store store = store_of(asked);
  const Manifest manifest = asked.manifest();
  const trace::Inventory inventory = inventory_of(asked);
  for (const auto& [digest, component] : inventory.needed) {
    if (component != trace::Component::kParameters || !manifest.lists(digest)) continue;
    for (const auto& [other, kind] : inventory.needed) {
      if (kind == trace::Component::kLists || manifest.lists(other)) continue;
      if (must(store.get(digest, kLimit)).size() == must(store.get(other, kLimit)).size()) {
        return {digest, other};
      }
    }
  }
  ADD_FAILURE() << "every tensor is needed";
  return {};
}

TEST(Retention, TheWindowIsClosingTimeAndDeadline) {
  trace::Contract contract = testing::watched_job().contract();
  contract.closes_by = "2027-01-31T00:00:00Z";
  contract.audit.deadline_hours = 72;
  EXPECT_EQ(trace::spell_utc(window_end(contract)), "2027-02-03T00:00:00Z");
}

TEST(Retention, EverythingStaysUntilTheWindowIsOver) {
  const Asked asked;
  for (const std::int64_t now : {std::int64_t{0}, window_end(asked.contract)}) {
    const RetentionPlan found = plan(asked, now);
    EXPECT_TRUE(found.window_open);
    EXPECT_TRUE(found.removals.empty());
    EXPECT_EQ(found.kept_objects, must(store_of(asked).objects()).size());
  }
}

TEST(Retention, AfterwardsListsStayAndNothingElse) {
  const Asked asked;
  const RetentionPlan found = plan(asked, over(asked));
  EXPECT_FALSE(found.window_open);
  EXPECT_GT(found.removed_bytes, 0U);
  EXPECT_EQ(must(store_of(asked).objects()).size(), found.kept_objects + found.removals.size())
      << "planning removes nothing";
  must(carry_out(found));
  const trace::Inventory inventory = inventory_of(asked);
  EXPECT_TRUE(inventory.unreadable.empty());
  const auto left = must(store_of(asked).objects());
  EXPECT_EQ(left.size(), found.kept_objects);
  for (const auto& object : left) {
    EXPECT_EQ(inventory.needed.at(object.digest), trace::Component::kLists);
  }
}

TEST(Retention, ARunThatHasNotEndedKeepsItsEvidence) {
  Asked asked;
  asked.log.entries.pop_back();
  const RetentionPlan found = plan(asked, over(asked));
  EXPECT_FALSE(found.window_open);
  EXPECT_TRUE(found.removals.empty());
}

TEST(Retention, AnOpenChallengeIsStillAnswered) {
  const Asked asked;
  const Manifest manifest = asked.manifest();
  const RetentionPlan found = plan(asked, over(asked), {must(asked.opened())});
  EXPECT_GT(found.removals.size(), 0U);
  EXPECT_GT(found.kept_for_challenges, 0U);
  EXPECT_LT(found.kept_for_challenges, found.kept_objects);
  must(carry_out(found));
  EXPECT_EQ(asked.manifest().objects, manifest.objects);
  const Verdict verdict = asked.audited(manifest);
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
  EXPECT_EQ(verdict.not_handed_over, 0U);
}

TEST(Retention, TheBaseOfWhatAnOpenChallengeNeedsStays) {
  const Asked asked;
  const auto [needed, base] = needed_and_not(asked);
  const Path file = store_of(asked).path_of(base);
  EXPECT_TRUE(removes(plan(asked, over(asked), {must(asked.opened())}), file));
  make_delta(asked, needed, base);
  const RetentionPlan found = plan(asked, over(asked), {must(asked.opened())});
  EXPECT_FALSE(removes(found, file));
  EXPECT_TRUE(asked.manifest().lists(base)) << "and it is handed over";
  must(carry_out(found));
  EXPECT_EQ(asked.audited(asked.manifest()).outcome, Outcome::kAccept);
}

TEST(Retention, ADeltaGoesBeforeItsBase) {
  const Asked asked;
  const auto [digest, base] = needed_and_not(asked);
  make_delta(asked, digest, base);
  const RetentionPlan found = plan(asked, over(asked));
  ASSERT_TRUE(removes(found, store_of(asked).path_of(base)));
  EXPECT_EQ(found.removals.front().file, store_of(asked).path_of(digest));
}

TEST(Retention, LeftOversGoAtAnyTimeAndNotesOfPeopleNever) {
  const Asked asked;
  const Digest object = must(store_of(asked).objects()).front().digest;
  const Path home = store_of(asked).path_of(object).parent_path();
  const std::string hex = object.hex();
  trace::testing::put(home / (hex + ".raw.tmp-0011"), "half");
  trace::testing::put(home / (hex + ".zst"), "beside the object");
  trace::testing::put(home / "README", "ours");
  trace::testing::put(home / (hex + ".bak"), "ours");
  const RetentionPlan found = plan(asked, 0);
  ASSERT_EQ(found.removals.size(), 2U);
  must(carry_out(found));
  EXPECT_TRUE(std::filesystem::exists(home / "README"));
  EXPECT_TRUE(std::filesystem::exists(home / (hex + ".bak")));
  EXPECT_EQ(must(store_of(asked).strangers()).size(), 2U);
  EXPECT_TRUE(store_of(asked).get(object, kLimit));
}

TEST(Retention, NothingIsRemovedBesideDamage) {
  const Asked asked;
  const Digest list = must(list_digests(asked.contract, asked.log.entries)).at(3);
  std::filesystem::remove(store_of(asked).path_of(list));
  const auto found = try_plan(asked, over(asked));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kCorrupt);
}

TEST(OpenChallenges, AreThoseInTheRunFolder) {
  const Asked asked;
  EXPECT_TRUE(must(open_challenges(asked.run, asked.contract)).empty());
  const SignedChallenge challenge = must(asked.opened());
  const Path file = open_challenge_file(asked.run, challenge.digest);
  must(make_folders(file.parent_path()));
  must(write_file(file, as_bytes(challenge.envelope)));
  const auto found = must(open_challenges(asked.run, asked.contract));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].digest, challenge.digest);
  must(write_file(asked.run.challenges() / "other.json", as_bytes("{}")));
  const auto broken = open_challenges(asked.run, asked.contract);
  ASSERT_FALSE(broken) << "what cannot be read may need anything";
  EXPECT_NE(broken.error().what.find("other.json"), std::string::npos);
}

}  // namespace
}  // namespace aftune::audit
