// SPDX-License-Identifier: Apache-2.0
// The smaller commands in trouble at each of their calls of the disk: what they write is whole or
// not there, and without the trouble they end as if nothing had been.
#include <algorithm>

#include "troubled_disk.h"

namespace aftune::crash {
namespace {

using program::Outcome;
using program::tiny_place;
using trace::testing::files_of;
using trace::testing::get;
using Arguments = std::vector<std::string>;

/// One command, and what it makes in a folder of its own.
struct Command {
  const char* name;
  std::function<void(const TroubledDisk&)> prepare;
  std::function<Arguments(const TroubledDisk&)> arguments;
  std::vector<std::string> made;  // files that are new, whole or not there
  bool repeatable;                // gives the same bytes each time
};

void PrintTo(const Command& command, std::ostream* out) { *out << command.name; }

void copy_run(const TroubledDisk& disk) {
  std::filesystem::copy(tiny_place() / "run", disk / "run",
                        std::filesystem::copy_options::recursive);
  std::filesystem::copy(tiny_place() / "client.secret", disk / "client.secret");
}

Arguments challenge(const TroubledDisk& disk) {
  const auto& here = tiny_place();
  return {"challenge", here / "contract.json", "--run", disk / "run",
          "--secret",  disk / "client.secret", "--key", here / "keys/client.key",
          "-o",        disk / "challenge.json"};
}

void ask(const TroubledDisk& disk) {
  copy_run(disk);
  ASSERT_TRUE(program::done(program::aftune(challenge(disk))));
}

Arguments answer(const TroubledDisk& disk) {
  const auto& here = tiny_place();
  return {"answer",      here / "contract.json",  "--run", disk / "run",
          "--challenge", disk / "challenge.json", "--key", here / "keys/provider.key",
          "-o",          disk / "manifest.json"};
}

Arguments witness(const TroubledDisk& disk) {
  const auto& here = tiny_place();
  return {"witness",     here / "contract.json",
          "--run",       here / "run",
          "--key",       here / "keys/stranger.key",
          "--state",     disk / "state",
          "--once",      "--publish",
          disk / "shown"};
}

Arguments keygen(const TroubledDisk& disk) {
  return {"keygen", "-o", disk / "keys", "--name", "new"};
}

/// Loses the first object of 64 bytes or more, which a replay makes again.
void lose_an_edge(const TroubledDisk& disk) {
  copy_run(disk);
  const Outcome shown = program::aftune({"store", "check", "--run", disk / "run"});
  ASSERT_TRUE(program::done(shown));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(disk / "run/store")) {
    if (entry.is_regular_file() && entry.file_size() == 2 * 6 * 8 * sizeof(float)) {
      std::filesystem::remove(entry.path());
    }
  }
  ASSERT_EQ(program::aftune({"store", "check", "--run", disk / "run"}).exit, 1);
}

Arguments prepare(const TroubledDisk& disk) {
  return {"prepare", tiny_place() / "contract.json", "--run", disk / "run", "--all"};
}

std::uint64_t staged_files(const TroubledDisk& disk) {
  std::uint64_t out = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(disk / "")) {
    out += entry.path().string().find(".tmp-") != std::string::npos ? 1 : 0;
  }
  return out;
}

class Commands : public ::testing::TestWithParam<Command> {
 protected:
  /// Files of a folder where the command met nothing.
  static std::map<std::string, std::string> whole(std::uint64_t& calls, const Trouble& trouble) {
    TroubledDisk disk;
    GetParam().prepare(disk);
    EXPECT_TRUE(program::done(disk.aftune(GetParam().arguments(disk), trouble)));
    calls = disk.calls();
    return files_of(disk / "");
  }

  void meet(const Trouble& trouble, const std::map<std::string, std::string>& wanted) {
    SCOPED_TRACE(trouble.told());
    const Command& command = GetParam();
    TroubledDisk disk;
    command.prepare(disk);
    const Arguments arguments = command.arguments(disk);
    const Outcome met = disk.aftune(arguments, trouble);
    tally_.add(met);
    if (!trouble.ends_the_process()) {
      EXPECT_TRUE(met.exit == 0 || met.exit == 3) << met.exit << met.err;
      const bool can_clear_up = trouble.action != "eacces" && trouble.action != "eio";
      if (can_clear_up) {
        EXPECT_EQ(staged_files(disk), 0U) << met.err;
      }
    }
    for (const std::string& made : command.made) {
      if (!std::filesystem::exists(disk / made)) continue;
      if (command.repeatable) {
        EXPECT_EQ(get(disk / made), wanted.at(made)) << made;
      }
      // Whole and told as not made only where the process had no time to take it back.
      EXPECT_TRUE(met.exit == 0 || trouble.ends_the_process() || trouble.count == kAlways) << made;
      std::filesystem::remove(disk / made);
    }
    EXPECT_TRUE(program::done(program::aftune(arguments))) << met.err;
    const auto found = files_of(disk / "");
    for (const auto& [name, bytes] : wanted) {
      ASSERT_TRUE(found.contains(name)) << name;
      if (command.repeatable) {
        EXPECT_EQ(found.at(name), bytes) << name;
      }
    }
  }

  Tally tally_{GetParam().name};
};

TEST_P(Commands, WriteTheirFilesWholeOrNotAtAll) {
  for (const Trouble& trouble : {Trouble{"eio"}, Trouble{"enospc", kAlways}, Trouble{"eacces"},
                                 Trouble{"kill"}, Trouble{"cut", 1, 0}, Trouble{"cut", 1, 5}}) {
    std::uint64_t calls = 0;
    const auto wanted = whole(calls, trouble);
    // At two places at least.
    const std::uint64_t step = std::max<std::uint64_t>(1, std::min(stride(97), calls / 2));
    for (std::uint64_t call = step / 2; call < calls; call += step) {
      meet(trouble.at(call), wanted);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(tally_.stopped(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Disk, Commands,
    ::testing::Values(
        Command{"Keygen", [](const auto&) {}, keygen, {"keys/new.key", "keys/new.pub"}, false},
        Command{"Challenge", copy_run, challenge, {"challenge.json"}, true},
        Command{"Answer", ask, answer, {"manifest.json"}, true},
        Command{"Witness", [](const auto&) {}, witness, {}, false},
        Command{"Prepare", lose_an_edge, prepare, {}, true}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace aftune::crash
