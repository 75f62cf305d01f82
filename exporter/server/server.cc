#include "exporter/server/server.h"

#include <httplib.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "exporter/common/time.h"

namespace registry_backend::server {
namespace {

constexpr int kBacklog = 511;
constexpr std::size_t kThreads = 32;
constexpr std::size_t kMaxBodyBytes = std::size_t{64} * 1024;
constexpr time_t kKeepAliveSeconds = 5;
constexpr std::size_t kRequestsAConnection = 1000;
constexpr std::size_t kPieceBytes = std::size_t{16} * 1024;
constexpr std::size_t kMaxHeadBytes = std::size_t{64} * 1024;

// One client's bytes, without httplib's own stream: that one waits anew for every byte, so that a
// slow client would hold its thread, and Stop, for as long as it likes.
class Connection final : public httplib::Stream {
 public:
  Connection(socket_t socket, const ServerOptions& options) : socket_(socket), options_(options) {}

  // Waits until a request begins; false: none will.
  bool AwaitRequest() {
    const Time now = Clock::now();
    if (unread_.empty() && !Wait(POLLIN, now + std::chrono::seconds(kKeepAliveSeconds))) {
      return false;
    }
    read_until_ = Clock::now() + options_.read_time;
    write_until_ = read_until_ + options_.write_time;
    may_read_ = kMaxHeadBytes;
    return true;
  }

  // Whether a request ended before its end: what comes next may be the rest of it.
  [[nodiscard]] bool broken() const { return broken_; }

  // The request's fields are all there; httplib itself bounds its body.
  void EndHead() { may_read_ = std::numeric_limits<std::size_t>::max(); }

  bool is_readable() const override { return !unread_.empty() || Wait(POLLIN, read_until_); }
  bool is_writable() const override { return Wait(POLLOUT, write_until_); }

  ssize_t read(char* to, std::size_t size) override {
    if (unread_.empty()) {
      const ssize_t got = Wait(POLLIN, read_until_)
                              ? recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT)
                              : -1;
      if (got <= 0) {
        broken_ = true;
        return got;
      }
      unread_ = {buffer_.data(), static_cast<std::size_t>(got)};
    }
    const std::size_t count = std::min({size, unread_.size(), may_read_});
    if (count == 0) {
      broken_ = true;
      return -1;
    }
    std::memcpy(to, unread_.data(), count);
    unread_.remove_prefix(count);
    may_read_ -= count;
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* from, std::size_t size) override {
    if (!Wait(POLLOUT, write_until_)) return -1;
    return send(socket_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_; }

 private:
  // Until the socket is ready, or closed, which reading or writing will tell.
  [[nodiscard]] bool Wait(short event, Time until) const {
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) return false;
      pollfd waiting{socket_, event, 0};
      const int ready = poll(&waiting, 1, static_cast<int>(left));
      if (ready >= 0 || errno != EINTR) return ready > 0;
    }
  }

  const socket_t socket_;
  const ServerOptions& options_;
  std::array<char, 4096> buffer_{};
  std::string_view unread_;  // in buffer_
  std::size_t may_read_ = 0;
  bool broken_ = false;
  Time read_until_;
  Time write_until_;
};

// Makes the request one that httplib reads as it is meant. False: where it ends is not certain, so
// the connection cannot serve another one.
bool Prepare(httplib::Request& request) {
  // Ranges need not be served (RFC 9110 §14.2), and httplib would cut the body of a 200.
  request.ranges.clear();
  const bool encoded =  // refused, its body unread
      request.has_header("Transfer-Encoding") || request.has_header("Content-Encoding");
  const std::size_t lengths = request.get_header_value_count("Content-Length");
  if (lengths == 0 && !encoded) {
    request.set_header("Content-Length", "0");  // RFC 9112 §6.3; httplib would read on
    return true;
  }
  const std::string length = request.get_header_value("Content-Length");
  const bool is_number =
      !length.empty() && length.find_first_not_of("0123456789") == std::string::npos;
  const bool is_read = request.method != "GET" && request.method != "HEAD" &&
                       request.method != "OPTIONS";  // httplib leaves their bodies lying
  return lengths == 1 && !encoded && is_number && (is_read || length == "0");
}

bool HasNoBodyToRead(const httplib::Request& request) {
  return request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS" ||
         request.get_header_value("Content-Length") == "0";
}

Request Translate(const httplib::Request& from) {
  Request request;
  request.method = from.method;
  request.path = from.path;
  for (const auto& [name, value] : from.params) request.query.emplace(name, value);
  for (const auto& [name, value] : from.headers) request.fields.emplace_back(name, value);
  return request;
}

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

}  // namespace

