// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/answer_events.h"

#include <algorithm>
#include <utility>

namespace aftune::http {

Refusal failed(const Error& error) { return {500, "failed", error.what}; }
Refusal late() { return {504, "late", "no answer within the time that a request has"}; }

AnswerEvents::AnswerEvents(Asked asked, std::shared_ptr<PendingAnswer> pending, Peer peer)
    : asked_(std::move(asked)), pending_(std::move(pending)), peer_(peer) {
  if (asked_.head.shape == receipt::OpenAiShape::kChat) phase_ = Phase::kRole;
}

AnswerEvents::~AnswerEvents() {
  if (wanted_) asked_.cancel();
}

BodySource::More AnswerEvents::next(std::string& out) {
  if (phase_ == Phase::kDone) return More::kEnd;
  if (phase_ == Phase::kRole) {
    phase_ = Phase::kText;
    out = event(role_chunk(asked_.head));
    return More::kBytes;
  }
  std::string text;
  switch (pending_->wait_for_text(asked_.until, peer_, text)) {
    case PendingAnswer::State::kText:
      told_ += text.size();
      out = event(text_chunk(asked_.head, text));
      return More::kBytes;
    case PendingAnswer::State::kEnded:
      finish(out);
      return More::kBytes;
    case PendingAnswer::State::kLate:
      give_up(out);
      return More::kBytes;
    case PendingAnswer::State::kGone:
      break;
  }
  return More::kBroken;
}

/// All that is left, in one go: the receipt is there.
void AnswerEvents::finish(std::string& out) {
  phase_ = Phase::kDone;
  wanted_ = false;
  const Result<serve::Receipted> given = pending_->take_end();
  if (!given) {
    out = event(error_body(failed(given.error())));
    return;
  }
  const std::string& text = given->answer.text_of_output;
  const std::string_view rest = std::string_view(text).substr(std::min(told_, text.size()));
  if (!rest.empty()) out = event(text_chunk(asked_.head, rest));
  out += event(last_chunk(asked_.head, *given));
  if (asked_.include_usage) out += event(usage_chunk(asked_.head, *given));
  out += event("[DONE]");
}

void AnswerEvents::give_up(std::string& out) {
  phase_ = Phase::kDone;
  wanted_ = false;
  asked_.cancel();
  out = event(error_body(late()));
}

}  // namespace aftune::http
