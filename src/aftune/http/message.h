// SPDX-License-Identifier: Apache-2.0
// What a handler of requests takes and gives.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace aftune::http {

struct Request {
  std::string method, path;  // the path without its query
  std::string body;
  bool too_large = false;  // the body: it is empty then
};

/// The other end of a connection. Valid while the connection is.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  /// Whether it hung up, or will send nothing more.
  [[nodiscard]] bool gone() const;

 private:
  int socket_;
};

/// A body that comes piece by piece. Its owner asks until there is no more, or drops it before.
class BodySource {
 public:
  enum class More { kBytes, kEnd, kBroken };
  virtual ~BodySource() = default;
  /// Sets `out` and says kBytes; may wait for it. After kBroken the peer is told by a lost
  /// connection.
  virtual More next(std::string& out) = 0;
};

struct Response {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::unique_ptr<BodySource> stream = {};  // in place of the body
};

}  // namespace aftune::http
