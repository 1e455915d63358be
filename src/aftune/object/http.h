// SPDX-License-Identifier: Apache-2.0
// One request and its answer, and whoever carries them. Secrets may stand in the headers: nothing
// here is ever printed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"
#include "aftune/object/account.h"

namespace aftune::object {

/// A request as it is meant: nothing is percent-encoded yet.
struct HttpRequest {
  std::string method;
  Endpoint to;
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> query;
  std::map<std::string, std::string> headers = {};  // names in lower case
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  ByteBuffer body;

  /// The value of a header, or nothing.
  [[nodiscard]] std::string header(const std::string& name) const;
};

inline constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{8} << 20;

/// Where the body of a good answer goes, a piece at a time.
using TakePiece = std::function<Status(Bytes piece)>;

/// Carries requests one at a time. An interface, so that tests can play the server.
class Http {
 public:
  virtual ~Http() = default;

  /// Sends `body` and waits for the answer. The body of a 2xx answer goes to `take` if there is
  /// one, in pieces; any other to HttpAnswer::body.
  /// Errors: kUnavailable for a connection that is refused, breaks or stalls, and for an answer
  ///         that is cut short or too long; what `take` gives.
  virtual Result<HttpAnswer> send(const HttpRequest& request, Bytes body,
                                  const TakePiece& take) = 0;
};

struct HttpLimits {
  long connect_seconds = 10;
  long stall_seconds = 30;  // without a byte
  std::string ca_bundle = {};
};

/// By libcurl; one connection, kept open. Errors: kUnsupported if this build has no libcurl.
Result<std::unique_ptr<Http>> make_http(HttpLimits limits);

}  // namespace aftune::object
