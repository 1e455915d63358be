// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>

namespace aftune::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kConnectionMemory = 32768;  // for everything that is read of one request
constexpr std::size_t kPiece = 16384;             // of a streamed body, at most
constexpr std::uint64_t kDropped = 4;  // times the limit of a body: what is read and dropped

/// One request on its way.
struct Exchange {
  Request request;
  Clock::time_point begun = Clock::now();
  std::uint64_t received = 0;
};

int socket_of(MHD_Connection* connection) {
  const auto* known = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return known == nullptr ? -1 : known->connect_fd;
}

/// While we let a peer wait, its silence is our doing: the library's clock stands still.
class OurTurn {
 public:
  OurTurn(MHD_Connection* connection, std::chrono::seconds idle)
      : connection_(connection), idle_(static_cast<unsigned>(idle.count())) {
    MHD_set_connection_option(connection_, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
  }
  ~OurTurn() { MHD_set_connection_option(connection_, MHD_CONNECTION_OPTION_TIMEOUT, idle_); }
  OurTurn(const OurTurn&) = delete;
  OurTurn& operator=(const OurTurn&) = delete;

 private:
  MHD_Connection* connection_;
  unsigned idle_;
};

/// A streamed body between its source and the library.
struct Streaming {
  std::unique_ptr<BodySource> source;
  MHD_Connection* connection;
  std::chrono::seconds idle;
  std::string piece = {};
  std::size_t sent = 0;  // of the piece
};

ssize_t read_stream(void* state, std::uint64_t, char* into, std::size_t room) {
  auto& streaming = *static_cast<Streaming*>(state);
  if (streaming.sent == streaming.piece.size()) {
    const OurTurn ours(streaming.connection, streaming.idle);
    streaming.sent = 0;
    streaming.piece.clear();
    while (streaming.piece.empty()) {
      const BodySource::More more = streaming.source->next(streaming.piece);
      if (more == BodySource::More::kEnd) return MHD_CONTENT_READER_END_OF_STREAM;
      if (more == BodySource::More::kBroken) return MHD_CONTENT_READER_END_WITH_ERROR;
    }
  }
  const std::size_t count = std::min(room, streaming.piece.size() - streaming.sent);
  std::memcpy(into, streaming.piece.data() + streaming.sent, count);
  streaming.sent += count;
  return static_cast<ssize_t>(count);
}

void drop_stream(void* state) { delete static_cast<Streaming*>(state); }

MHD_Response* library_response(Response& response, MHD_Connection* connection,
                               std::chrono::seconds idle) {
  if (response.stream == nullptr) {
    return MHD_create_response_from_buffer(response.body.size(), response.body.data(),
                                           MHD_RESPMEM_MUST_COPY);
  }
  auto* streaming = new Streaming{std::move(response.stream), connection, idle};
  MHD_Response* made = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kPiece, read_stream,
                                                         streaming, drop_stream);
  if (made == nullptr) delete streaming;
  return made;
}

/// What the peer says that its body has; 0 if it does not say.
std::uint64_t declared_length(MHD_Connection* connection) {
  const char* text =
      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
  if (text == nullptr) return 0;
  std::uint64_t out = 0;
  const std::string_view spelt = text;
  const auto read = std::from_chars(spelt.data(), spelt.data() + spelt.size(), out);
  return read.ec == std::errc() ? out : UINT64_MAX;
}

/// A numeric address, of either family.
struct Listening {
  sockaddr_in v4 = {};
  sockaddr_in6 v6 = {};
  bool is_v6 = false;
  [[nodiscard]] const sockaddr* address() const {
    return is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  }
};

Result<Listening> parse_address(const Address& address) {
  Listening out;
  if (inet_pton(AF_INET, address.host.c_str(), &out.v4.sin_addr) == 1) {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    return out;
  }
  if (inet_pton(AF_INET6, address.host.c_str(), &out.v6.sin6_addr) == 1) {
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(address.port);
    out.is_v6 = true;
    return out;
  }
  return Error{Code::kInvalidInput,
               fmt::format("host {} is no numeric address such as 127.0.0.1", address.host)};
}

}  // namespace

