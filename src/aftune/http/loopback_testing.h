// SPDX-License-Identifier: Apache-2.0
// A client of few words: bytes to a port of this machine, and what comes back.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <string>
#include <string_view>

#include "aftune/base/check.h"
#include "aftune/base/unique_fd.h"

namespace aftune::http::testing {

class Loopback {
 public:
  /// Gives up reading after 20 seconds.
  explicit Loopback(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience = {20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  }

  [[nodiscard]] bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// Everything up to and with `end`, or until the other side closes.
  std::string read(std::string_view end = {}) {
    std::string out;
    char byte = 0;
    while ((end.empty() || !out.ends_with(end)) && ::recv(fd_.get(), &byte, 1, 0) == 1) out += byte;
    return out;
  }
  void hang_up() { fd_ = UniqueFd(); }

 private:
  UniqueFd fd_;
  bool connected_ = false;
};

inline std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
}

inline std::string post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// One request by a connection of its own.
inline std::string ask(std::uint16_t port, const std::string& request) {
  Loopback client(port);
  client.send(request);
  return client.read();
}

}  // namespace aftune::http::testing
