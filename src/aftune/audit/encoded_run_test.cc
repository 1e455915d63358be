// SPDX-License-Identifier: Apache-2.0
// A run whose objects are encoded, from training to audit: docs/formats/store.md.
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "aftune/audit/auditor.h"
#include "aftune/trace/finished_run_testing.h"

namespace aftune::audit {
namespace {

using trace::Encoding;
using trace::RunFolder;
using trace::StoreEncoding;
using trace::testing::must;
using trace::testing::test_engine;
using trace::testing::TinyJob;

/// Tensors of some kilobytes, that small steps change a little.
void make_larger(trace::Contract& contract) {
  contract.architecture.hidden_size = 64;
  contract.architecture.intermediate_size = 96;
  contract.architecture.head_dim = 32;
  contract.training.schedule.peak = 1e-5;
}

Result<trace::TrainReport> train(const TinyJob& job, const RunFolder& run, StoreEncoding encoding,
                                 trace::Existing existing = trace::Existing::kRefuse) {
  trace::TrainJob one = job.job(run, existing);
  one.encoding = encoding;
  return trace::train_run(one, test_engine());
}

/// The same job recorded raw and encoded.
struct Pair {
  const TinyJob job{make_larger};
  const RunFolder raw{job.folder / "raw"}, encoded{job.folder / "encoded"};

  static const Pair& get() {
    static const Pair pair;
    static const bool closed =
        must(train(pair.job, pair.raw, StoreEncoding::kRaw)).end == trace::RunEnd::kClosed &&
        must(train(pair.job, pair.encoded, StoreEncoding::kAuto)).end == trace::RunEnd::kClosed;
    AFTUNE_CHECK(closed, "a run did not close");
    return pair;
  }
};

trace::Store store_of(const RunFolder& run) {
  return must(trace::Store::open(run.store(), trace::Store::Open::kExisting));
}

class EncodedRun : public ::testing::Test {
 protected:
  EncodedRun() {
    std::filesystem::copy(Pair::get().encoded.root, run_.root,
                          std::filesystem::copy_options::recursive);
  }
  [[nodiscard]] Verdict audit() const {
    AuditRequest request{job_.contract(), run_, {}, true, {}, 0, {}, {}, 0, {}};
    return must(audit_run(request, test_engine()));
  }
  /// Some object of this encoding that another needs as its base, or that none does.
  [[nodiscard]] Digest object_of(Encoding encoding) const {
    for (const auto& object : must(store_of(run_).objects())) {
      if (object.encoding == encoding) return object.digest;
    }
    ADD_FAILURE() << "no object is " << trace::encoding_name(encoding);
    return {};
  }

  const TinyJob& job_ = Pair::get().job;
  const trace::testing::TempFolder folder_;
  const RunFolder run_{folder_ / "run"};
};

TEST_F(EncodedRun, HasTheLogOfTheRawRunInLessRoom) {
  const RunFolder& raw = Pair::get().raw;
  EXPECT_EQ(job_.log(run_).checkpoint_note, job_.log(raw).checkpoint_note);
  std::map<Encoding, int> counts;
  std::uint64_t bytes = 0, plain = 0;
  const auto objects = must(store_of(run_).objects());
  for (const auto& object : objects) {
    ++counts[object.encoding];
    bytes += object.size;
    plain += object.plain_size;
  }
  EXPECT_EQ(counts.size(), 4U) << "some of every encoding";
  EXPECT_LT(bytes, plain * 9 / 10);
  const auto others = must(store_of(raw).objects());
  ASSERT_EQ(objects.size(), others.size());
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    EXPECT_EQ(objects[i].digest, others[i].digest);
    EXPECT_EQ(others[i].encoding, Encoding::kRaw);
    all += others[i].size;
  }
  EXPECT_EQ(plain, all);
}

TEST_F(EncodedRun, IsAcceptedWithAllBlocks) {
  const Verdict verdict = audit();
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
  EXPECT_EQ(verdict.not_handed_over, 0U);
}

TEST_F(EncodedRun, WithoutABaseIsRebuiltLikeAnyLoss) {
  const trace::Store store = store_of(run_);
  const std::vector<Digest> bases = store.bases_of(object_of(Encoding::kDelta));
  ASSERT_EQ(bases.size(), 1U);
  std::filesystem::remove(store.path_of(bases[0]));
  const Verdict verdict = audit();
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
  EXPECT_EQ(verdict.not_handed_over, 2U) << "base and delta";
}

TEST_F(EncodedRun, WithABitFlippedIsRejected) {
  for (const Encoding encoding : {Encoding::kPlanes, Encoding::kDelta, Encoding::kZst}) {
    const Digest digest = object_of(encoding);
    const Path file = store_of(run_).path_of(digest);
    const std::string honest = trace::testing::get(file);
    trace::testing::flip_bit(file, honest.size() - 1);
    const Verdict verdict = audit();
    EXPECT_EQ(verdict.outcome, Outcome::kReject) << trace::encoding_name(encoding);
    const bool named =
        std::any_of(verdict.findings.begin(), verdict.findings.end(), [&](const Finding& finding) {
          return finding.message.find(digest.hex()) != std::string::npos;
        });
    EXPECT_TRUE(named) << verdict_text(verdict);
    trace::testing::put(file, honest);
  }
}

TEST_F(EncodedRun, GoesOnFromEncodedStatesToTheSameFiles) {
  const trace::testing::TempFolder folder;
  const RunFolder run{folder / "run"};
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    trace::TrainJob dying = job_.job(run);
    dying.encoding = StoreEncoding::kAuto;
    dying.on_step = [](const trace::StepProgress& p) {
      if (p.step == 4) ::_exit(7);
    };
    (void)trace::train_run(dying, test_engine());
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 7);
  const auto report = must(train(job_, run, StoreEncoding::kAuto, trace::Existing::kResume));
  EXPECT_EQ(report.end, trace::RunEnd::kClosed);
  EXPECT_GT(report.resumed_from, 0U);
  EXPECT_EQ(job_.log(run).checkpoint_note, job_.log(run_).checkpoint_note);
  auto found = trace::testing::files_of(run.store());
  for (const auto& [name, bytes] : trace::testing::files_of(run_.store())) {
    EXPECT_EQ(found[name], bytes) << name;
  }
}

}  // namespace
}  // namespace aftune::audit
