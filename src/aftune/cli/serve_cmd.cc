// SPDX-License-Identifier: Apache-2.0
// `aftune serve`: answers over HTTP until a signal ends it. docs/formats/serving.md.
#include <fmt/format.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/serving_place.h"
#include "aftune/http/endpoint.h"
#include "aftune/http/http_server.h"
#include "aftune/serve/server.h"

namespace aftune::cli {
namespace {

struct Args {
  ServingArgs place;
  http::Address address;
  http::HttpLimits wire;
  http::EndpointLimits endpoint;
  serve::ServerLimits server;
  std::string name;
  std::uint64_t idle = 30, answer = 600;  // seconds
  bool no_receipts = false;
};

/// SIGTERM and SIGINT, taken by whoever waits for them. Made before any other thread.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  /// Waits for the first; a second one ends the program at once.
  void wait() {
    int which = 0;
    sigwait(&set_, &which);
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }

 private:
  sigset_t set_ = {};
};

/// The last word of the model's path.
std::string default_name(const std::string& folder) {
  const Path path = Path(folder).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

http::ModelCard card_of(const Args& args, const ServingPlace& place) {
  const receipt::Statement& statement = place.log->statement();
  const tlog::VerifierKey key = statement.log_key(place.key.key.public_key());
  return {args.name.empty() ? default_name(args.place.folder) : args.name, statement.digest().hex(),
          codec::spell_verifier_key(key.name, key.key),
          static_cast<std::int64_t>(std::time(nullptr)), 0};
}

void announce(const Args& args, const http::ModelCard& card, std::uint16_t port) {
  const bool v6 = args.address.host.find(':') != std::string::npos;
  std::cout << fmt::format("listening on http://{}{}{}:{}\n", v6 ? "[" : "", args.address.host,
                           v6 ? "]" : "", port)
            << fmt::format("  model      {}\n", card.name)
            << fmt::format("  log        aftune/serve/{}\n", card.statement)
            << fmt::format("  receipts   {}\n",
                           args.no_receipts ? "NONE: --no-receipts" : "with every answer")
            << std::flush;
}

/// From a signal on: nothing new, and every answer that was begun is ended and sent.
void stop(serve::Server& server, http::HttpServer& listener, const Args& args) {
  log_line(fmt::format("aftune serve: stopping, {} requests are open", server.counts().open));
  listener.accept_no_more();
  server.stop();
  if (!listener.wait_until_quiet(args.wire.idle)) {
    log_line("aftune serve: some clients did not take their answers in time");
  }
}

Status serve_all(Args args) {
  StopSignals signals;
  std::signal(SIGPIPE, SIG_IGN);
  args.wire.idle = std::chrono::seconds(args.idle);
  args.wire.body = args.endpoint.answer = std::chrono::seconds(args.answer);
  args.endpoint.body_bytes = args.wire.body_bytes;
  if (args.no_receipts) args.server.recording = serve::Recording::kOff;
  AFTUNE_TRY(const auto place, open_serving_place(args.place));
  serve::Server server(
      {place->machine.engine, *place->decoder, place->model.tokenizer, *place->log}, args.server);
  const http::ModelCard card = card_of(args, *place);
  http::Endpoint endpoint(server, card, args.endpoint);
  AFTUNE_TRY(const auto listener,
             http::HttpServer::start(args.address, args.wire,
                                     [&](const http::Request& request, http::Peer peer) {
                                       return endpoint.handle(request, peer);
                                     }));
  announce(args, card, listener->port());
  signals.wait();
  stop(server, *listener, args);
  const serve::ServerCounts counts = server.counts();
  std::cout << fmt::format("stopped: {} requests taken, {} receipted, {} cancelled, {} failed\n",
                           counts.taken, counts.receipted, counts.cancelled, counts.failed);
  return ok();
}

void add_limits(CLI::App& cmd, Args& args) {
  cmd.add_option("--max-tokens", args.endpoint.max_tokens, "At most so many new tokens a request")
      ->check(CLI::Range(std::uint64_t{1}, receipt::kMaxOutput));
  cmd.add_option("--batch", args.server.batch.requests, "Requests in one pass of the model")
      ->check(CLI::Range(1, 1024));
  cmd.add_option("--prompt-chunk", args.server.batch.prompt_tokens, "Prompt tokens in one pass")
      ->check(CLI::Range(1, 65536));
  cmd.add_option("--queue", args.server.waiting, "Requests taken and not answered, at most")
      ->check(CLI::Range(1, 65536));
  cmd.add_option("--connections", args.wire.connections, "Connections, at most")
      ->check(CLI::Range(1, 65536));
  cmd.add_option("--body-bytes", args.wire.body_bytes, "Bytes of a request's body, at most")
      ->check(CLI::Range(std::uint64_t{1}, receipt::kMaxBodyBytes));
  cmd.add_option("--idle-seconds", args.idle, "A connection that is silent so long is closed")
      ->check(CLI::Range(1, 86400));
  cmd.add_option("--answer-seconds", args.answer, "An answer that takes longer is given up")
      ->check(CLI::Range(1, 86400));
}

}  // namespace

Command add_serve(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("serve", "Answer over HTTP as OpenAI does, with receipts");
  cmd->footer(
      "Example:\n  aftune serve run/model --serving serving --key keys/server.key --contract "
      "contract.json --run run\nSIGTERM or SIGINT ends it when what it has taken is answered.");
  add_serving_options(*cmd, args->place);
  cmd->add_option("--host", args->address.host, "Numeric address to listen on");
  cmd->add_option("--port", args->address.port, "Port; 0: any that is free");
  cmd->add_option("--name", args->name,
                  "The model's name for clients; its folder's name if absent");
  cmd->add_flag("--no-receipts", args->no_receipts,
                "Answer without receipts: to measure what they cost");
  add_limits(*cmd, *args);
  return {[cmd] { return cmd->parsed(); },
          [args] {
            const Status served = serve_all(*args);
            return served ? Exit::kOk : report("serve", served.error());
          }};
}

}  // namespace aftune::cli
