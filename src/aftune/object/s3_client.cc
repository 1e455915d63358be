// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "aftune/base/log_line.h"
#include "aftune/crypto/sha256.h"
#include "aftune/object/sigv4.h"
#include "aftune/object/xml.h"

namespace aftune::object {
namespace {

constexpr std::size_t kMaxMessage = 200;

bool may_pass(int status) {
  static constexpr std::array<int, 6> kPassing = {408, 429, 500, 502, 503, 504};
  return std::find(kPassing.begin(), kPassing.end(), status) != kPassing.end();
}

/// Codes that come with a status that says less.
bool may_pass(std::string_view code) {
  static constexpr std::array<std::string_view, 5> kPassing = {
      "InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted"};
  return std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end();
}

/// The server's word for what is wrong; empty if there is none.
struct Complaint {
  std::string code, message;
};

Complaint complaint_of(const HttpAnswer& answer) {
  // A listing is much longer than any complaint.
  if (answer.body.empty() || answer.body.size() > (std::size_t{64} << 10)) return {};
  const Result<XmlElement> root = parse_xml(as_text(answer.body));
  if (!root || root->name != "Error") return {};
  return {root->text_of("Code"), root->text_of("Message").substr(0, kMaxMessage)};
}

Error refused(const S3Request& request, const std::string& bucket, const HttpAnswer& answer,
              const Complaint& said) {
  const std::string what =
      fmt::format("{} {}/{}: {} {}{}{}", request.method, bucket, request.key, answer.status,
                  printable(said.code), said.message.empty() ? "" : ": ", printable(said.message));
  if (answer.status != 404) return {Code::kInvalidInput, what};
  // A missing bucket is a slip in a name, not a file that somebody lost.
  const bool of_the_key = !request.key.empty() && said.code != "NoSuchBucket";
  return {of_the_key ? Code::kNotFound : Code::kInvalidInput, what};
}

}  // namespace

/// One try: an answer, an error for good, or one that may pass.
struct S3Client::Try {
  Result<HttpAnswer> result;
  bool may_pass = false;
};

S3Client::S3Client(Account account, std::string bucket, std::unique_ptr<Http> http, Waiting waiting,
                   std::function<std::int64_t()> clock, double give_up_seconds)
    : account_(std::move(account)),
      bucket_(std::move(bucket)),
      http_(std::move(http)),
      waiting_(std::move(waiting)),
      clock_(std::move(clock)),
      give_up_seconds_(give_up_seconds) {}

HttpRequest S3Client::place(const S3Request& request) const {
  HttpRequest out{request.method, {}, "/" + request.key, request.query, request.headers};
  if (account_.endpoint) out.to = *account_.endpoint;
  if (account_.endpoint || bucket_.find('.') != std::string::npos) {
    if (!account_.endpoint) out.to.authority = fmt::format("s3.{}.amazonaws.com", account_.region);
    out.path = request.key.empty() ? "/" + bucket_ : "/" + bucket_ + "/" + request.key;
  } else {
    out.to.authority = fmt::format("{}.s3.{}.amazonaws.com", bucket_, account_.region);
  }
  return out;
}

S3Client::Try S3Client::send_once(const S3Request& request, const Digest& body_sha256,
                                  const StartTaking& start) {
  HttpRequest http = place(request);
  sign_request(account_, clock_(), body_sha256, http);
  TakePiece take;
  Status taken = ok();
  if (start) {
    Result<TakePiece> started = start();
    if (!started) return {std::move(started).error(), false};
    take = [&taken, inner = *std::move(started)](Bytes piece) {
      taken = inner(piece);
      return taken;
    };
  }
  Result<HttpAnswer> answer = http_->send(http, request.body, take);
  if (!taken) return {std::move(taken).error(), false};  // our disk, not the server
  if (!answer) {
    const bool passing = answer.error().code == Code::kUnavailable;
    return {std::move(answer), passing};
  }
  const Complaint said = complaint_of(*answer);
  if (answer->status >= 200 && answer->status < 300 && said.code.empty()) {
    return {std::move(answer), false};
  }
  const bool passing = may_pass(answer->status) || may_pass(said.code);
  return {refused(request, bucket_, *answer, said), passing};
}

Result<HttpAnswer> S3Client::send(const S3Request& request, const StartTaking& start) {
  const Digest body_sha256 =
      request.body_sha256 ? *request.body_sha256 : crypto::sha256(request.body);
  Patience patience(waiting_, give_up_seconds_);
  while (true) {
    Try one = send_once(request, body_sha256, start);
    if (one.result || !one.may_pass) return std::move(one.result);
    if (patience.wait_again()) continue;
    return Error{Code::kUnavailable,
                 fmt::format("{}: given up after {} tries in {:.0f} s", one.result.error().what,
                             patience.failures(), give_up_seconds_)};
  }
}

}  // namespace aftune::object
