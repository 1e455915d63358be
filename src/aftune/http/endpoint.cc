// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/endpoint.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "aftune/base/log_line.h"

namespace aftune::http {
namespace {

using receipt::OpenAiShape;

constexpr std::string_view kModels = "/v1/models";

Response json(std::string body) { return {200, "application/json", std::move(body)}; }

Response refuse(const Refusal& refusal) {
  Response out{refusal.status, "application/json", error_body(refusal)};
  if (refusal.status == 503) out.headers.emplace_back("Retry-After", "1");
  return out;
}

Response wrong_method(const Request& request, const char* right) {
  Response out = refuse({405, "method_not_allowed",
                         fmt::format("{} takes {}, not {}", request.path, right, request.method)});
  out.headers.emplace_back("Allow", right);
  return out;
}

bool reads(const Request& request) { return request.method == "GET" || request.method == "HEAD"; }

serve::Ask ask_of(std::string id, receipt::OpenAiBody body) {
  receipt::Request& request = body.request;
  serve::Ask out;
  out.id = std::move(id);
  out.input = std::move(body.input);
  out.max_tokens = request.max_tokens;
  out.sampling = request.sampling;
  out.stop = std::move(request.stop);
  out.seed = request.seed;
  out.nonce = request.nonce;
  out.audit_sha256 = request.audit_sha256;
  return out;
}

}  // namespace

/// A request that the server took.
struct Endpoint::Asking {
  std::shared_ptr<PendingAnswer> pending;
  serve::Server::Ticket ticket = 0;
  Clock::time_point until;
};

Endpoint::Endpoint(serve::Server& server, ModelCard card, EndpointLimits limits)
    : server_(server),
      card_(std::move(card)),
      limits_(limits),
      metrics_(std::make_shared<Metrics>()) {
  card_.max_tokens = limits.max_tokens;
}

Response Endpoint::handle(const Request& request, Peer peer) {
  Response out = route(request, peer);
  metrics_->count_response(out.status);
  return out;
}

Response Endpoint::route(const Request& request, Peer peer) {
  const std::string& path = request.path;
  const bool completion = path == "/v1/completions";
  if (completion || path == "/v1/chat/completions") {
    if (request.method != "POST") return wrong_method(request, "POST");
    return complete(completion ? OpenAiShape::kCompletion : OpenAiShape::kChat, request, peer);
  }
  const bool one = path.starts_with(std::string(kModels) + "/");
  if (one || path == kModels || path == "/health" || path == "/metrics") {
    if (!reads(request)) return wrong_method(request, "GET");
  }
  if (path == kModels) return json(models_body(card_));
  if (one && path.substr(kModels.size() + 1) == card_.name) return json(model_body(card_));
  if (path == "/health") return health();
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4", metrics_->text(server_.counts())};
  }
  return refuse({404, one ? "model_not_found" : "not_found", fmt::format("there is no {}", path)});
}

Response Endpoint::health() const {
  const std::string why = server_.refusing();
  if (why.empty()) return json("{\"status\":\"ok\"}");
  return refuse({503, "stopping", why});
}

Response Endpoint::complete(OpenAiShape shape, const Request& request, Peer peer) {
  if (request.too_large) {
    return refuse({413, "body_too_large",
                   fmt::format("the body has more than {} bytes", limits_.body_bytes)});
  }
  Result<receipt::OpenAiBody> body = receipt::read_openai_body(shape, request.body);
  if (!body) return refuse({400, "invalid_body", body.error().what});
  if (!body->model.empty() && body->model != card_.name) {
    return refuse({404, "model_not_found",
                   fmt::format("model: there is no {}, this is {}", body->model, card_.name)});
  }
  if (body->request.max_tokens > limits_.max_tokens) {
    return refuse({400, "invalid_body",
                   fmt::format("max_tokens: {} tokens, this server gives at most {}",
                               body->request.max_tokens, limits_.max_tokens)});
  }
  const bool stream = body->stream, include_usage = body->include_usage;
  const AnswerHead head{shape, new_answer_id(shape), card_.name,
                        static_cast<std::int64_t>(std::time(nullptr))};
  const Result<Asking> asking = submit(head, *std::move(body));
  if (!asking) {
    if (asking.error().code != Code::kUnavailable) {
      return refuse({400, "invalid_body", asking.error().what});
    }
    const bool full = server_.refusing().empty();
    return refuse({503, full ? "overloaded" : "stopping", asking.error().what});
  }
  if (!stream) return wait(head, *asking, peer);
  AnswerEvents::Asked asked{head, include_usage, asking->until,
                            [this, ticket = asking->ticket] { server_.cancel(ticket); }};
  Response out{200, "text/event-stream", {}, {{"Cache-Control", "no-cache"}}};
  out.stream = std::make_unique<AnswerEvents>(std::move(asked), asking->pending, peer);
  return out;
}

Result<Endpoint::Asking> Endpoint::submit(const AnswerHead& head, receipt::OpenAiBody body) {
  const Clock::time_point begun = Clock::now();
  Asking out{std::make_shared<PendingAnswer>(), 0, begun + limits_.answer};
  serve::Hearer hearer;
  hearer.on_token = [pending = out.pending](const serve::Progress& one) { pending->tell(one); };
  hearer.on_end = [pending = out.pending, metrics = metrics_, begun](Result<serve::Receipted> one) {
    if (one) {
      metrics->answered_after(Clock::now() - begun);
      if (const auto first = pending->first_token_at()) {
        metrics->first_token_after(*first - begun);
      }
    }
    pending->end(std::move(one));
  };
  AFTUNE_TRY(out.ticket, server_.submit(ask_of(head.id, std::move(body)), std::move(hearer)));
  return out;
}

Response Endpoint::wait(const AnswerHead& head, const Asking& asking, Peer peer) {
  switch (asking.pending->wait_for_end(asking.until, peer)) {
    case PendingAnswer::State::kEnded: {
      const Result<serve::Receipted> given = asking.pending->take_end();
      return given ? json(whole_answer(head, *given)) : refuse(failed(given.error()));
    }
    case PendingAnswer::State::kText:
    case PendingAnswer::State::kLate:
    case PendingAnswer::State::kGone:
      break;
  }
  server_.cancel(asking.ticket);
  return refuse(late());
}

}  // namespace aftune::http
