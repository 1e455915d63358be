// SPDX-License-Identifier: Apache-2.0
// How long a request that failed is tried again: docs/formats/object-storage.md, "Failures".
#pragma once

#include <cstdint>
#include <functional>

namespace aftune::object {

/// What waiting needs of the outside world; tests pass their own.
struct Waiting {
  std::function<double()> now;               // seconds, growing
  std::function<void(double seconds)> wait;  // returns after so long
  std::function<double()> random;            // from 0 on, below 1
};
Waiting real_waiting();

/// Counts the failures of one request. Threads: one at a time.
class Patience {
 public:
  static constexpr double kFirstSeconds = 0.2, kLongestSeconds = 20;

  Patience(const Waiting& waiting, double give_up_seconds)
      : waiting_(waiting), give_up_seconds_(give_up_seconds), start_(waiting.now()) {}

  /// After a failure: waits and returns true, or false if it has lasted too long.
  bool wait_again();
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  const Waiting& waiting_;
  double give_up_seconds_;
  double start_;
  std::uint64_t failures_ = 0;
};

}  // namespace aftune::object
