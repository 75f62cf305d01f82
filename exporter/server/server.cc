#include "exporter/server/server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace registry_backend::server {
namespace {

constexpr int kBacklog = 511;
constexpr std::size_t kThreads = 32;
constexpr std::size_t kMaxBodyBytes = std::size_t{64} * 1024;
constexpr time_t kKeepAliveSeconds = 5;
constexpr std::size_t kRequestsAConnection = 1000;

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
  Listener(const Router& router, const Logger& logger) {
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
    const std::string any = "[^]*";
    Get(any, handle);
    Options(any, handle);
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

  ~Listener() override { End(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The port bound, or the error.
  Result<ListenAddress> Bind(const ListenAddress& wanted) {
    ListenAddress bound = wanted;
    int port = -1;
    if (wanted.host.empty()) {
      port = BindTo("::", wanted.port);  // serves IPv4 too
      if (port < 0) port = BindTo("0.0.0.0", wanted.port);
    } else {
      port = BindTo(wanted.host, wanted.port);
    }
    if (port < 0) {
      return Error{ErrorKind::kInternal,
                   "cannot listen on " + wanted.text() + ": " + std::strerror(errno)};
    }
    ::listen(svr_sock_, kBacklog);  // again: httplib asks for a backlog of 5
    bound.port = static_cast<std::uint16_t>(port);
    return bound;
  }

  void Begin() {
    thread_ = std::thread([this] { listen_after_bind(); });
  }

  void End() {
    if (!thread_.joinable()) return;
    while (!is_running() && svr_sock_ != INVALID_SOCKET) std::this_thread::yield();
    stop();
    thread_.join();
  }

 private:
  int BindTo(const std::string& host, int port) {
    if (port == 0) return bind_to_any_port(host);
    return bind_to_port(host, port) ? port : -1;
  }

  std::thread thread_;
};

Server::Server(ServerOptions options, Router router, Logger logger)
    : options_(std::move(options)), router_(std::move(router)), logger_(std::move(logger)) {}

Server::~Server() { Stop(); }

Status Server::Start() {
  for (const ListenAddress& address : options_.addresses) {
    auto listener = std::make_unique<Listener>(router_, logger_);
    Result<ListenAddress> bound = listener->Bind(address);
    if (!bound) {
      listeners_.clear();
      return bound.error();
    }
    bound_.push_back(*std::move(bound));
    listeners_.push_back(std::move(listener));
  }
  for (const auto& listener : listeners_) listener->Begin();
  return Ok();
}

void Server::Stop() {
  for (const auto& listener : listeners_) listener->End();
}

}  // namespace registry_backend::server
