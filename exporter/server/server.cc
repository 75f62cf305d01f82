#include "exporter/server/server.h"

#include <httplib.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "exporter/server/connection.h"
#include "exporter/server/connection_table.h"
#include "exporter/server/gzip.h"
#include "exporter/server/line.h"
#include "exporter/server/listener.h"
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
// A thread's stack takes memory only as far as it is used; reading YAML that is nested uses most.
constexpr std::size_t kStackBytes = std::size_t{4} * 1024 * 1024;
// For everything else: what a scan has open, what is being saved, reports being sent. Where there
// are few at all, half of them.
constexpr std::size_t kOtherFiles = 512;

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

}  // namespace

// What all connections share.
class Server::Core {
 public:
  Core(ServerOptions options, Router router, Logger logger, std::unique_ptr<Security> security)
      : options_(std::move(options)),
        router_(std::move(router)),
        logger_(std::move(logger)),
        security_(std::move(security)),
        table_({.connections = options_.max_connections, .handshakes = options_.max_handshakes}),
        places_(options_.max_answers) {}

  Result<std::vector<ListenAddress>> Start();
  void Stop();

 private:
  class Conversation;
  struct Guest;

  void FitIntoFiles();
  void Take(int socket);
  void Serve(int socket);
  void Join(std::optional<pthread_t> next);
  static void* RunThread(void* guest);

  const ServerOptions options_;
  const Router router_;
  const Logger logger_;
  const std::unique_ptr<Security> security_;
  ConnectionTable table_;
  Line places_;
  BodyPacker limited_packer_;    // of answers that need a place
  BodyPacker unlimited_packer_;  // scrapes do not wait behind those
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::mutex mutex_;
  std::optional<pthread_t> ended_;  // guarded by mutex_: the thread to be joined next
};

// One client's requests and the answers. httplib takes targets apart and writes answers; what it
// would read too trustingly, it does not get to see.
class Server::Core::Conversation : private httplib::Server {
 public:
  Conversation(Core& core, int socket) : core_(core), socket_(socket), connection_(socket) {
    svr_sock_ = socket;  // else httplib takes itself for stopped
    set_keep_alive_max_count(kRequestsAConnection);
    set_keep_alive_timeout(
        std::chrono::duration_cast<std::chrono::seconds>(core.options_.idle_time).count());
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
    if (core_.security_ != nullptr) state_ = core_.security_->Current();
    if (state_ != nullptr && state_->tls != nullptr && !Secure()) return;
    const ServerOptions& options = core_.options_;
    RequestReader reader(connection_, {options.idle_time, options.read_time});
    for (std::size_t left = kRequestsAConnection; left > 0; --left) {
      core_.table_.Wait(socket_);
      RequestReader::Received received = reader.Next();
      if (core_.security_ != nullptr) state_ = core_.security_->Current();
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
    const Time until = Clock::now() + core_.options_.handshake_time;
    if (!connection_.AwaitBytes(until) || !core_.table_.BeginHandshake(socket_, until)) {
      return false;
    }
    const bool done = connection_.Secure(state_->tls->Begin(socket_), until);
    core_.table_.EndHandshake(socket_);
    return done;
  }

  void Refuse(int status) {
    const Time until = Clock::now() + kUnwantedTime;
    const Headers headers = state_ == nullptr ? Headers() : state_->options.headers;
    if (connection_.WriteAll(RefusalText(status, headers), until)) {
      connection_.Finish(kUnwantedBytes, until);
    }
  }

  bool Serve(Time begun, bool last) {
    until_ = Clock::now() + core_.options_.write_time;
    if (const auto timeout = ScrapeTimeout(head_)) until_ = std::min(until_, begun + *timeout);
    std::string head = head_.method + " " + head_.target + " HTTP/1.1\r\n";
    if (last) head += "Connection: close\r\n";
    RequestStream stream(head + "\r\n", connection_, until_,
                         [this] { core_.table_.Took(socket_); });
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
    Line::Turn place(core_.places_);
    const bool is_limited = core_.router_.IsLimited(request);
    if (is_limited && !Await(place)) return Busy();
    core_.table_.Work(socket_);
    Response response = core_.router_.Handle(request);
    Pack(request, response, is_limited ? core_.limited_packer_ : core_.unlimited_packer_);
    core_.table_.Wait(socket_, response.body.get());
    return response;
  }

  [[nodiscard]] std::string WithoutPrefix(const std::string& path) const {
    const std::string& prefix = core_.options_.path_prefix;
    if (prefix.empty() || !path.starts_with(prefix)) return path;
    const std::string rest = path.substr(prefix.size());
    if (rest.empty()) return "/";
    return rest.front() == '/' ? rest : path;
  }

  std::optional<Response> Refusal(const Request& request) {
    const auto& open = core_.options_.open_paths;
    if (state_ == nullptr || std::ranges::find(open, request.path) != open.end()) {
      return std::nullopt;
    }
    return core_.security_->Refuse(*state_, request, WaitsUntil(),
                                   [this](Line::Turn* turn) { core_.table_.Stand(socket_, turn); });
  }

  // Those who wait are ended like others that wait where there is no room.
  bool Await(Line::Turn& place) {
    core_.table_.Stand(socket_, &place);
    const bool has_place = place.Await("", WaitsUntil());
    core_.table_.Stand(socket_, nullptr);
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
    core_.logger_.Error("A request could not be answered", {{"path", from.path}, {"err", what}});
    core_.table_.Wait(socket_);
    Translate(Response::Text(500, "500 internal server error"), to);
  }

  Core& core_;
  const int socket_;
  Connection connection_;
  std::shared_ptr<const Security::State> state_;  // null: everyone may ask, in plain HTTP
  RequestHead head_;                              // of the request being served
  Time until_;                                    // its answer is of no use later
};

struct Server::Core::Guest {
  Core& core;
  int socket;
};

// Raises the limit of open files to what is needed, or serves fewer connections.
void Server::Core::FitIntoFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t wanted = options_.max_connections + kOtherFiles;
  files.rlim_cur = std::max(files.rlim_cur, std::min(wanted, files.rlim_max));
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  if (files.rlim_cur >= wanted) return;
  const std::size_t others = std::min<std::size_t>(kOtherFiles, files.rlim_cur / 2);
  const std::size_t most = std::max<std::size_t>(1, files.rlim_cur - others);
  if (most >= options_.max_connections) return;
  table_.Limit(most);
  logger_.Warn(
      "Few files may be open, so fewer connections are served",
      {{"files", files.rlim_cur}, {"connections", most}, {"wanted", options_.max_connections}});
}

