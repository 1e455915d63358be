// SPDX-License-Identifier: Apache-2.0
// A served model: takes requests from any thread, tells their tokens as they come, and gives each
// answer with its receipt. No sockets: whoever has some calls this.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "aftune/serve/generator.h"
#include "aftune/serve/serving_log.h"

namespace aftune::serve {

/// What a client asks.
struct Ask {
  std::string id;  // empty: one is made
  receipt::Input input;
  std::uint64_t max_tokens = 16;
  receipt::SamplingRule sampling = {};
  std::vector<std::string> stop = {};
  std::optional<std::uint64_t> seed = {};
  std::optional<Digest> nonce = {};
  std::optional<Digest> audit_sha256 = {};
};

/// Called from threads of the server, one at a time for a request; must return soon.
struct Hearer {
  std::function<void(const Progress&)> on_token = {};
  /// Once, unless cancelled: the whole answer with its receipt, or why there is none.
  std::function<void(Result<Receipted>)> on_end = {};
};

struct ServerLimits {
  BatchLimits batch = {};
  std::size_t waiting = 64;              // requests taken and not ended
  Recording recording = Recording::kOn;  // off: answers without receipts
};

/// Counts since the start.
struct ServerCounts {
  std::uint64_t taken = 0, refused = 0, cancelled = 0, failed = 0, receipted = 0;
  std::uint64_t unreceipted = 0;  // without recording
  std::uint64_t prompt_tokens = 0, output_tokens = 0, passes = 0;
  std::size_t open = 0;  // now: taken and not ended
};

/// What a server works with; borrowed, must outlive it.
struct ServerParts {
  const numerics::Engine& engine;  // used by one thread of the server alone
  const model::Decoder& decoder;
  const text::Tokenizer& tokenizer;
  ServingLog& log;  // likewise
};

/// Threads: every call from any thread.
class Server {
 public:
  Server(ServerParts parts, ServerLimits limits);
  /// As stop().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  using Ticket = std::uint64_t;
  /// Errors: kInvalidInput or kUnsupported for an ask that cannot be answered; kUnavailable for a
  ///         full queue, a server that stops, or one whose log takes nothing more.
  Result<Ticket> submit(Ask ask, Hearer hearer);
  /// Its hearer hears nothing more, but for what is being told now; a whole answer is receipted.
  void cancel(Ticket ticket);
  /// Takes nothing more, ends what was taken, and returns when all receipts are given.
  void stop();

  [[nodiscard]] ServerCounts counts() const;
  /// Why it takes nothing from now on; empty while it does.
  [[nodiscard]] std::string refusing() const;

 private:
  struct State;
  void generate();
  void give_receipts();

  ServerParts parts_;
  ServerLimits limits_;
  std::unique_ptr<State> state_;
  std::thread generating_, receipting_;
};

/// What of an ask its receipt binds: salt, request, prompt and seed.
/// Errors: kInvalidInput or kUnsupported.
Result<Task> task_of(Ask ask, const receipt::Statement& statement, const text::Tokenizer& tokenizer,
                     const crypto::SecretBytes& secret);

}  // namespace aftune::serve
