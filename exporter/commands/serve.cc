#include "exporter/commands/serve.h"

#include <malloc.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "exporter/commands/build.h"
#include "exporter/commands/environment.h"
#include "exporter/commands/exit_code.h"
#include "exporter/config/config.h"
#include "exporter/config/show.h"
#include "exporter/config/web_config.h"
#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "exporter/metrics/http_metrics.h"
#include "exporter/monitor/monitor.h"
#include "exporter/monitor/worker.h"
#include "exporter/server/server.h"
#include "exporter/storage/storage.h"
#include "exporter/url/url.h"
#include "exporter/web/routes.h"

namespace registry_backend {
namespace {

Result<Config> LoadTargets(const ServeCommand& command) {
  if (!command.config_file.empty())
    return LoadConfig(command.config_file, ProxiesFromEnvironment());
  Result<CredentialsSource> credentials = CredentialsFromEnvironment();
  if (!credentials) return credentials.error();
  TargetOptions target = DefaultTarget(*std::move(credentials));
  ConnectionOptions connection;
  if (Status set = SetProxies(ProxiesFromEnvironment(), connection); !set) return set.error();
  target.registry.connection = std::make_shared<const ConnectionOptions>(std::move(connection));
  return Config{{std::move(target)}, {}};
}

// Those of this process's shard.
Result<Config> LoadShard(const ServeCommand& command, const Logger& logger) {
  Result<Config> config = LoadTargets(command);
  if (!config) return config;
  for (const std::string& warning : config->warnings) {
    logger.Warn("Configured dangerously", {{"what", warning}});
  }
  if (command.shard.total == 1) return config;
  const std::size_t all = config->targets.size();
  std::erase_if(config->targets, [&command](const TargetOptions& target) {
    return ShardOf(target, command.shard.total) != command.shard.index;
  });
  logger.Info("Scans a part of the targets", {{"shard", command.shard.index},
                                              {"shards", command.shard.total},
                                              {"targets", config->targets.size()},
                                              {"of", all}});
  return config;
}

// Reads the configuration anew: a bad one keeps the old one. Thread-safe.
class Reloader {
 public:
  // `text`: of the configuration in use.
  Reloader(const ServeCommand& command, std::string text, Monitor& monitor, Logger logger)
      : command_(command), monitor_(monitor), logger_(std::move(logger)), text_(std::move(text)) {}

  Status Reload() {
    const Turn turn(*this);
    if (!turn.is_ours()) return Error{ErrorKind::kInternal, "other reloads are under way"};
    Result<Config> config = LoadShard(command_, logger_);
    std::string text = config ? ShowConfig(config->targets) : "";
    Status status = config ? monitor_.Reload(std::move(config->targets)) : config.error();
    const std::lock_guard lock(mutex_);
    state_.successful = status.ok();
    if (!status) {
      logger_.Error("Configuration is not reloaded; the old one is kept",
                    {{"err", status.error().message}});
      return status;
    }
    state_.last_success = WallClock::now();
    text_ = std::move(text);
    logger_.Info("Configuration reloaded", {{"file", command_.config_file}});
    return status;
  }

  // The same in a thread of its own. Once is enough for those that are asked for before it begins.
  void ReloadLater() {
    if (is_asked_.exchange(true)) return;
    worker_.Post([this] {
      is_asked_ = false;
      static_cast<void>(Reload());  // it has logged what came of it
    });
  }

  [[nodiscard]] ReloadState state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  static constexpr std::chrono::seconds kQueueTime{10};

  // One reload at a time; the others wait for some time. (Not a std::timed_mutex: the thread
  // sanitizer does not know how that is locked.)
  class Turn {
   public:
    explicit Turn(Reloader& reloader) : reloader_(reloader) {
      std::unique_lock lock(reloader.mutex_);
      is_ours_ =
          reloader.ended_.wait_for(lock, kQueueTime, [&] { return !reloader.is_reloading_; });
      if (is_ours_) reloader.is_reloading_ = true;
    }
    ~Turn() {
      if (!is_ours_) return;
      {
        const std::lock_guard lock(reloader_.mutex_);
        reloader_.is_reloading_ = false;
      }
      reloader_.ended_.notify_one();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    [[nodiscard]] bool is_ours() const { return is_ours_; }

   private:
    Reloader& reloader_;
    bool is_ours_;
  };

  const ServeCommand& command_;
  Monitor& monitor_;
  const Logger logger_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool is_reloading_ = false;                  // guarded by mutex_
  ReloadState state_{true, WallClock::now()};  // guarded by mutex_
  std::string text_;                           // guarded by mutex_
  std::atomic<bool> is_asked_ = false;
  Worker worker_;  // last: its tasks use the others
};

// Ends the program if it has not ended by itself in time: a disk or a mount that does not answer
// keeps whoever waits for it for ever. What is saved is whole at any instant.
class Deadline {
 public:
  explicit Deadline(Logger logger) : logger_(std::move(logger)) {}

  void Begin() {
    thread_ = std::jthread([this](const std::stop_token& token) {
      std::unique_lock lock(mutex_);
      ended_.wait_for(lock, token, kStopTime, [] { return false; });
      if (token.stop_requested()) return;
      logger_.Error("Stopped without waiting any longer for what does not answer");
      std::_Exit(kExitFailed);
    });
  }

 private:
  static constexpr std::chrono::milliseconds kStopTime{4500};

