// SPDX-License-Identifier: Apache-2.0
#include "troubled_disk.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>

namespace aftune::crash {

using trace::testing::get;
using trace::testing::put;

std::string Trouble::told() const {
  return action + " at call " + std::to_string(first) +
         (count == kAlways ? " and all later ones" : "") +
         (action == "cut" ? ", seed " + std::to_string(seed) : "");
}

TroubledDisk::TroubledDisk() : watched_(folder_ / "watched") {
  std::filesystem::create_directory(watched_);
  std::filesystem::create_directory(folder_ / "shadow");
}

program::Outcome TroubledDisk::aftune(const std::vector<std::string>& arguments,
                                      const Trouble& trouble) {
  const std::string calls = (folder_ / "calls").string();
  put(calls, "");
  program::Around around;
  around.environment = {std::string("LD_PRELOAD=") + AFTUNE_DISK,
                        "AFTUNE_DISK_ROOT=" + watched_.string(),
                        "AFTUNE_DISK_SHADOW=" + (folder_ / "shadow").string(),
                        "AFTUNE_DISK_CALLS=" + calls,
                        "AFTUNE_DISK_ACTION=" + trouble.action,
                        "AFTUNE_DISK_FIRST=" + std::to_string(trouble.first),
                        "AFTUNE_DISK_COUNT=" + std::to_string(trouble.count),
                        "AFTUNE_DISK_SEED=" + std::to_string(trouble.seed)};
  const program::Outcome outcome = program::aftune(arguments, around);
  read_calls();
  return outcome;
}

void TroubledDisk::read_calls() {
  calls_ = 0;
  synced_.clear();
  std::istringstream lines(get(folder_ / "calls"));
  constexpr std::string_view kSynced = "synced ";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kSynced)) {
      synced_.push_back(line.substr(kSynced.size()));
    } else {
      ++calls_;
    }
  }
}

std::uint64_t TroubledDisk::synced(const std::string& file) const {
  return static_cast<std::uint64_t>(std::count(synced_.begin(), synced_.end(), file));
}

std::uint64_t stride(std::uint64_t otherwise) {
  const char* wanted = std::getenv("AFTUNE_CRASH_STRIDE");
  const std::uint64_t value = wanted == nullptr ? 0 : std::strtoull(wanted, nullptr, 10);
  return value == 0 ? otherwise : value;
}

Tally::~Tally() {
  std::cout << name_ << ": " << tried_ << " places, " << stopped_ << " stopped the program\n";
}

void Tally::add(const program::Outcome& outcome) {
  ++tried_;
  stopped_ += outcome.exit == 0 ? 0 : 1;
}

}  // namespace aftune::crash
