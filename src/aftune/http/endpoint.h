// SPDX-License-Identifier: Apache-2.0
// The endpoint's paths: docs/formats/serving.md.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "aftune/http/answer_events.h"
#include "aftune/http/message.h"
#include "aftune/http/metrics.h"
#include "aftune/serve/server.h"

namespace aftune::http {

struct EndpointLimits {
  std::uint64_t max_tokens = 1024;
  std::uint64_t body_bytes = std::uint64_t{1} << 20;  // to say it; HttpServer keeps it
  std::chrono::seconds answer{600};
};

/// Threads: safe from many. Its server must outlive it, and it the HttpServer that asks it.
class Endpoint {
 public:
  /// The card's limit is taken from `limits`.
  Endpoint(serve::Server& server, ModelCard card, EndpointLimits limits);

  Response handle(const Request& request, Peer peer);

 private:
  using Clock = PendingAnswer::Clock;
  struct Asking;
  Response route(const Request& request, Peer peer);
  Response complete(receipt::OpenAiShape shape, const Request& request, Peer peer);
  Result<Asking> submit(const AnswerHead& head, receipt::OpenAiBody body);
  Response wait(const AnswerHead& head, const Asking& asking, Peer peer);
  [[nodiscard]] Response health() const;

  serve::Server& server_;
  ModelCard card_;
  EndpointLimits limits_;
  std::shared_ptr<Metrics> metrics_;  // with hearers, which may outlive a request
};

}  // namespace aftune::http
