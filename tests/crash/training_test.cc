// SPDX-License-Identifier: Apache-2.0
// A recorded run in trouble at each of its calls of the disk, then resumed: nothing that was
// committed is lost, and the root is the uninterrupted run's.
#include "aftune/codec/key_file.h"
#include "aftune/trace/inventory.h"
#include "troubled_disk.h"

namespace aftune::crash {
namespace {

using program::Outcome;
using program::tiny_place;
using trace::testing::files_of;
using trace::testing::must;

/// The uninterrupted run that all others are compared with.
struct Reference {
  trace::RunFolder run{tiny_place() / "run"};
  trace::SignedContract contract =
      must(trace::open_signed_contract(trace::testing::get(tiny_place() / "contract.json")));
  tlog::LogReading log = must(tlog::read_log(run.log(), contract.contract.log_key()));
  std::map<std::string, std::string> base = files_of(run.base());
  std::map<std::string, std::string> model = files_of(run.delivered());
};

const Reference& reference() {
  static const Reference reference;
  return reference;
}

std::vector<std::string> train(const std::string& run) {
  std::map<std::string, std::string> changes{{"--run", run}};
  if (std::filesystem::exists(run)) changes.emplace("--resume", "");
  return tiny_place().train(changes);
}

std::uint64_t left_over_models(const trace::RunFolder& run) {
  std::uint64_t out = 0;
  for (const auto& entry : std::filesystem::directory_iterator(run.root)) {
    out += entry.path().filename().string().starts_with("model.tmp-") ? 1 : 0;
  }
  return out;
}

/// The entries of a log as a resumed run would find them; the log itself stays as it is.
std::vector<std::string> entries_of(const trace::RunFolder& run) {
  const trace::testing::TempFolder copy;
  std::filesystem::copy(run.log(), copy / "log", std::filesystem::copy_options::recursive);
  const auto key = must(codec::read_key_file(tiny_place() / "keys/provider.key"));
  const auto log =
      must(tlog::LogWriter::open(copy / "log", reference().contract.contract.origin(), key.key));
  return log.entries();
}

/// After the trouble: at least `durable` entries are there, all of them the reference's, and what
/// the signed ones name is whole.
void expect_committed(const trace::RunFolder& run, std::uint64_t durable) {
  if (std::filesystem::exists(run.log())) {
    const auto entries = entries_of(run);
    const auto& wanted = reference().log.entries;
    EXPECT_GE(entries.size(), durable);
    EXPECT_TRUE(entries.size() <= wanted.size() &&
                std::equal(entries.begin(), entries.end(), wanted.begin()));
  } else {
    EXPECT_EQ(durable, 0U);
  }
  const Outcome checked = program::aftune({"store", "check", "--run", run.root.string()});
  const bool is_signed = std::filesystem::exists(run.log() / "checkpoint");
  if (is_signed || checked.exit == 0) {
    EXPECT_TRUE(program::done(checked));
  } else {
    EXPECT_TRUE(checked.exit == 2 || checked.exit == 3) << checked.exit << checked.err;
    EXPECT_NE(checked.err.find(run.root.string()), std::string::npos) << checked.err;
  }
}

/// After the resumed run: the root, every object, base and model are the reference's.
void expect_finished(const trace::RunFolder& run) {
  const Reference& wanted = reference();
  const trace::Contract& contract = wanted.contract.contract;
  const auto log = tlog::read_log(run.log(), contract.log_key());
  ASSERT_TRUE(log) << log.error().what;
  EXPECT_EQ(log->checkpoint_note, wanted.log.checkpoint_note);
  const auto inventory = must(trace::take_inventory(contract, log->entries, run));
  EXPECT_EQ(must(trace::check_store(inventory, run)).problems, std::vector<std::string>());
  EXPECT_EQ(files_of(run.base()), wanted.base);
  EXPECT_EQ(files_of(run.delivered()), wanted.model);
  EXPECT_EQ(left_over_models(run), 0U);
}

struct Kind {
  const char* name;
  Trouble trouble;
  std::uint64_t stride;  // of a short run
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class Training : public ::testing::TestWithParam<Kind> {
 protected:
  Training() : tally_(GetParam().name) {}

  /// A run in trouble at one call, looked at, and resumed. `begun` is copied first if it is given.
  void meet(const Trouble& trouble, const Path& begun) {
    SCOPED_TRACE(trouble.told());
    TroubledDisk disk;
    const trace::RunFolder run{disk / "run"};
    if (!begun.empty()) {
      std::filesystem::copy(begun, run.root, std::filesystem::copy_options::recursive);
    }
    const Outcome met = disk.aftune(train(run.root.string()), trouble);
    tally_.add(met);
    if (met.exit != 0 && !trouble.ends_the_process()) {
      EXPECT_EQ(met.exit, 3) << met.err;
      EXPECT_NE(met.err.find("aftune train: "), std::string::npos) << met.err;
    }
    expect_committed(run, begun.empty() ? disk.synced(disk / "run/log/pending") : 0);
    const Outcome resumed = program::aftune(train(run.root.string()));
    ASSERT_TRUE(program::done(resumed)) << met.err;
    expect_finished(run);
  }

  /// At every stride-th of the calls of a run that meets none.
  void meet_everywhere(const Path& begun) {
    TroubledDisk disk;
    if (!begun.empty()) {
      std::filesystem::copy(begun, disk / "run", std::filesystem::copy_options::recursive);
    }
    ASSERT_TRUE(program::done(disk.aftune(train(disk / "run"), GetParam().trouble)));
    const std::uint64_t step = stride(GetParam().stride);
    for (std::uint64_t call = step / 2; call < disk.calls(); call += step) {
      meet(GetParam().trouble.at(call), begun);
      if (HasFatalFailure()) return;
    }
  }

  Tally tally_;
};

TEST_P(Training, InTroubleLosesNothingAndIsResumedToTheSameRoot) {
  meet_everywhere({});
  EXPECT_GT(tally_.stopped(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Disk, Training,
                         ::testing::Values(Kind{"ErrorOnce", {"eio", 1}, 419},
                                           Kind{"ErrorForGood", {"eio", kAlways}, 433},
                                           Kind{"Full", {"enospc", kAlways}, 211},
                                           Kind{"ForbiddenOnce", {"eacces", 1}, 307},
                                           Kind{"Killed", {"kill", 1}, 191},
                                           Kind{"TornWrite", {"tear", 1}, 97},
                                           Kind{"PowerCut", {"cut", 1, 0}, 191},
                                           Kind{"PowerCutBytes", {"cut", 1, 1}, 307},
                                           Kind{"PowerCutNames", {"cut", 1, 2}, 311},
                                           Kind{"PowerCutSome", {"cut", 1, 7}, 211},
                                           Kind{"PowerCutOthers", {"cut", 1, 12}, 317}),
                         [](const auto& one) { return std::string(one.param.name); });

class Resuming : public Training {};

TEST_P(Resuming, InTroubleLosesNothingAndIsResumedToTheSameRoot) {
  TroubledDisk half;
  const Trouble kill{"kill"};
  ASSERT_TRUE(program::done(half.aftune(train(half / "whole"), kill)));
  const std::uint64_t calls = half.calls();
  EXPECT_EQ(half.aftune(train(half / "run"), kill.at(calls * 3 / 5)).exit, -1);
  meet_everywhere(half / "run");
  EXPECT_GT(tally_.stopped(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Disk, Resuming,
                         ::testing::Values(Kind{"ErrorOnce", {"eio", 1}, 401},
                                           Kind{"Full", {"enospc", kAlways}, 211},
                                           Kind{"Killed", {"kill", 1}, 307},
                                           Kind{"PowerCut", {"cut", 1, 0}, 307},
                                           Kind{"PowerCutSome", {"cut", 1, 9}, 313}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Writing, OfHalfTheBytesAtATimeIsGoneOnWith) {
  TroubledDisk disk;
  const Outcome slow = disk.aftune(train(disk / "run"), {"short", kAlways, 0, 0});
  ASSERT_TRUE(program::done(slow));
  EXPECT_GT(disk.calls(), 500U);
  expect_finished({disk / "run"});
}

}  // namespace
}  // namespace aftune::crash
