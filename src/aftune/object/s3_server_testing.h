// SPDX-License-Identifier: Apache-2.0
// A server on the loopback that speaks as much S3 as our client needs, and lies or fails as told.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/base/unique_fd.h"
#include "aftune/crypto/sha256.h"

namespace aftune::object::testing {

/// A request as it came.
struct Seen {
  std::string method, key;  // behind the bucket's name
  std::map<std::string, std::string> query, headers;
  std::string body;
};

/// An answer, whole with its head.
inline std::string reply(int status, const std::string& body,
                         const std::map<std::string, std::string>& headers = {}) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " Said\r\nConnection: close\r\n";
  for (const auto& [name, value] : headers) out += name + ": " + value + "\r\n";
  return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string complaint(int status, const std::string& code) {
  return reply(status, "<?xml version=\"1.0\"?><Error><Code>" + code +
                           "</Code><Message>said so</Message></Error>");
}
/// The same answer without its last `count` bytes.
inline std::string cut(std::string answer, std::size_t count) {
  answer.resize(answer.size() - count);
  return answer;
}

class S3Server {
 public:
  /// What is answered instead; nothing: the honest answer. An empty answer closes the connection.
  using Fault = std::function<std::optional<std::string>(const Seen&)>;
  static constexpr const char* kBucket = "bucket";

  S3Server() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    AFTUNE_CHECK(::bind(listening_.get(), generic, size) == 0, "no port");
    AFTUNE_CHECK(::listen(listening_.get(), 16) == 0, "not listening");
    AFTUNE_CHECK(::getsockname(listening_.get(), generic, &size) == 0, "no name");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~S3Server() {
    stopping_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  [[nodiscard]] std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void set_fault(Fault fault) {
    const std::lock_guard hold(mutex_);
    fault_ = std::move(fault);
  }
  /// Every key and its bytes.
  [[nodiscard]] std::map<std::string, std::string> objects() const {
    const std::lock_guard hold(mutex_);
    return objects_;
  }
  void put(const std::string& key, const std::string& bytes) {
    const std::lock_guard hold(mutex_);
    objects_[key] = bytes;
  }
  void remove(const std::string& key) {
    const std::lock_guard hold(mutex_);
    objects_.erase(key);
  }
  [[nodiscard]] std::vector<Seen> seen() const {
    const std::lock_guard hold(mutex_);
    return seen_;
  }
  void forget_seen() {
    const std::lock_guard hold(mutex_);
    seen_.clear();
  }
  std::atomic<bool> has_lock = false;

 private:
  static std::string decoded(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '%' && i + 2 < text.size()) {
        out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
        i += 2;
      } else {
        out += text[i];
      }
    }
    return out;
  }

