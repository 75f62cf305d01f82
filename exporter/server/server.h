#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exporter/common/log.h"
#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/server/listen_address.h"
#include "exporter/server/router.h"

namespace registry_backend::server {

struct ServerOptions {
  std::vector<ListenAddress> addresses;
  Duration read_time = std::chrono::seconds(10);   // from a request's first byte to its last
  Duration write_time = std::chrono::seconds(60);  // from there to the last byte of the answer
};

// Serves a Router over HTTP/1.1 with threads of its own. A route that throws is answered with a
// bare 500 and logged.
class Server {
 public:
  Server(ServerOptions options, Router router, Logger logger);
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
  class Listener;

  const ServerOptions options_;
  const Router router_;
  const Logger logger_;
  std::vector<ListenAddress> bound_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace registry_backend::server