Result<std::vector<ListenAddress>> Server::Core::Start() {
  FitIntoFiles();
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<ListenAddress> bound;
  for (const ListenAddress& address : options_.addresses) {
    Result<std::unique_ptr<Listener>> listener = Listener::Bind(address);
    if (!listener) return listener.error();
    bound.push_back((*listener)->address());
    listeners.push_back(*std::move(listener));
  }
  listeners_ = std::move(listeners);
  for (const auto& listener : listeners_) {
    listener->Begin([this](int socket) { Take(socket); }, [this] { table_.MakeRoom(); });
  }
  return bound;
}

void Server::Core::Stop() {
  table_.Close();
  for (const auto& listener : listeners_) listener->Stop();
  if (security_ != nullptr) security_->Stop();
  places_.Close();
  table_.AwaitEmpty();
  Join(std::nullopt);
}

// Each thread that ends waits for the one that ended before it, so that none is left behind.
void Server::Core::Join(std::optional<pthread_t> next) {
  std::optional<pthread_t> ended;
  {
    const std::lock_guard lock(mutex_);
    ended = std::exchange(ended_, next);
  }
  if (ended) pthread_join(*ended, nullptr);
}

// Called by a listener's thread.
void Server::Core::Take(int socket) {
  if (!table_.Enter(socket)) {
    ::close(socket);
    return;
  }
  auto guest = std::make_unique<Guest>(Guest{*this, socket});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread{};
  const bool runs = pthread_create(&thread, &attributes, &Core::RunThread, guest.get()) == 0;
  pthread_attr_destroy(&attributes);
  if (runs) {
    static_cast<void>(guest.release());  // the thread's now
    return;
  }
  table_.Leave(socket);
  ::close(socket);
}

void* Server::Core::RunThread(void* guest) {
  const std::unique_ptr<Guest> mine(static_cast<Guest*>(guest));
  mine->core.Serve(mine->socket);
  return nullptr;
}

void Server::Core::Serve(int socket) {
  try {
    Conversation(*this, socket).Run();
  } catch (const std::exception& exception) {
    logger_.Error("A connection could not be served", {{"err", exception.what()}});
  }
  Join(pthread_self());
  // What waits for the last one to leave is Stop, which joins this thread before it returns.
  const bool gives_back = table_.Leave(socket);
  ::close(socket);
  if (gives_back) malloc_trim(0);
}

Server::Server(ServerOptions options, Router router, Logger logger,
               std::unique_ptr<Security> security)
    : core_(std::make_unique<Core>(std::move(options), std::move(router), std::move(logger),
                                   std::move(security))) {}

Server::~Server() { Stop(); }

Status Server::Start() {
  Result<std::vector<ListenAddress>> bound = core_->Start();
  if (!bound) return bound.error();
  bound_ = *std::move(bound);
  return Ok();
}

void Server::Stop() { core_->Stop(); }

}  // namespace registry_backend::server
