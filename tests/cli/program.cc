// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "aftune/base/check.h"

namespace aftune::program {
namespace {

constexpr unsigned kNobody = 65534;

/// In the child: becomes the program.
[[noreturn]] void become(const std::vector<std::string>& arguments, const Around& around, int out,
                         int err) {
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (!around.out_to.empty()) {
    const int file = ::open(around.out_to.c_str(), O_WRONLY);
    if (file < 0 || ::dup2(file, STDOUT_FILENO) < 0) ::_exit(126);
  }
  if (around.file_bytes != std::numeric_limits<std::uint64_t>::max()) {
    const struct rlimit limit { around.file_bytes, around.file_bytes };
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(126);
  }
  if (around.powerless && ::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) {
    ::_exit(126);
  }
  std::vector<char*> argv{const_cast<char*>(AFTUNE_PROGRAM)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  for (const std::string& setting : around.environment) {
    if (::putenv(const_cast<char*>(setting.c_str())) != 0) ::_exit(126);
  }
  ::execv(AFTUNE_PROGRAM, argv.data());
  ::_exit(126);
}

/// Reads both ends until the program has closed them.
void collect(int out, int err, Outcome& outcome) {
  std::array<pollfd, 2> ends{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  std::array<std::string*, 2> texts{&outcome.out, &outcome.err};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    ::poll(ends.data(), ends.size(), -1);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      char piece[4096];
      const ssize_t got = ::read(ends[i].fd, piece, sizeof piece);
      if (got > 0) {
        texts[i]->append(piece, static_cast<std::size_t>(got));
      } else {
        ::close(ends[i].fd);
        ends[i].fd = -1;
      }
    }
  }
}

std::string shown(const Outcome& outcome) {
  return "exit " + std::to_string(outcome.exit) + "\nout: " + outcome.out.substr(0, 2000) +
         "\nerr: " + outcome.err.substr(0, 2000);
}

}  // namespace

bool can_be_powerless() {
  Around around;
  around.powerless = true;
  return aftune({"--version"}, around).exit == 0;
}

Outcome aftune(const std::vector<std::string>& arguments, const Around& around) {
  int out[2], err[2];
  AFTUNE_CHECK(::pipe2(out, O_CLOEXEC) == 0 && ::pipe2(err, O_CLOEXEC) == 0, "no pipe");
  const pid_t child = ::fork();
  AFTUNE_CHECK(child >= 0, "no process");
  if (child == 0) become(arguments, around, out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  Outcome outcome;
  collect(out[0], err[0], outcome);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) outcome.exit = WEXITSTATUS(status);
  return outcome;
}

::testing::AssertionResult refused(const Outcome& outcome, int exit,
                                   const std::vector<std::string>& names) {
  if (outcome.exit != exit) {
    return ::testing::AssertionFailure() << "expected exit " << exit << ": " << shown(outcome);
  }
  if (!outcome.out.empty()) {
    return ::testing::AssertionFailure() << "an answer with an error: " << shown(outcome);
  }
  const auto lines = std::count(outcome.err.begin(), outcome.err.end(), '\n');
  const bool flags = outcome.err.find("Run with --help") != std::string::npos;
  if (lines != (flags ? 2 : 1)) {
    return ::testing::AssertionFailure() << "not one line: " << shown(outcome);
  }
  for (const std::string& name : names) {
    if (outcome.err.find(name) == std::string::npos) {
      return ::testing::AssertionFailure() << "does not name " << name << ": " << shown(outcome);
    }
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult done(const Outcome& outcome) {
  if (outcome.exit == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << shown(outcome);
}

}  // namespace aftune::program
