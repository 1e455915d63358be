// SPDX-License-Identifier: Apache-2.0
// Requests to one bucket, signed, and tried again where that may help:
// docs/formats/object-storage.md, "Requests" and "Failures".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aftune/crypto/digest.h"
#include "aftune/object/http.h"
#include "aftune/object/patience.h"

namespace aftune::object {

/// What a request is, beside who signs it and where it goes.
struct S3Request {
  std::string method;
  std::string key;  // empty: the bucket itself
  std::vector<std::pair<std::string, std::string>> query = {};
  std::map<std::string, std::string> headers = {};
  Bytes body = {};
  std::optional<Digest> body_sha256 = {};  // where the caller knows it
};

/// Errors of all calls: kNotFound where the server says that the key is not there; kInvalidInput
///         for what it refuses otherwise, with its code; kUnavailable once patience has ended.
/// Threads: one at a time.
class S3Client {
 public:
  S3Client(Account account, std::string bucket, std::unique_ptr<Http> http, Waiting waiting,
           std::function<std::int64_t()> clock, double give_up_seconds);

  /// Sends until the answer is a good one. `start`, if given, is called before each try, and the
  /// answer's body goes to what it gives.
  using StartTaking = std::function<Result<TakePiece>()>;
  Result<HttpAnswer> send(const S3Request& request, const StartTaking& start = {});

 private:
  struct Try;
  Try send_once(const S3Request& request, const Digest& body_sha256, const StartTaking& start);
  [[nodiscard]] HttpRequest place(const S3Request& request) const;

  Account account_;
  std::string bucket_;
  std::unique_ptr<Http> http_;
  Waiting waiting_;
  std::function<std::int64_t()> clock_;  // seconds since 1970
  double give_up_seconds_;
};

}  // namespace aftune::object
