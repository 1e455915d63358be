// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over TCP, one thread a connection: docs/formats/serving.md, "Limits and ends".
// Why by the library that it hides: docs/design/0005-http-library.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "aftune/base/result.h"
#include "aftune/http/message.h"

namespace aftune::http {

struct Address {
  std::string host = "127.0.0.1";  // numeric, IPv4 or IPv6
  std::uint16_t port = 8080;       // 0: any that is free
};

struct HttpLimits {
  unsigned connections = 256;
  std::uint64_t body_bytes = std::uint64_t{1} << 20;
  std::chrono::seconds idle{30};   // of a connection, either way
  std::chrono::seconds body{600};  // for a body to arrive
};

/// Called from the thread of a connection; may wait. Throws nothing.
using Handler = std::function<Response(const Request&, Peer)>;

/// Threads: one at a time. Bodies that it still sends are dropped when it is destroyed.
class HttpServer {
 public:
  /// Errors: kInvalidInput for a host that is no numeric address; kUnavailable for one that cannot
  ///         be listened on.
  static Result<std::unique_ptr<HttpServer>> start(const Address& address, const HttpLimits& limits,
                                                   Handler handler);
  /// Closes every connection. Requires: no handler or body waits for long.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// Takes no more connections; those that are open go on.
  void accept_no_more();
  /// Waits until no request is being read or answered, at most so long. Returns: whether none is.
  bool wait_until_quiet(std::chrono::seconds at_most);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aftune::http
