// SPDX-License-Identifier: Apache-2.0
// Audits of runs that do not store everything, or have lost some of it. Lies are told in
// tests/liar/rebuild_lies_test.cc.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "aftune/audit/auditor.h"
#include "aftune/trace/finished_run_testing.h"
#include "aftune/trace/prepare.h"

namespace aftune::audit {
namespace {

using trace::GridBlock;
using trace::testing::must;
using trace::testing::TempFolder;
using trace::testing::test_engine;
using trace::testing::TinyJob;

struct GridCase {
  bool tied = true;
  std::uint32_t layers = 3, layers_per_block = 1;
  std::uint64_t steps = 5, steps_per_block = 1, micro_batch = 2;
  std::uint64_t states = 1;
  std::uint32_t edges = 1;
};

TinyJob::Change change_of(const GridCase& g) {
  return [g](trace::Contract& c) {
    c.architecture.layer_count = g.layers;
    c.architecture.tied_embeddings = g.tied;
    c.steps = g.steps;
    c.batch.micro_batch = g.micro_batch;
    c.grid = {g.layers_per_block, g.steps_per_block, g.states, g.edges};
    c.audit.blocks = 1;
  };
}

std::string spell(const GridCase& g) {
  return fmt::format("{}, {} layers by {}, {} steps by {}, micro-batches of {}, I_C {}, I_A {}",
                     g.tied ? "tied" : "untied", g.layers, g.layers_per_block, g.steps,
                     g.steps_per_block, g.micro_batch, g.states, g.edges);
}

Verdict audit_blocks(const TinyJob& job, const trace::RunFolder& run,
                     std::vector<BlockIndex> blocks) {
  const bool all = blocks.empty();
  AuditRequest request{job.contract(), run, {}, all, std::move(blocks), 0, {}, {}, 0, {}};
  if (std::filesystem::exists(run.delivered())) request.delivered = run.delivered();
  return must(audit_run(request, test_engine()));
}

Verdict audit_all(const TinyJob& job) { return audit_blocks(job, job.run(), {}); }

std::uint64_t rebuilt(const Verdict& verdict) {
  std::uint64_t out = 0;
  for (const ReplayedBlock& block : verdict.blocks) out += block.rebuilt_only;
  return out;
}

TEST(Rebuilding, HonestRunsOfRandomGridsAreAcceptedAndDifferInWhatTheyStoreOnly) {
  const unsigned seed = 5;
  std::mt19937 random(seed);
  const auto pick = [&](unsigned least, unsigned most) {
    return least + static_cast<unsigned>(random() % (most - least + 1));
  };
  for (int round = 0; round < 24; ++round) {
    GridCase g{round % 2 == 0, pick(1, 5), pick(1, 2), pick(2, 6),
               pick(1, 3),     pick(1, 3), pick(1, 4), pick(1, 4)};
    SCOPED_TRACE(fmt::format("{}, seed {}", spell(g), seed));
    const TinyJob job(change_of(g));
    must(job.train());
    const Verdict verdict = audit_all(job);
    EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
    EXPECT_EQ(verdict.blocks.size(), job.contract().block_count()) << "each block once";
    EXPECT_EQ(verdict.not_handed_over, 0U);
    trace::testing::expect_whole(job, job.run());
    g.states = 1;
    g.edges = 1;
    const TinyJob dense(change_of(g));
    must(dense.train());
    const auto sparse_log = job.log(job.run()).entries, dense_log = dense.log(dense.run()).entries;
    ASSERT_EQ(sparse_log.size(), dense_log.size());
    for (std::size_t i = 1; i < sparse_log.size(); ++i) {
      EXPECT_EQ(sparse_log[i], dense_log[i]) << "all but the contract's entry";
    }
    EXPECT_EQ(must(crypto::sha256_file(job.run().delivered() / "model.safetensors")),
              must(crypto::sha256_file(dense.run().delivered() / "model.safetensors")));
  }
}

/// Five layers in bands of two, states of every second step block, two micro-batches.
const TinyJob& sparse_job() {
  static const TinyJob job(change_of({true, 5, 1, 5, 1, 2, 2, 2}));
  static const bool closed = must(job.train()).end == trace::RunEnd::kClosed;
  AFTUNE_CHECK(closed, "the sparse run did not close");
  return job;
}

class SparseCopy {
  const TempFolder folder_;  // first: the members below live in it

 public:
  SparseCopy() : run{folder_ / "run"} {
    std::filesystem::copy(sparse_job().run().root, run.root,
                          std::filesystem::copy_options::recursive);
  }
  const trace::RunFolder run;

