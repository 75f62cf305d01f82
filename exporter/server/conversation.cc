#include "exporter/server/conversation.h"

#include <httplib.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/server/connection.h"
#include "exporter/server/refusal.h"
#include "exporter/server/request_reader.h"

namespace registry_backend::server {
namespace {

constexpr std::size_t kRequestsAConnection = 1000;
constexpr std::size_t kPieceBytes = std::size_t{16} * 1024;
// What a client that was refused may still send before the connection is cut, so that it reads the
// refusal.
constexpr std::size_t kUnwantedBytes = std::size_t{2} * 1024 * 1024;
constexpr auto kUnwantedTime = std::chrono::seconds(2);

// What httplib gets to read: a head that is known to be in order. What it writes goes to the
// client.
class RequestStream final : public httplib::Stream {
 public:
  RequestStream(std::string head, Connection& connection, Time until, std::function<void()> wrote)
      : head_(std::move(head)),
        unread_(head_),
        connection_(connection),
        until_(until),
        wrote_(std::move(wrote)) {}

  bool is_readable() const override { return !unread_.empty(); }
  bool is_writable() const override { return Clock::now() < until_; }

  ssize_t read(char* to, std::size_t size) override {
    const std::size_t count = std::min(size, unread_.size());
    std::memcpy(to, unread_.data(), count);
    unread_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* from, std::size_t size) override {
    const std::size_t sent = connection_.Write({from, size}, until_);
    if (sent == 0) return -1;
    wrote_();
    return static_cast<ssize_t>(sent);
  }

  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  // httplib serves nothing on a number that select() could not take; it is never used.
  socket_t socket() const override { return 0; }