// One address: a cpp-httplib server and the thread that accepts for it.
class Server::Listener : private httplib::Server {
 public:
  Listener(const ServerOptions& options, const Router& router, const Logger& logger)
      : options_(options), logger_(logger) {
    new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    set_tcp_nodelay(true);
    set_keep_alive_timeout(kKeepAliveSeconds);
    set_keep_alive_max_count(kRequestsAConnection);
    set_payload_max_length(kMaxBodyBytes);
    // Without SO_REUSEPORT, which httplib sets: a second process must not share the port unseen.
    set_socket_options([](socket_t socket) {
      const int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    const auto handle = [&router](const httplib::Request& request, httplib::Response& response) {
      Translate(router.Handle(Translate(request)), response);
    };
    set_pre_routing_handler([handle](const httplib::Request& request, httplib::Response& response) {
      // httplib bounds neither a chunked body nor what is unpacked from a compressed one.
      if (request.has_header("Transfer-Encoding")) {
        Translate(Response::Text(411, "411 length required"), response);
      } else if (request.has_header("Content-Encoding")) {
        Translate(Response::Text(415, "415 unsupported media type"), response);
      } else if (HasNoBodyToRead(request)) {
        handle(request, response);
      } else {
        return HandlerResponse::Unhandled;  // httplib reads the body, then calls one of those below
      }
      return HandlerResponse::Handled;
    });
    const std::string any = "[^]*";
    Post(any, handle);
    Put(any, handle);
    Patch(any, handle);
    Delete(any, handle);
    set_exception_handler([&logger](const httplib::Request& request, httplib::Response& response,
                                    const std::exception_ptr& thrown) {
      std::string what = "unknown";
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& exception) {
        what = exception.what();
      } catch (...) {
      }
      logger.Error("A request could not be answered", {{"path", request.path}, {"err", what}});
      Translate(Response::Text(500, "500 internal server error"), response);
    });
  }

  ~Listener() override {
    Close();
    Join();
    if (!begun_ && svr_sock_ != INVALID_SOCKET) ::close(svr_sock_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The port bound, or the error.
  Result<ListenAddress> Bind(const ListenAddress& wanted) {
    const auto failure = [&wanted](const char* why) {
      return Error{ErrorKind::kInternal, "cannot listen on " + wanted.text() + ": " + why};
    };
    if (!wanted.host.empty()) {
      addrinfo* found = nullptr;
      const int fault = getaddrinfo(wanted.host.c_str(), nullptr, nullptr, &found);
      if (fault != 0) return failure(gai_strerror(fault));
      freeaddrinfo(found);
    }
    ListenAddress bound = wanted;
    int port = -1;
    if (wanted.host.empty()) {
      port = BindTo("::", wanted.port);  // serves IPv4 too
      if (port < 0) port = BindTo("0.0.0.0", wanted.port);
    } else {
      port = BindTo(wanted.host, wanted.port);
    }
    if (port < 0) return failure(std::strerror(errno));
    ::listen(svr_sock_, kBacklog);  // again: httplib asks for a backlog of 5
    bound.port = static_cast<std::uint16_t>(port);
    return bound;
  }

  void Begin() {
    begun_ = true;
    thread_ = std::thread([this] {
      if (!listen_after_bind()) logger_.Error("An address is no longer listened on");
      ended_ = true;
    });
  }

  // Accepts no more and ends what is open. Join then waits for routes only, not for clients.
  void Close() {
    if (!thread_.joinable()) return;
    while (!is_running() && !ended_) std::this_thread::yield();
    stop();
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const socket_t socket : open_) ::shutdown(socket, SHUT_RDWR);
  }

  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  int BindTo(const std::string& host, int port) {
    if (port == 0) return bind_to_any_port(host);
    return bind_to_port(host, port) ? port : -1;
  }

  // Called by httplib in a thread of its pool.
  bool process_and_close_socket(socket_t socket) override {
    if (Open(socket)) Serve(socket);
    const std::lock_guard lock(mutex_);
    open_.erase(socket);
    ::shutdown(socket, SHUT_RDWR);
    return ::close(socket) == 0;
  }

  bool Open(socket_t socket) {
    const std::lock_guard lock(mutex_);
    if (!closing_) open_.insert(socket);
    return !closing_;
  }

  void Serve(socket_t socket) {
    Connection connection(socket, options_);
    bool last = false;
    for (std::size_t left = kRequestsAConnection; !last && left > 0; --left) {
      if (!connection.AwaitRequest()) return;
      bool in_order = false;  // stays so where httplib cannot make out a request
      const bool answered =
          process_request(connection, left == 1, last, [&](httplib::Request& request) {
            connection.EndHead();
            in_order = Prepare(request);
          });
      last = last || !answered || !in_order || connection.broken();
    }
  }

  const ServerOptions& options_;
  const Logger& logger_;
  bool begun_ = false;
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;
  std::set<socket_t> open_;  // guarded by mutex_
  bool closing_ = false;     // guarded by mutex_
  std::thread thread_;
};

Server::Server(ServerOptions options, Router router, Logger logger)
    : options_(std::move(options)), router_(std::move(router)), logger_(std::move(logger)) {}

Server::~Server() { Stop(); }

Status Server::Start() {
  for (const ListenAddress& address : options_.addresses) {
    auto listener = std::make_unique<Listener>(options_, router_, logger_);
    Result<ListenAddress> bound = listener->Bind(address);
    if (!bound) {
      listeners_.clear();
      bound_.clear();
      return bound.error();
    }
    bound_.push_back(*std::move(bound));
    listeners_.push_back(std::move(listener));
  }
  for (const auto& listener : listeners_) listener->Begin();
  return Ok();
}

void Server::Stop() {
  for (const auto& listener : listeners_) listener->Close();
  for (const auto& listener : listeners_) listener->Join();
}

}  // namespace registry_backend::server