  [[nodiscard]] std::vector<std::string> entries() const { return sparse_job().log(run).entries; }
  [[nodiscard]] trace::Inventory inventory() const {
    return must(trace::take_inventory(sparse_job().contract(), entries(), run));
  }
  [[nodiscard]] Path object(const Digest& digest) const {
    return must(trace::Store::open(run.store(), trace::Store::Open::kExisting)).path_of(digest);
  }
  [[nodiscard]] Verdict audit(std::vector<BlockIndex> blocks = {}) const {
    return audit_blocks(sparse_job(), run, std::move(blocks));
  }
  trace::PrepareReport prepare(const std::vector<GridBlock>& blocks) const {
    return must(
        trace::prepare_blocks(sparse_job().contract(), run, entries(), blocks, test_engine()));
  }
};

TEST(Rebuilding, AnyObjectThatCanBeMadeAgainMayBeLostAndNoOther) {
  const SparseCopy copy;
  std::set<trace::Component> seen;
  std::map<trace::Component, int> tried;
  for (const auto& [digest, component] : copy.inventory().needed) {
    if (tried[component]++ % 6 != 0) continue;
    const Path file = copy.object(digest);
    const std::string bytes = trace::testing::get(file);
    std::filesystem::remove(file);
    const Verdict verdict = copy.audit();
    if (component == trace::Component::kLists) {
      EXPECT_EQ(verdict.outcome, Outcome::kReject) << verdict_text(verdict);
      EXPECT_EQ(verdict.findings.at(0).check, Check::kMissing);
    } else {
      EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
      EXPECT_EQ(verdict.not_handed_over, 1U);
      EXPECT_NE(verdict_text(verdict).find("absent     1 objects"), std::string::npos);
    }
    seen.insert(component);
    trace::testing::put(file, bytes);
  }
  EXPECT_EQ(seen.size(), trace::kComponentCount);
}

TEST(Rebuilding, AlteredBytesAreNotLostBytes) {
  const SparseCopy copy;
  std::size_t index = 0;
  for (const auto& [digest, component] : copy.inventory().needed) {
    if (++index % 5 != 0) continue;
    const std::string bytes = trace::testing::get(copy.object(digest));
    trace::testing::flip_bit(copy.object(digest), bytes.size() / 2);
    const Verdict verdict = copy.audit();
    EXPECT_EQ(verdict.outcome, Outcome::kReject) << trace::component_name(component);
    const bool list = component == trace::Component::kLists;
    EXPECT_EQ(verdict.findings.at(0).check, list ? Check::kList : Check::kOpening);
    trace::testing::put(copy.object(digest), bytes);
  }
}

TEST(Rebuilding, AStoreOfNothingButListsIsAccepted) {
  const SparseCopy copy;
  std::uint64_t lost = 0;
  for (const auto& [digest, component] : copy.inventory().needed) {
    if (component == trace::Component::kLists) continue;
    std::filesystem::remove(copy.object(digest));
    ++lost;
  }
  const Verdict all = copy.audit();
  EXPECT_EQ(all.outcome, Outcome::kAccept) << verdict_text(all);
  EXPECT_EQ(all.not_handed_over, lost);
  EXPECT_EQ(all.blocks.size(), 25U) << "each block is replayed once";
  const Verdict one = copy.audit({{3, 4}});
  EXPECT_EQ(one.blocks.size(), 25U);
  EXPECT_EQ(rebuilt(one), 24U);
  EXPECT_TRUE(one.findings.empty()) << verdict_text(one);
  // The one thing that nothing makes again besides lists.
  std::filesystem::remove(copy.run.base() / "model.safetensors");
  const Verdict without = copy.audit();
  EXPECT_EQ(without.outcome, Outcome::kReject);
  EXPECT_EQ(without.findings.at(0).check, Check::kMissing);
}

/// A job whose second step leaves the finite numbers; the states between are stored.
const TinyJob& diverging_job() {
  static const TinyJob job([](trace::Contract& c) {
    c.grid = {1, 1, 1, 2};
    c.training.schedule = {train::ScheduleKind::kConstant, 0x1p120, 0, 0};
  });
  static const bool aborted = must(job.train()).end == trace::RunEnd::kAborted;
  AFTUNE_CHECK(aborted, "the diverging run did not abort");
  return job;
}

TEST(Rebuilding, AnAbortIsProvenFromOlderStatesWhereTheNewestAreLost) {
  const TinyJob& job = diverging_job();
  const auto entries = job.log(job.run()).entries;
  const auto openings = must(trace::Openings::open(job.run(), job.contract(), entries));
  const trace::StateList list = must(openings.state_list(1, 1));
  EXPECT_NE(verdict_text(audit_all(job)).find("states of step block 1"), std::string::npos);
  const Path file = must(trace::Store::open(job.run().store(), trace::Store::Open::kExisting))
                        .path_of(list.digests[0]);
  const std::string bytes = trace::testing::get(file);
  std::filesystem::remove(file);
  const Verdict verdict = audit_all(job);
  EXPECT_TRUE(verdict.abort_proven) << verdict_text(verdict);
  EXPECT_NE(verdict_text(verdict).find("states of step block 0"), std::string::npos);
  // A state that the replay passes through must be the committed one.
  const trace::Timeline timeline(job.contract());
  const std::uint64_t position = timeline.position_of_state(1, 1);
  trace::StateList other = list;
  other.digests[0] = trace::testing::digest_of("another tensor");
  auto forged = entries;
  forged[position] = trace::encode_entry(
      position, timeline.at(position),
      TinyJob::put_object(job.run(), trace::encode_list(job.contract(), 1, 1, other)));
  job.forge_log(job.run(), forged);
  const Verdict lie = audit_all(job);
  EXPECT_EQ(lie.outcome, Outcome::kReject) << verdict_text(lie);
  EXPECT_EQ(lie.findings.at(0).check, Check::kState);
  EXPECT_NE(lie.findings[0].message.find("layer block 1 at step block 1"), std::string::npos);
  job.forge_log(job.run(), entries);
  trace::testing::put(file, bytes);
}

TEST(Prepare, LeavesNothingToRebuild) {
  const std::vector<BlockIndex> blocks = {{0, 3}, {3, 1}, {4, 3}};
  for (const BlockIndex& block : blocks) {
    const SparseCopy copy;
    const auto before = trace::testing::files_of(copy.run.root);
    ASSERT_GT(rebuilt(copy.audit({block})), 0U);
    const auto report = copy.prepare({{block.layer_block, block.step_block}});
    EXPECT_GT(report.replays, 0U);
    EXPECT_GT(report.cost, 0);
    const Verdict verdict = copy.audit({block});
    EXPECT_EQ(verdict.blocks.size(), 1U) << verdict_text(verdict);
    EXPECT_TRUE(verdict.findings.empty());
    EXPECT_TRUE(verdict.blocks[0].held);
    const auto after = trace::testing::files_of(copy.run.root);
    EXPECT_EQ(after.size(), before.size() + report.objects) << "objects and nothing else";
    for (const auto& [name, bytes] : before) EXPECT_EQ(after.at(name), bytes) << name;
    const auto check = must(trace::check_store(copy.inventory(), copy.run));
    EXPECT_TRUE(check.problems.empty() && check.strangers.empty());
    EXPECT_EQ(copy.prepare({{block.layer_block, block.step_block}}).replays, 0U)
        << "once is enough";
  }
}

TEST(Prepare, AllBlocksMakeTheStoreOfADenseGrid) {
  const SparseCopy copy;
  std::vector<GridBlock> all;
  for (std::uint32_t i = 0; i < 5; ++i) {
    for (std::uint64_t j = 0; j < 5; ++j) all.push_back({i, j});
  }
  const auto report = copy.prepare(all);
  EXPECT_EQ(report.replays, 22U) << "four blocks for their edges, the fifth for states 1 and 3";
  const Verdict verdict = copy.audit();
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
  for (const auto& [digest, tensor] : copy.inventory().unstored) {
    const bool edge = tensor.component == trace::Component::kActivations ||
                      tensor.component == trace::Component::kGradients;
    if (!edge) continue;
    EXPECT_TRUE(std::filesystem::exists(copy.object(digest)));
  }
}

TEST(Prepare, PutsBackWhatWasLost) {
  const SparseCopy copy;
  const auto stored = copy.inventory().needed;
  std::vector<Digest> lost;
  for (const auto& [digest, component] : stored) {
    if (component == trace::Component::kGradients) lost.push_back(digest);
  }
  for (const Digest& digest : lost) std::filesystem::remove(copy.object(digest));
  copy.prepare({{0, 4}, {1, 4}, {2, 4}, {3, 4}, {4, 4}});
  const Verdict verdict = copy.audit({{0, 4}, {1, 4}, {2, 4}, {3, 4}, {4, 4}});
  EXPECT_EQ(verdict.not_handed_over, 0U);
  EXPECT_EQ(rebuilt(verdict), 0U);
}

/// T34: a state that was committed and that no replay makes. What its replay makes instead is used
/// for nothing, though all that follows would hold.
TEST(Rebuilding, NothingIsMadeFromWhatDiffersFromItsCommitment) {
  const SparseCopy lie;
  const trace::Contract& contract = sparse_job().contract();
  const trace::Timeline timeline(contract);
  auto entries = lie.entries();
  const std::uint64_t position = timeline.position_of_state(2, 3);
  trace::StateList list =
      must(must(trace::Openings::open(lie.run, contract, entries)).state_list(2, 3));
  list.digests[0] = trace::testing::digest_of("another tensor");
  entries[position] =
      trace::encode_entry(position, timeline.at(position),
                          TinyJob::put_object(lie.run, trace::encode_list(contract, 2, 3, list)));
  sparse_job().forge_log(lie.run, entries);
  AuditRequest request{contract, lie.run, {}, false, {{2, 3}}, 0, {}, {}, 0, {}};
  const Verdict verdict = must(audit_run(request, test_engine()));
  EXPECT_EQ(verdict.outcome, Outcome::kReject) << verdict_text(verdict);
  ASSERT_FALSE(verdict.findings.empty());
  for (const Finding& finding : verdict.findings) {
    EXPECT_EQ(finding.check, Check::kState);
    EXPECT_EQ(finding.place, "layer block 2, step block 2");
  }
  for (const ReplayedBlock& block : verdict.blocks) EXPECT_LT(block.step_block, 3U);
}

TEST(Prepare, RefusesWhatDoesNotEqualItsCommitment) {
  const SparseCopy copy;
  const trace::Timeline timeline(sparse_job().contract());
  const auto entries = copy.entries();
  const auto openings = must(trace::Openings::open(copy.run, sparse_job().contract(), entries));
  const auto list = must(openings.state_list(2, 2));
  trace::testing::flip_bit(copy.object(list.digests[1]), 3);
  const auto altered =
      trace::prepare_blocks(sparse_job().contract(), copy.run, entries, {{2, 3}}, test_engine());
  ASSERT_FALSE(altered);
  EXPECT_EQ(altered.error().code, Code::kCorrupt);
  EXPECT_NE(altered.error().what.find("layer block 2, step block 2"), std::string::npos)
      << altered.error().what;
  std::filesystem::remove(copy.object(
      must(trace::decode_entry(entries[timeline.position_of_step(3)], timeline.position_of_step(3),
                               timeline.at(timeline.position_of_step(3))))));
  // A state that was committed and that no replay makes.
  const SparseCopy lie;
  auto told = lie.entries();
  const std::uint64_t position = timeline.position_of_state(2, 3);
  trace::StateList made_up =
      must(must(trace::Openings::open(lie.run, sparse_job().contract(), told)).state_list(2, 3));
  made_up.digests[0] = trace::testing::digest_of("another tensor");
  told[position] = trace::encode_entry(
      position, timeline.at(position),
      TinyJob::put_object(lie.run, trace::encode_list(sparse_job().contract(), 2, 3, made_up)));
  const auto rebuilt =
      trace::prepare_blocks(sparse_job().contract(), lie.run, told, {{2, 3}}, test_engine());
  ASSERT_FALSE(rebuilt);
  EXPECT_EQ(rebuilt.error().code, Code::kCorrupt);
  EXPECT_NE(rebuilt.error().what.find("and is rebuilt as"), std::string::npos)
      << rebuilt.error().what;
  const auto missing =
      trace::prepare_blocks(sparse_job().contract(), copy.run, entries, {{0, 3}}, test_engine());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST(Prepare, WaitsForNobodyWhoWorksOnTheRun) {
  const SparseCopy copy;
  const FileLock held = must(FileLock::acquire(copy.run.lock()));
  const auto refused = trace::prepare_blocks(sparse_job().contract(), copy.run, copy.entries(),
                                             {{0, 3}}, test_engine());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
}

TEST(StoreStats, TellWhatIsStoredAndWhatIsNot) {
  const SparseCopy copy;
  const auto stats = must(trace::component_stats(copy.inventory(), copy.run));
  // 5 steps of 3 rows, 6 tokens a row, width 8, fp32; edges 2, 4 and the head's 5 of 1 to 5
  const std::uint64_t edge = 5 * 3 * 6 * 8 * 4;
  for (const auto component : {trace::Component::kActivations, trace::Component::kGradients}) {
    const auto& edges = stats[static_cast<std::size_t>(component)];
    EXPECT_EQ(edges.bytes, 3 * edge);
    EXPECT_EQ(edges.unstored_bytes, 2 * edge);
    EXPECT_EQ(edges.unstored_objects, 2 * 5 * 2U) << "two micro-batches";
  }
  const auto& parameters = stats[static_cast<std::size_t>(trace::Component::kParameters)];
  EXPECT_GT(parameters.unstored_bytes, parameters.bytes) << "of states 0 to 5, 2 and 4 are";
  EXPECT_EQ(stats[static_cast<std::size_t>(trace::Component::kLists)].unstored_objects, 0U);
}

}  // namespace
}  // namespace aftune::audit