bool Peer::gone() const {
  pollfd look = {socket_, POLLRDHUP, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

struct HttpServer::Impl {
  HttpLimits limits;
  Handler handler;
  MHD_Daemon* daemon = nullptr;
  int listening = MHD_INVALID_SOCKET;  // after accept_no_more()
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t open = 0;  // requests

  /// The library's callbacks.
  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* path,
                               const char* method, const char*, const char* data, std::size_t* size,
                               void** context);
  static void on_end(void* self, MHD_Connection*, void** context, MHD_RequestTerminationCode);

  MHD_Result begin(MHD_Connection* connection, Exchange& exchange);
  MHD_Result take(Exchange& exchange, const char* data, std::size_t size) const;
  MHD_Result answer(MHD_Connection* connection, const Exchange& exchange);
};

MHD_Result HttpServer::Impl::on_request(void* self, MHD_Connection* connection, const char* path,
                                        const char* method, const char*, const char* data,
                                        std::size_t* size, void** context) {
  auto& impl = *static_cast<Impl*>(self);
  if (*context == nullptr) {
    auto* exchange = new Exchange{{method, path, {}, false}};
    *context = exchange;
    return impl.begin(connection, *exchange);
  }
  auto& exchange = *static_cast<Exchange*>(*context);
  if (*size > 0) return impl.take(exchange, data, std::exchange(*size, 0));
  return impl.answer(connection, exchange);
}

void HttpServer::Impl::on_end(void* self, MHD_Connection*, void** context,
                              MHD_RequestTerminationCode) {
  if (*context == nullptr) return;
  delete static_cast<Exchange*>(std::exchange(*context, nullptr));
  auto& impl = *static_cast<Impl*>(self);
  const std::lock_guard lock(impl.mutex);
  --impl.open;
  impl.ended.notify_all();
}

MHD_Result HttpServer::Impl::begin(MHD_Connection* connection, Exchange& exchange) {
  {
    const std::lock_guard lock(mutex);
    ++open;
  }
  if (declared_length(connection) / kDropped <= limits.body_bytes) return MHD_YES;
  exchange.request.too_large = true;
  return answer(connection, exchange);
}

MHD_Result HttpServer::Impl::take(Exchange& exchange, const char* data, std::size_t size) const {
  exchange.received += size;
  if (exchange.received / kDropped > limits.body_bytes) return MHD_NO;
  if (Clock::now() - exchange.begun > limits.body) return MHD_NO;
  if (exchange.received > limits.body_bytes) {
    exchange.request.too_large = true;
    exchange.request.body.clear();
  } else {
    exchange.request.body.append(data, size);
  }
  return MHD_YES;
}

MHD_Result HttpServer::Impl::answer(MHD_Connection* connection, const Exchange& exchange) {
  Response response;
  {
    const OurTurn ours(connection, limits.idle);
    response = handler(exchange.request, Peer(socket_of(connection)));
  }
  MHD_Response* made = library_response(response, connection, limits.idle);
  if (made == nullptr) return MHD_NO;
  MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, response.type.c_str());
  for (const auto& [name, value] : response.headers) {
    MHD_add_response_header(made, name.c_str(), value.c_str());
  }
  const MHD_Result queued =
      MHD_queue_response(connection, static_cast<unsigned>(response.status), made);
  MHD_destroy_response(made);
  return queued;
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const Address& address,
                                                      const HttpLimits& limits, Handler handler) {
  AFTUNE_TRY(const Listening at, parse_address(address));
  auto impl = std::make_unique<Impl>();
  impl->limits = limits;
  impl->handler = std::move(handler);
  unsigned flags =
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
  if (at.is_v6) flags |= MHD_USE_IPv6;
  impl->daemon =
      MHD_start_daemon(flags, address.port, nullptr, nullptr, &Impl::on_request, impl.get(),
                       MHD_OPTION_SOCK_ADDR, at.address(), MHD_OPTION_NOTIFY_COMPLETED,
                       &Impl::on_end, impl.get(), MHD_OPTION_CONNECTION_LIMIT, limits.connections,
                       MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(limits.idle.count()),
                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory, MHD_OPTION_END);
  if (impl->daemon == nullptr) {
    const int error = errno;
    return Error{Code::kUnavailable, fmt::format("listen on {} port {}: {}", address.host,
                                                 address.port, std::strerror(error))};
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  MHD_stop_daemon(impl_->daemon);
  if (impl_->listening != MHD_INVALID_SOCKET) ::close(impl_->listening);
}

std::uint16_t HttpServer::port() const {
  const auto* known = MHD_get_daemon_info(impl_->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return known == nullptr ? std::uint16_t{0} : known->port;
}

void HttpServer::accept_no_more() {
  const int old = MHD_quiesce_daemon(impl_->daemon);
  if (old != MHD_INVALID_SOCKET) impl_->listening = old;
}

bool HttpServer::wait_until_quiet(std::chrono::seconds at_most) {
  std::unique_lock lock(impl_->mutex);
  return impl_->ended.wait_for(lock, at_most, [this] { return impl_->open == 0; });
}

}  // namespace aftune::http
