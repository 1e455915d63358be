// SPDX-License-Identifier: Apache-2.0
// What a server counts, in Prometheus text: docs/formats/serving.md, "Metrics".
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "aftune/serve/server.h"

namespace aftune::http {

/// Threads: safe from many.
class Metrics {
 public:
  using Seconds = std::chrono::duration<double>;

  void count_response(int status);
  void first_token_after(Seconds seconds);
  void answered_after(Seconds seconds);

  /// Everything, with what the server counts itself.
  [[nodiscard]] std::string text(const serve::ServerCounts& counts) const;

 private:
  static constexpr std::array<double, 10> kBounds = {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300};
  struct Histogram {
    std::array<std::uint64_t, kBounds.size()> within = {};  // at most the bound: cumulative
    std::uint64_t count = 0;
    double sum = 0;
    void add(double seconds);
    void write(const char* name, const char* help, std::string& out) const;
  };

  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> responses_;  // by status
  Histogram first_token_, answer_;
};

}  // namespace aftune::http
