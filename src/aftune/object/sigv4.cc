// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "aftune/crypto/sha256.h"
#include "aftune/object/s3_url.h"

namespace aftune::object {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kService = "s3";

std::string signed_names(const HttpRequest& request) {
  std::string out;
  for (const auto& [name, value] : request.headers) {
    if (!out.empty()) out += ';';
    out += name;
  }
  return out;
}

std::string canonical_request(const HttpRequest& request, const Digest& body_sha256) {
  std::string headers;
  for (const auto& [name, value] : request.headers) headers += fmt::format("{}:{}\n", name, value);
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method,
                     percent_encode(request.path, Slash::kKept), canonical_query(request.query),
                     headers, signed_names(request), body_sha256.hex());
}

/// HMAC(HMAC(HMAC(HMAC("AWS4" secret, date), region), service), "aws4_request").
Digest signing_key(const Account& account, std::string_view date) {
  ByteBuffer first;
  first.reserve(4 + account.secret_key.size());  // no copy is left behind by growing
  append(first, as_bytes("AWS4"));
  append(first, account.secret_key.reveal());
  const crypto::SecretBytes secret(std::move(first));
  Digest key = crypto::hmac_sha256(secret.reveal(), as_bytes(date));
  for (const std::string_view part :
       {std::string_view(account.region), kService, std::string_view("aws4_request")}) {
    key = crypto::hmac_sha256(key.bytes, as_bytes(part));
  }
  return key;
}

}  // namespace

std::string canonical_query(const std::vector<std::pair<std::string, std::string>>& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(percent_encode(name, Slash::kEncoded),
                         percent_encode(value, Slash::kEncoded));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  }
  return out;
}

std::string amz_date(std::int64_t seconds_since_1970) {
  using std::chrono::sys_seconds;
  const sys_seconds time{std::chrono::seconds(seconds_since_1970)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

void sign_request(const Account& account, std::int64_t now, const Digest& body_sha256,
                  HttpRequest& request) {
  const std::string time = amz_date(now);
  const std::string date = time.substr(0, 8);
  request.headers.erase("authorization");
  request.headers["host"] = request.to.authority;
  request.headers["x-amz-date"] = time;
  request.headers["x-amz-content-sha256"] = body_sha256.hex();
  if (account.session_token.size() > 0) {
    request.headers["x-amz-security-token"] = as_text(account.session_token.reveal());
  }
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, account.region, kService);
  const std::string canonical = canonical_request(request, body_sha256);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, scope,
                                          crypto::sha256(as_bytes(canonical)).hex());
  const Digest signature = crypto::hmac_sha256(signing_key(account, date).bytes, as_bytes(to_sign));
  const std::string names = signed_names(request);
  request.headers["authorization"] =
      fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm,
                  account.access_key, scope, names, signature.hex());
}

}  // namespace aftune::object
