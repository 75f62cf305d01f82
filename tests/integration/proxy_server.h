#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

struct ProxyServerOptions {
  std::string username = {};  // empty: anyone may use it
  std::string password = {};  // without `@`
};

// The packaged tinyproxy on a free port of 127.0.0.1, with its files in a directory of its own:
// forwards requests for http URLs and tunnels (CONNECT) to any port. Listens when the constructor
// returns; stopped by the destructor. Throws std::runtime_error with the server's output.
// Thread-compatible.
class ProxyServer {
 public:
  explicit ProxyServer(ProxyServerOptions options = {});

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string url() const { return "http://" + host(); }
  // With the credentials in it: `http://user:password@127.0.0.1:8888`.
  [[nodiscard]] std::string url_with_credentials() const;

  // What it was asked for, in order: `CONNECT registry.example.com:443`, `GET http://…`. Also what
  // it refused for want of credentials.
  [[nodiscard]] std::vector<std::string> Requests() const;
  // The hosts, without ports, that it connected to in order, one for each request let through.
  [[nodiscard]] std::vector<std::string> Connections() const;
  [[nodiscard]] std::string Log() const { return ReadFile(directory_ / "log"); }

 private:
  [[nodiscard]] std::unique_ptr<Subprocess> Start(std::uint16_t port) const;

  const ProxyServerOptions options_;
  const TempDir directory_{"proxy-server"};
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace registry_backend::testing
