// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>

#include "aftune/object/http.h"
#include "aftune/object/s3_url.h"
#include "aftune/object/sigv4.h"

namespace aftune::object {
namespace {

struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, FreeList>;

/// One request under way: what the callbacks below see.
struct Exchange {
  CURL* handle;
  Bytes to_send;
  const TakePiece& take;
  HttpAnswer answer = {};
  std::size_t header_bytes = 0;
  bool head_ended = false;            // by its empty line
  std::optional<Error> refusal = {};  // why a callback stopped the transfer

  [[nodiscard]] bool good() const {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
  }
};

std::size_t on_body(char* data, std::size_t one, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const Bytes piece = as_bytes({data, one * count});
  if (exchange.take && exchange.good()) {
    Status taken = exchange.take(piece);
    if (taken) return piece.size();
    exchange.refusal = std::move(taken).error();
    return CURL_WRITEFUNC_ERROR;
  }
  if (exchange.answer.body.size() + piece.size() > kMaxAnswerBytes) {
    exchange.refusal =
        Error{Code::kUnavailable, fmt::format("an answer of more than {} bytes", kMaxAnswerBytes)};
    return CURL_WRITEFUNC_ERROR;
  }
  append(exchange.answer.body, piece);
  return piece.size();
}

std::size_t on_header(char* data, std::size_t one, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view line(data, one * count);
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > kMaxHeaderBytes) {
    exchange.refusal =
        Error{Code::kUnavailable, fmt::format("headers of more than {} bytes", kMaxHeaderBytes)};
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // once more after a "100 Continue"
    exchange.answer.headers.clear();
    exchange.head_ended = false;
  }
  if (line == "\r\n" || line == "\n") exchange.head_ended = true;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  const std::size_t first = value.find_first_not_of(" \t");
  value.remove_prefix(std::min(first, value.size()));
  value = value.substr(0, value.find_last_not_of(" \t\r\n") + 1);
  exchange.answer.headers[std::move(name)] = value;
  return line.size();
}

std::size_t on_read(char* data, std::size_t one, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::size_t size = std::min(one * count, exchange.to_send.size());
  std::memcpy(data, exchange.to_send.data(), size);
  exchange.to_send = exchange.to_send.subspan(size);
  return size;
}

std::string url_of(const HttpRequest& request) {
  const std::string query = canonical_query(request.query);
  return fmt::format("{}://{}{}{}{}", request.to.tls ? "https" : "http", request.to.authority,
                     percent_encode(request.path, Slash::kKept), query.empty() ? "" : "?", query);
}

/// Null if there is no memory left.
Headers headers_of(const HttpRequest& request) {
  Headers out;
  const auto add = [&out](const std::string& line) {
    curl_slist* longer = curl_slist_append(out.get(), line.c_str());
    if (longer == nullptr) return false;
    static_cast<void>(out.release());
    out.reset(longer);
    return true;
  };
  // Without these libcurl would add some of its own, unsigned, and wait before it sends a body.
  bool done = add("Expect:") && add("Accept:");
  if (!request.headers.contains("content-type")) done = done && add("Content-Type:");
  for (const auto& [name, value] : request.headers) {
    done = done && add(fmt::format("{}: {}", name, value));
  }
  return done ? std::move(out) : nullptr;
}

class CurlHttp final : public Http {
 public:
  CurlHttp(CURL* handle, HttpLimits limits) : handle_(handle), limits_(std::move(limits)) {}

  Result<HttpAnswer> send(const HttpRequest& request, Bytes body, const TakePiece& take) override {
    CURL* handle = handle_.get();
    curl_easy_reset(handle);  // the connection stays open
    Exchange exchange{handle, body, take};
    const std::string url = url_of(request);
    const Headers headers = headers_of(request);
    if (headers == nullptr) return Error{Code::kUnavailable, "libcurl is out of memory"};
    set_connection(handle, url, headers.get());
    set_body(handle, request.method, body.size(), exchange);
    const CURLcode code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, nullptr);
    if (exchange.refusal) return *exchange.refusal;
    if (code != CURLE_OK) {
      return Error{Code::kUnavailable,
                   fmt::format("{}: {}", request.to.authority, curl_easy_strerror(code))};
    }
    // libcurl takes an answer that is cut in its head for one without a body.
    if (!exchange.head_ended) {
      return Error{Code::kUnavailable,
                   fmt::format("{}: the answer ends in its headers", request.to.authority)};
    }
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    exchange.answer.status = static_cast<int>(status);
    return std::move(exchange.answer);
  }

 private:
  void set_connection(CURL* handle, const std::string& url, curl_slist* headers) const {
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, limits_.connect_seconds);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, limits_.stall_seconds);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    if (!limits_.ca_bundle.empty()) {
      curl_easy_setopt(handle, CURLOPT_CAINFO, limits_.ca_bundle.c_str());
    }
  }

  static void set_body(CURL* handle, const std::string& method, std::size_t size,
                       Exchange& exchange) {
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
    if (method == "PUT" || method == "POST") {
      curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
      curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
      curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
      curl_easy_setopt(handle, CURLOPT_READDATA, &exchange);
    }
    if (method == "HEAD") {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
      return;
    }
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
  }

  std::unique_ptr<CURL, FreeHandle> handle_;
  HttpLimits limits_;
};

}  // namespace

Result<std::unique_ptr<Http>> make_http(HttpLimits limits) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* handle = started == CURLE_OK ? curl_easy_init() : nullptr;
  if (handle == nullptr) return Error{Code::kUnavailable, "libcurl does not start"};
  return std::unique_ptr<Http>(new CurlHttp(handle, std::move(limits)));
}

}  // namespace aftune::object
