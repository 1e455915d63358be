// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/pending_answer.h"

#include <algorithm>
#include <utility>

#include "aftune/base/check.h"

namespace aftune::http {
namespace {

constexpr std::chrono::milliseconds kLook{200};  // between two looks whether the peer is there

}  // namespace

void PendingAnswer::tell(const serve::Progress& one) {
  const std::lock_guard lock(mutex_);
  if (!first_at_) first_at_ = Clock::now();
  if (one.last) return;
  text_ += one.new_text;
  changed_.notify_one();
}

void PendingAnswer::end(Result<serve::Receipted> result) {
  const std::lock_guard lock(mutex_);
  end_ = std::move(result);
  changed_.notify_one();
}

/// Nothing once `ready` says so.
template <typename Ready>
std::optional<PendingAnswer::State> PendingAnswer::wait(Clock::time_point until, Peer peer,
                                                        Ready ready) {
  std::unique_lock lock(mutex_);
  while (!ready()) {
    if (peer.gone()) return State::kGone;
    const auto now = Clock::now();
    if (now >= until) return State::kLate;
    changed_.wait_until(lock, std::min(until, now + kLook));
  }
  return std::nullopt;
}

PendingAnswer::State PendingAnswer::wait_for_text(Clock::time_point until, Peer peer,
                                                  std::string& text) {
  const auto stopped = wait(until, peer, [this] { return !text_.empty() || end_; });
  if (stopped) return *stopped;
  const std::lock_guard lock(mutex_);
  if (text_.empty()) return State::kEnded;
  text = std::exchange(text_, {});
  return State::kText;
}

PendingAnswer::State PendingAnswer::wait_for_end(Clock::time_point until, Peer peer) {
  return wait(until, peer, [this] { return end_.has_value(); }).value_or(State::kEnded);
}

Result<serve::Receipted> PendingAnswer::take_end() {
  const std::lock_guard lock(mutex_);
  AFTUNE_CHECK(end_.has_value(), "the answer has not ended");
  return *std::move(end_);
}

std::optional<PendingAnswer::Clock::time_point> PendingAnswer::first_token_at() const {
  const std::lock_guard lock(mutex_);
  return first_at_;
}

}  // namespace aftune::http