  const Logger logger_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;
};

// `https://host[:port][/path]`.
Status SetExternalUrl(const std::string& text, WebOptions& options) {
  if (text.empty()) return Ok();
  const Result<Url> url = Url::Parse(text);
  const auto wrong = [](const std::string& what) {
    return Error{ErrorKind::kInternal, "--web.external-url: " + what};
  };
  if (!url) return wrong(url.error().message);
  if (url->has_userinfo() || !url->query().empty() || url->path().find('%') != std::string::npos) {
    return wrong(url->shown() + " has more than a scheme, a host, a port and a plain path");
  }
  options.external_host = url->host().text();
  options.path_prefix = url->path();
  while (options.path_prefix.ends_with('/')) options.path_prefix.pop_back();
  return Ok();
}

Result<server::ServerOptions> ReadServerOptions(const ServeCommand& command,
                                                const WebOptions& web) {
  server::ServerOptions options;
  options.path_prefix = web.path_prefix;
  options.max_connections = command.max_connections;
  options.open_paths = {"/-/healthy", "/-/ready"};
  for (const std::string& text : command.listen_addresses) {
    Result<server::ListenAddress> address = server::ParseListenAddress(text);
    if (!address) return address.error();
    options.addresses.push_back(*std::move(address));
  }
  return options;
}

// Null: everyone may ask.
Result<std::unique_ptr<server::Security>> OpenSecurity(const ServeCommand& command,
                                                       const Logger& logger) {
  const std::string& path = command.web_config_file;
  if (path.empty()) return std::unique_ptr<server::Security>();
  return server::Security::Open(
      path, [path] { return LoadWebConfig(path); }, logger);
}

Status CheckShard(const ShardOptions& shard) {
  if (shard.index < shard.total) return Ok();
  return Error{ErrorKind::kInternal, "--shard.index is " + std::to_string(shard.index) +
                                         ", which is not below --shard.total, " +
                                         std::to_string(shard.total)};
}

// Takes the signals meant for the program away from this thread and all it starts, so that Wait
// gets them.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error as a full disk is
  }

  // Returns with the name of the one that ends the program; calls `reload` for each SIGHUP.
  [[nodiscard]] std::string_view WaitForEnd(const std::function<void()>& reload) const {
    while (true) {
      int signal = 0;
      sigwait(&set_, &signal);
      if (signal != SIGHUP) return signal == SIGTERM ? "SIGTERM" : "SIGINT";
      reload();
    }
  }

 private:
  sigset_t set_;
};

}  // namespace

int RunServe(const ServeCommand& command) {
  // Each arena keeps freed memory to itself; with one for every core times eight, memory after many
  // connections would stay far above what is in use.
  mallopt(M_ARENA_MAX, 2);
  const Logger logger(command.log_level, command.log_format);
  WebOptions web = command.web;
  const Status external_url = SetExternalUrl(command.external_url, web);
  const Status shard = CheckShard(command.shard);
  Result<Config> config = shard ? LoadShard(command, logger) : shard.error();
  Result<server::ServerOptions> options = ReadServerOptions(command, web);
  Result<std::unique_ptr<server::Security>> security = OpenSecurity(command, logger);
  for (const Error* error :
       {config ? nullptr : &config.error(), options ? nullptr : &options.error(),
        external_url ? nullptr : &external_url.error(), security ? nullptr : &security.error()}) {
    if (error == nullptr) continue;
    logger.Error("Not usable as configured", {{"err", error->message}});
    return kExitUsage;
  }
  if (command.check_only) {
    const std::size_t targets = config->targets.size();
    std::printf(
        "%s is valid: %zu %s\n",
        command.config_file.empty() ? "the default configuration" : command.config_file.c_str(),
        targets, targets == 1 ? "target" : "targets");
    return kExitComplete;
  }

  Deadline deadline(logger);
  Result<Storage> storage = Storage::Open(command.storage_path);
  if (!storage) {
    logger.Error("Storage cannot be used", {{"err", storage.error().message}});
    return kExitFailed;
  }

  const Signals signals;
  const BuildInfo build = ThisBuild();
  HttpMetrics http_metrics;
  CurlTransport transport({"registry_backend_exporter/" + build.version}, &http_metrics);
  NetworkLoop loop(transport);
  Pacer pacer;
  std::string text = ShowConfig(config->targets);
  Monitor monitor({loop, transport, pacer, &http_metrics}, *std::move(storage),
                  std::move(config->targets), logger);
  Reloader reloader(command, std::move(text), monitor, logger);
  const ConfigurationAccess configuration{[&reloader] { return reloader.Reload(); },
                                          [&reloader] { return reloader.state(); },
                                          [&reloader] { return reloader.text(); }};
  Result<server::Router> router = MakeRouter(web, build, monitor, http_metrics, configuration);
  if (!router) {
    logger.Error("Not usable as configured", {{"err", router.error().message}});
    return kExitUsage;
  }
  server::Server server(*std::move(options), *std::move(router), logger, *std::move(security));
  if (const Status started = server.Start(); !started) {
    logger.Error("Cannot serve", {{"err", started.error().message}});
    return kExitFailed;
  }
  for (const server::ListenAddress& address : server.addresses()) {
    logger.Info("Listening", {{"address", address.text()}, {"version", build.version}});
  }
  monitor.Start();
  std::thread network([&loop] { loop.Run(); });
  logger.Info("Stopping",
              {{"signal", signals.WaitForEnd([&reloader] { reloader.ReloadLater(); })}});
  deadline.Begin();
  monitor.Stop();
  loop.Stop();
  network.join();
  server.Stop();
  return kExitComplete;
}

}  // namespace registry_backend
