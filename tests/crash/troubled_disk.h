// SPDX-License-Identifier: Apache-2.0
// The program on a disk that fails, or on a machine that dies, at one call: README.md.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../cli/tiny_place.h"

namespace aftune::crash {

inline constexpr std::uint64_t kAlways = std::numeric_limits<std::uint64_t>::max();

/// What happens to the calls from `first` on, for `count` calls.
struct Trouble {
  std::string action;  // eio enospc eacces short kill tear cut
  std::uint64_t count = 1, seed = 0;
  std::uint64_t first = kAlways;  // from 0

  [[nodiscard]] bool ends_the_process() const {
    return action == "kill" || action == "tear" || action == "cut";
  }
  [[nodiscard]] Trouble at(std::uint64_t call) const {
    Trouble out = *this;
    out.first = call;
    return out;
  }
  [[nodiscard]] std::string told() const;
};

/// A folder of its own, whose calls can be troubled.
class TroubledDisk {
 public:
  TroubledDisk();

  /// A path that is watched.
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (watched_ / name).string();
  }

  /// Runs the program in trouble.
  program::Outcome aftune(const std::vector<std::string>& arguments, const Trouble& trouble);

  /// How many calls of the last aftune() could have met its trouble.
  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  /// How often it made `file` durable.
  [[nodiscard]] std::uint64_t synced(const std::string& file) const;

 private:
  void read_calls();

  trace::testing::TempFolder folder_;
  Path watched_;
  std::uint64_t calls_ = 0;
  std::vector<std::string> synced_;
};

/// From which calls to which the tests go: every AFTUNE_CRASH_STRIDE-th, or every `otherwise`-th.
std::uint64_t stride(std::uint64_t otherwise);

/// Counts what was tried, and tells it at its end.
class Tally {
 public:
  explicit Tally(std::string name) : name_(std::move(name)) {}
  ~Tally();
  void add(const program::Outcome& outcome);
  /// How many ended otherwise than well.
  [[nodiscard]] std::uint64_t stopped() const { return stopped_; }

 private:
  std::string name_;
  std::uint64_t tried_ = 0, stopped_ = 0;
};

}  // namespace aftune::crash