 private:
  const std::string head_;
  std::string_view unread_;
  Connection& connection_;
  const Time until_;
  const std::function<void()> wrote_;
};

void Translate(Response from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.fields) to.set_header(name, value);
  if (from.source != nullptr && from.source->size() > 0) {
    const std::uint64_t size = from.source->size();
    to.set_content_provider(size, from.content_type,
                            [source = std::move(from.source)](
                                std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                              std::array<char, kPieceBytes> piece;
                              const std::size_t count = source->Read(
                                  offset, {piece.data(), std::min(length, piece.size())});
                              return count > 0 && sink.write(piece.data(), count);
                            });
    return;
  }
  if (from.body == nullptr || from.body->empty()) {
    to.set_content("", from.content_type);
    return;
  }
  // A content provider: set_content would copy the body and compress it at full strength.
  const std::size_t size = from.body->size();
  to.set_content_provider(size, from.content_type,
                          [body = std::move(from.body)](std::size_t offset, std::size_t length,
                                                        httplib::DataSink& sink) {
                            return sink.write(body->data() + offset,
                                              std::min(length, body->size() - offset));
                          });
}

// Of the client: `127.0.0.1:40123`, `[::1]:40123`. Empty where it has gone already.
std::string AddressOf(int socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  auto* address = reinterpret_cast<sockaddr*>(&peer);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getpeername(socket, address, &size) != 0 ||
      getnameinfo(address, size, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "";
  }
  const bool v6 = peer.ss_family == AF_INET6;
  return (v6 ? "[" + std::string(host) + "]" : host) + ":" + port;
}

// One client's requests and the answers. httplib takes targets apart and writes answers; what it
// would read too trustingly, it does not get to see.
class Conversation : private httplib::Server {
 public:
  Conversation(Service& service, int socket)
      : service_(service), socket_(socket), connection_(socket) {
    svr_sock_ = socket;  // else httplib takes itself for stopped
    set_keep_alive_max_count(kRequestsAConnection);
    set_keep_alive_timeout(
        std::chrono::duration_cast<std::chrono::seconds>(service.options.idle_time).count());
    set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
      Translate(Answer(from), to);
      return HandlerResponse::Handled;
    });
    set_exception_handler([this](const httplib::Request& from, httplib::Response& to,
                                 const std::exception_ptr& thrown) { Log(from, to, thrown); });
    set_post_routing_handler([this](const httplib::Request&, httplib::Response& to) {
      to.headers.erase("Accept-Ranges");  // ranges are not served
      if (state_ == nullptr) return;
      for (const auto& [name, value] : state_->options.headers) {
        // Of two policies a browser keeps both: a page's own has to be the only one.
        if (!to.has_header(name)) to.set_header(name, value);
      }
    });
  }

  void Run() {
    if (service_.security != nullptr) state_ = service_.security->Current();
    if (state_ != nullptr && state_->tls != nullptr && !Secure()) return;
    const ServerOptions& options = service_.options;
    RequestReader reader(connection_, {options.idle_time, options.read_time});
    for (std::size_t left = kRequestsAConnection; left > 0; --left) {
      service_.table.Wait(socket_);
      RequestReader::Received received = reader.Next();
      if (service_.security != nullptr) state_ = service_.security->Current();
      if (received.refusal) return Refuse(received.refusal->status);
      if (!received.head) return;
      head_ = *std::move(received.head);
      const bool last = left == 1 || !head_.keep_alive;
      if (!Serve(received.begun, last) || last) break;
    }
    connection_.Finish(kUnwantedBytes, Clock::now() + kUnwantedTime);
  }

 private:
  // Only a client that has begun to speak is worth a handshake's memory.
  bool Secure() {
    const Time until = Clock::now() + service_.options.handshake_time;
    if (!connection_.AwaitBytes(until) || !service_.table.BeginHandshake(socket_, until)) {
      return false;
    }
    const std::string client = AddressOf(socket_);
    const Status done = connection_.Secure(state_->tls->Begin(socket_), until);
    service_.table.EndHandshake(socket_);
    // Whoever connects can bring this about, as often as they like: for those who look for it.
    if (!done) {
      service_.logger.Debug("A TLS handshake failed",
                            {{"client", client}, {"err", done.error().message}});
    }
    return done.ok();
  }

  void Refuse(int status) {
    const Time until = Clock::now() + kUnwantedTime;
    const Headers headers = state_ == nullptr ? Headers() : state_->options.headers;
    if (connection_.WriteAll(RefusalText(status, headers), until)) {
      connection_.Finish(kUnwantedBytes, until);
    }
  }

  bool Serve(Time begun, bool last) {
    until_ = Clock::now() + service_.options.write_time;
    if (const auto timeout = ScrapeTimeout(head_)) until_ = std::min(until_, begun + *timeout);
    std::string head = head_.method + " " + head_.target + " HTTP/1.1\r\n";
    if (last) head += "Connection: close\r\n";
    RequestStream stream(head + "\r\n", connection_, until_,
                         [this] { service_.table.Took(socket_); });
    bool closes = false;
    return process_request(stream, last, closes, nullptr);
  }

  Response Answer(const httplib::Request& from) {
    Request request;
    request.method = from.method;
    request.path = WithoutPrefix(from.path);
    for (const auto& [name, value] : from.params) request.query.emplace(name, value);
    request.fields = std::move(head_.fields);
    if (auto refusal = Refusal(request)) return *std::move(refusal);
    // Until what is made is counted as held.
    Line::Turn place(service_.places);
    const bool is_limited = service_.router.IsLimited(request);
    if (is_limited && !Await(place)) return Busy();
    service_.table.Work(socket_);
    Response response = service_.router.Handle(request);
    Pack(request, response, is_limited ? service_.limited_packer : service_.unlimited_packer);
    service_.table.Wait(socket_, response.body.get());
    return response;
  }

  [[nodiscard]] std::string WithoutPrefix(const std::string& path) const {
    const std::string& prefix = service_.options.path_prefix;
    if (prefix.empty() || !path.starts_with(prefix)) return path;
    const std::string rest = path.substr(prefix.size());
    if (rest.empty()) return "/";
    return rest.front() == '/' ? rest : path;
  }

  std::optional<Response> Refusal(const Request& request) {
    const auto& open = service_.options.open_paths;
    if (state_ == nullptr || std::ranges::find(open, request.path) != open.end()) {
      return std::nullopt;
    }
    return service_.security->Refuse(*state_, request, WaitsUntil(), [this](Line::Turn* turn) {
      service_.table.Stand(socket_, turn);
    });
  }

  // Those who wait are ended like others that wait where there is no room.
  bool Await(Line::Turn& place) {
    service_.table.Stand(socket_, &place);
    const bool has_place = place.Await("", WaitsUntil());
    service_.table.Stand(socket_, nullptr);
    return has_place;
  }

  // While there is time left to say that there was none.
  [[nodiscard]] Time WaitsUntil() const {
    const Time now = Clock::now();
    return now + (until_ - now) * 9 / 10;
  }

  static Response Busy() {
    Response response = Response::Text(503, "503 too many requests at once");
    response.fields.emplace_back("Retry-After", "1");
    return response;
  }

  static void Pack(const Request& request, Response& response, BodyPacker& packer) {
    if (response.body == nullptr || !IsWorthPacking(response.content_type, response.body->size())) {
      return;
    }
    response.fields.emplace_back("Vary", "Accept-Encoding");
    if (!AcceptsGzip(request.Field("accept-encoding"))) return;
    auto packed = packer.Pack(response.body);
    if (packed->empty()) return;
    response.body = std::move(packed);
    response.fields.emplace_back("Content-Encoding", "gzip");
  }

  void Log(const httplib::Request& from, httplib::Response& to, const std::exception_ptr& thrown) {
    std::string what = "unknown";
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
      what = exception.what();
    } catch (...) {
    }
    service_.logger.Error("A request could not be answered", {{"path", from.path}, {"err", what}});
    service_.table.Wait(socket_);
    Translate(Response::Text(500, "500 internal server error"), to);
  }

  Service& service_;
  const int socket_;
  Connection connection_;
  std::shared_ptr<const Security::State> state_;  // null: everyone may ask, in plain HTTP
  RequestHead head_;                              // of the request being served
  Time until_;                                    // its answer is of no use later
};

}  // namespace

void Converse(Service& service, int socket) { Conversation(service, socket).Run(); }

}  // namespace registry_backend::server