  static std::map<std::string, std::string> parse_query(const std::string& text) {
    std::map<std::string, std::string> out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('&', at), text.size());
      const std::string item = text.substr(at, end - at);
      const std::size_t equals = std::min(item.find('='), item.size());
      out[decoded(item.substr(0, equals))] =
          decoded(item.substr(std::min(equals + 1, item.size())));
      at = end + 1;
    }
    return out;
  }

  /// Reads until `text` has `size` bytes, or holds a blank line if `size` is 0.
  static bool receive(int fd, std::string& text, std::size_t size) {
    char buffer[65536];
    while (size == 0 ? text.find("\r\n\r\n") == std::string::npos : text.size() < size) {
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return true;
  }

  static std::optional<Seen> receive_request(int fd) {
    std::string text;
    if (!receive(fd, text, 0)) return std::nullopt;
    Seen out;
    const std::size_t head = text.find("\r\n\r\n") + 4;
    const std::size_t first = text.find("\r\n");
    for (std::size_t at = first + 2; at + 2 < head;) {
      const std::size_t end = text.find("\r\n", at), colon = text.find(": ", at);
      std::string name = text.substr(at, std::min(colon, end) - at);
      std::transform(name.begin(), name.end(), name.begin(), ::tolower);
      out.headers[name] = colon < end ? text.substr(colon + 2, end - colon - 2) : "";
      at = end + 2;
    }
    const std::size_t one = text.find(' '), two = text.find(' ', one + 1);
    out.method = text.substr(0, one);
    const std::string target = text.substr(one + 1, two - one - 1);
    const std::size_t mark = std::min(target.find('?'), target.size());
    out.query = parse_query(target.substr(std::min(mark + 1, target.size())));
    const std::string path = decoded(target.substr(0, mark));
    const std::size_t slash = path.find('/', 1);
    out.key = slash == std::string::npos ? "" : path.substr(slash + 1);
    const auto length = out.headers.find("content-length");
    if (length != out.headers.end()) {
      if (!receive(fd, text, head + std::stoul(length->second))) return std::nullopt;
    }
    out.body = text.substr(head);
    return out;
  }

  void serve() {
    while (!stopping_) {
      const UniqueFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      const std::optional<Seen> request = receive_request(fd.get());
      if (!request) continue;
      std::string answer = answer_to(*request);
      if (answer == "never") {  // until the client has had enough
        receive(fd.get(), answer, 1U << 20U);
        continue;
      }
      for (std::size_t at = 0; at < answer.size();) {
        const ssize_t sent = ::send(fd.get(), answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += static_cast<std::size_t>(sent);
      }
    }
  }

  std::string answer_to(const Seen& request) {
    const std::lock_guard hold(mutex_);
    seen_.push_back(request);
    if (fault_) {
      if (auto instead = fault_(request)) return *instead;
    }
    const auto sent = request.headers.find("x-amz-content-sha256");
    if (sent == request.headers.end() ||
        sent->second != crypto::sha256(as_bytes(request.body)).hex()) {
      return complaint(400, "XAmzContentSHA256Mismatch");
    }
    if (request.key.empty()) return answer_for_bucket(request);
    if (request.query.contains("uploads") || request.query.contains("uploadId")) {
      return answer_for_parts(request);
    }
    if (request.method == "PUT") {
      objects_[request.key] = request.body;
      return reply(200, "", {{"ETag", "\"x\""}});
    }
    const auto found = objects_.find(request.key);
    if (found == objects_.end()) return complaint(404, "NoSuchKey");
    std::string body = found->second;
    const auto range = request.headers.find("range");
    if (range != request.headers.end()) {
      body.resize(std::min(body.size(), std::stoul(range->second.substr(8)) + 1));
    }
    const std::string whole = reply(200, body);
    return request.method == "HEAD" ? cut(whole, body.size()) : whole;
  }

  std::string answer_for_bucket(const Seen& request) {
    if (request.query.contains("object-lock")) {
      if (!has_lock) return complaint(404, "ObjectLockConfigurationNotFoundError");
      return reply(200,
                   "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
                   "</ObjectLockConfiguration>");
    }
    const auto value = [&](const std::string& name) {
      const auto found = request.query.find(name);
      return found == request.query.end() ? std::string() : found->second;
    };
    const std::string prefix = value("prefix"), after = value("continuation-token");
    std::string body, last;
    std::size_t count = 0;
    bool more = false;
    for (const auto& [key, bytes] : objects_) {
      if (!key.starts_with(prefix) || (!after.empty() && key <= after)) continue;
      more = count == keys_a_page;
      if (more) break;
      body += "<Contents><Key>" + key + "</Key><Size>" + std::to_string(bytes.size()) +
              "</Size></Contents>";
      last = key;
      ++count;
    }
    const std::string token =
        more ? "<NextContinuationToken>" + last + "</NextContinuationToken>" : "";
    return reply(200, "<ListBucketResult><IsTruncated>" + std::string(more ? "true" : "false") +
                          "</IsTruncated>" + body + token + "</ListBucketResult>");
  }

  std::string answer_for_parts(const Seen& request) {
    if (request.query.contains("uploads")) {
      parts_[request.key].clear();
      return reply(200,
                   "<InitiateMultipartUploadResult><UploadId>id/1+</UploadId>"
                   "</InitiateMultipartUploadResult>");
    }
    if (!parts_.contains(request.key) || request.query.at("uploadId") != "id/1+") {
      return complaint(404, "NoSuchUpload");
    }
    if (request.method == "PUT") {
      const std::string number = request.query.at("partNumber");
      parts_[request.key][std::stoi(number)] = request.body;
      return reply(200, "", {{"ETag", "\"part-" + number + "\""}});
    }
    if (request.method == "POST") {
      std::string& whole = objects_[request.key];
      whole.clear();
      for (const auto& [number, part] : parts_[request.key]) {
        if (request.body.find("part-" + std::to_string(number)) == std::string::npos) {
          return complaint(400, "InvalidPart");
        }
        whole += part;
      }
    }
    parts_.erase(request.key);
    return reply(200, "<CompleteMultipartUploadResult/>");
  }

 public:
  std::atomic<std::size_t> keys_a_page = 3;

 private:
  const UniqueFd listening_;
  unsigned port_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  Fault fault_;
  std::map<std::string, std::string> objects_;
  std::map<std::string, std::map<int, std::string>> parts_;
  std::vector<Seen> seen_;
  std::thread thread_;  // last: starts when everything else is there
};

/// What a program or a client is told so that it talks to `server`.
inline std::map<std::string, std::string> environment_of(const S3Server& server) {
  return {{"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
          {"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
          {"AWS_ENDPOINT_URL", server.endpoint()}};
}

}  // namespace aftune::object::testing
