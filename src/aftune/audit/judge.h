// SPDX-License-Identifier: Apache-2.0
// Collects what checks find, and keeps lies apart from trouble of our own.
#pragma once

#include <string>
#include <vector>

#include "aftune/audit/verdict.h"
#include "aftune/trace/replay.h"

namespace aftune::audit {

/// Threads: one at a time.
class Judge {
 public:
  explicit Judge(Verdict& verdict) : verdict_(verdict) {}

  void reject(Check check, std::string place, const std::string& message,
              std::string committed = "", std::string recomputed = "");
  void reject(const trace::Mismatch& mismatch);
  /// Turns an error met while reading what the provider handed over into a finding: absent means
  /// kMissing, I/O trouble leaves it open, anything else is `check`.
  void weigh(Check check, const std::string& place, const Error& error);
  void leave_open(std::string_view text);
  /// From now on what is absent leaves the verdict open: it may be lost on the way.
  void excuse_absence() { absence_is_open_ = true; }

  [[nodiscard]] bool clean() const { return verdict_.findings.empty(); }

 private:
  Verdict& verdict_;
  bool absence_is_open_ = false;
};

}  // namespace aftune::audit
