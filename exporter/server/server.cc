#include "exporter/server/server.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "exporter/server/conversation.h"
#include "exporter/server/listener.h"

namespace registry_backend::server {
namespace {

// A thread's stack takes memory only as far as it is used; reading YAML that is nested uses most.
constexpr std::size_t kStackBytes = std::size_t{4} * 1024 * 1024;
// For everything else: what a scan has open, what is being saved, reports being sent. Where there
// are few at all, half of them.
constexpr std::size_t kOtherFiles = 512;

}  // namespace

// Who listens, and a thread for each who comes.
class Server::Core {
 public:
  Core(ServerOptions options, Router router, Logger logger, std::unique_ptr<Security> security)
      : service_{.options = std::move(options),
                 .router = std::move(router),
                 .logger = std::move(logger),
                 .security = std::move(security)} {}

  Result<std::vector<ListenAddress>> Start();
  void Stop();

 private:
  struct Guest;

  void FitIntoFiles();
  void Take(int socket);
  void Serve(int socket);
  void Join(std::optional<pthread_t> next);
  static void* RunThread(void* guest);

  Service service_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::mutex mutex_;
  std::optional<pthread_t> ended_;  // guarded by mutex_: the thread to be joined next
};

struct Server::Core::Guest {
  Core& core;
  int socket;
};

// Raises the limit of open files to what is needed, or serves fewer connections.
void Server::Core::FitIntoFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t wanted = service_.options.max_connections + kOtherFiles;
  files.rlim_cur = std::max(files.rlim_cur, std::min(wanted, files.rlim_max));
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  if (files.rlim_cur >= wanted) return;
  const std::size_t others = std::min<std::size_t>(kOtherFiles, files.rlim_cur / 2);
  const std::size_t most = std::max<std::size_t>(1, files.rlim_cur - others);
  if (most >= service_.options.max_connections) return;
  service_.table.Limit(most);
  service_.logger.Warn("Few files may be open, so fewer connections are served",
                       {{"files", files.rlim_cur},
                        {"connections", most},
                        {"wanted", service_.options.max_connections}});
}

Result<std::vector<ListenAddress>> Server::Core::Start() {
  FitIntoFiles();
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<ListenAddress> bound;
  for (const ListenAddress& address : service_.options.addresses) {
    Result<std::unique_ptr<Listener>> listener = Listener::Bind(address);
    if (!listener) return listener.error();
    bound.push_back((*listener)->address());
    listeners.push_back(*std::move(listener));
  }
  listeners_ = std::move(listeners);
  for (const auto& listener : listeners_) {
    listener->Begin([this](int socket) { Take(socket); }, [this] { service_.table.MakeRoom(); });
  }
  return bound;
}

void Server::Core::Stop() {
  service_.table.Close();
  for (const auto& listener : listeners_) listener->Stop();
  if (service_.security != nullptr) service_.security->Stop();
  service_.places.Close();
  service_.table.AwaitEmpty();
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
  if (!service_.table.Enter(socket)) {
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
  service_.table.Leave(socket);
  ::close(socket);
}

void* Server::Core::RunThread(void* guest) {
  const std::unique_ptr<Guest> mine(static_cast<Guest*>(guest));
  mine->core.Serve(mine->socket);
  return nullptr;
}

void Server::Core::Serve(int socket) {
  try {
    Converse(service_, socket);
  } catch (const std::exception& exception) {
    service_.logger.Error("A connection could not be served", {{"err", exception.what()}});
  }
  Join(pthread_self());
  // What waits for the last one to leave is Stop, which joins this thread before it returns.
  const bool gives_back = service_.table.Leave(socket);
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
