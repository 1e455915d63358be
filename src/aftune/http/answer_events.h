// SPDX-License-Identifier: Apache-2.0
// A streamed answer: the events of docs/formats/serving.md, "Streams", as their time comes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "aftune/http/openai_answer.h"
#include "aftune/http/pending_answer.h"

namespace aftune::http {

/// Threads: one at a time.
class AnswerEvents final : public BodySource {
 public:
  struct Asked {
    AnswerHead head;
    bool include_usage = false;
    PendingAnswer::Clock::time_point until;  // by when it must have ended
    std::function<void()> cancel;            // called if the answer is not wanted any more
  };
  AnswerEvents(Asked asked, std::shared_ptr<PendingAnswer> pending, Peer peer);
  /// Cancels what has not ended.
  ~AnswerEvents() override;

  More next(std::string& out) override;

 private:
  enum class Phase { kRole, kText, kDone };
  void finish(std::string& out);
  void give_up(std::string& out);

  Asked asked_;
  std::shared_ptr<PendingAnswer> pending_;  // with the server, which tells it
  Peer peer_;
  Phase phase_ = Phase::kText;
  std::size_t told_ = 0;  // bytes of the answer's text
  bool wanted_ = true;    // neither ended nor cancelled
};

/// Why an answer ended without one. Shared with answers that are not streamed.
Refusal failed(const Error& error);
Refusal late();

}  // namespace aftune::http
