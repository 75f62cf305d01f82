#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exporter/common/log.h"
#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/server/listen_address.h"
#include "exporter/server/router.h"
#include "exporter/server/security.h"

namespace registry_backend::server {

struct ServerOptions {
  std::vector<ListenAddress> addresses;
  std::size_t max_connections = 512;  // then the one ends that waits longest for its client
  std::size_t max_handshakes = 32;    // at once; likewise
  // Answers being made and compressed at once, not counting those that need next to nothing: each
  // may take megabytes, which count as held only when it is done. Others wait.
  std::size_t max_answers = 4;
  Duration handshake_time = std::chrono::seconds(5);
  Duration idle_time = std::chrono::seconds(5);    // until a request begins
  Duration read_time = std::chrono::seconds(10);   // from a request's first byte to its last
  Duration write_time = std::chrono::seconds(60);  // from there to the last byte of the answer
  std::vector<std::string> open_paths;             // need no password and have no rate limit
  // `/a/b`: what lies below it is found there too, as when a reverse proxy passes whole paths on.
  std::string path_prefix;
};

// Serves a Router over HTTP/1.1, plain or in TLS, with a thread for each connection. A client that
// is slow, silent or worse costs no more than one of a bounded number of those. A route that throws
// is answered with a bare 500 and logged.
class Server {
 public:
  // `security`: who may ask; null: everyone, without TLS.
  Server(ServerOptions options, Router router, Logger logger,
         std::unique_ptr<Security> security = nullptr);
  ~Server();  // as Stop
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds every address and serves. Error kInternal names the address that cannot be had; then
  // nothing is served.
  Status Start();

  // Ends open connections and waits for the threads. Once is enough; more do no harm.
  void Stop();

  // The addresses with the ports that were bound. Valid after Start.
  [[nodiscard]] const std::vector<ListenAddress>& addresses() const { return bound_; }

 private:
  class Core;

  const std::unique_ptr<Core> core_;
  std::vector<ListenAddress> bound_;
};

}  // namespace registry_backend::server
