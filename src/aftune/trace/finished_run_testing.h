// SPDX-License-Identifier: Apache-2.0
// One run of the tiny job, trained once in a test program; tests work on copies.
#pragma once

#include <gtest/gtest.h>

#include "aftune/trace/entry.h"
#include "aftune/trace/inventory.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace::testing {

inline const TinyJob& finished_job() {
  static const TinyJob job;
  static const bool closed = must(job.train()).end == RunEnd::kClosed;
  AFTUNE_CHECK(closed, "the tiny run did not close");
  return job;
}

inline Digest finished_root() { return finished_job().log(finished_job().run()).checkpoint.root; }

/// Every object that the signed log names is whole.
inline void expect_whole(const TinyJob& job, const RunFolder& run) {
  const auto log = tlog::read_log(run.log(), job.contract().log_key());
  if (!log) {
    EXPECT_EQ(log.error().code, Code::kNotFound) << log.error().what;
    return;
  }
  const auto inventory = must(take_inventory(job.contract(), log->entries, run));
  EXPECT_TRUE(inventory.unreadable.empty());
  EXPECT_TRUE(must(check_store(inventory, run)).problems.empty());
}

/// A copy of the finished run in a folder of its own, for a test that changes it.
class RunCopy {
  const TempFolder folder_;  // first: the members below live in it

 public:
  RunCopy() : job(finished_job()), run{folder_ / "run"} {
    std::filesystem::copy(job.run().root, run.root, std::filesystem::copy_options::recursive);
    entries = job.log(run).entries;
  }

  const TinyJob& job;
  const RunFolder run;
  std::vector<std::string> entries;

  [[nodiscard]] Timeline timeline() const { return Timeline(job.contract()); }
  [[nodiscard]] Openings openings() const {
    return must(Openings::open(run, job.contract(), entries));
  }
  [[nodiscard]] Path object(const Digest& digest) const {
    return must(Store::open(run.store(), Store::Open::kExisting)).path_of(digest);
  }
  /// Where the list of a position lies.
  [[nodiscard]] Path list_of(std::uint64_t position) const {
    return object(must(decode_entry(entries[position], position, timeline().at(position))));
  }
  /// Puts another list behind the entry at `position`; the log is not written.
  void set_list(std::uint64_t position, std::string_view text) {
    entries[position] =
        encode_entry(position, timeline().at(position), TinyJob::put_object(run, text));
  }
  void write_log() const { job.forge_log(run, entries); }
};

}  // namespace aftune::trace::testing
