// SPDX-License-Identifier: Apache-2.0
// Seconds since something began. For people and logs: nothing that is committed depends on it.
#pragma once

#include <chrono>

namespace aftune {

class Stopwatch {
 public:
  /// Since it was made.
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

}  // namespace aftune
