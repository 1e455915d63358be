// SPDX-License-Identifier: Apache-2.0
// An answer that is being made by a serve::Server, and waited for by a connection's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include "aftune/http/message.h"
#include "aftune/serve/server.h"

namespace aftune::http {

/// Threads: the server tells, one connection waits.
class PendingAnswer {
 public:
  using Clock = std::chrono::steady_clock;

  void tell(const serve::Progress& one);
  void end(Result<serve::Receipted> result);

  enum class State { kText, kEnded, kLate, kGone };
  /// Until text has come, or the end. Sets `text` with kText. The last token's is not among it:
  /// that waits for the receipt.
  State wait_for_text(Clock::time_point until, Peer peer, std::string& text);
  /// Until the end; never kText.
  State wait_for_end(Clock::time_point until, Peer peer);

  /// Requires: kEnded was said; called once.
  Result<serve::Receipted> take_end();
  /// When the first token came; nothing before it.
  std::optional<Clock::time_point> first_token_at() const;

 private:
  template <typename Ready>
  std::optional<State> wait(Clock::time_point until, Peer peer, Ready ready);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;  // not yet taken
  std::optional<Result<serve::Receipted>> end_;
  std::optional<Clock::time_point> first_at_;
};

}  // namespace aftune::http
