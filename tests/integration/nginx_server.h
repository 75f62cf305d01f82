#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/integration/self_signed.h"
#include "tests/support/http_get.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

struct NginxOptions {
  // Neither TLS nor HTTP/2. Such a server may be a client's proxy for http URLs: whatever host they
  // name, the upstream is asked.
  bool plain_http = false;
  // Clients are sent on to the upstream (307) instead of being answered for it.
  bool redirects = false;
  CertificateFiles tls = {};  // empty: a certificate of its own
  // PEM; clients must show a certificate of one of these authorities. Empty: they need none.
  std::filesystem::path client_authorities = {};
};

// The packaged nginx on a free port of 127.0.0.1 that puts TLS and HTTP/2 before a server that has
// neither, with its files in a directory of its own: one process, which keeps its connections to
// the upstream. The upstream is told the client's Host and, in X-Forwarded-Proto, its scheme.
// Listens when the constructor returns; stopped by the destructor. Throws std::runtime_error with
// the server's output. Thread-compatible.
class NginxServer {
 public:
  // `upstream` is host:port of an http server.
  explicit NginxServer(std::string upstream, NginxOptions options = {});

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string url() const {
    return (options_.plain_http ? "http://" : "https://") + host();
  }
  [[nodiscard]] const CertificateFiles& tls() const { return options_.tls; }
  // Trust for HttpGet, which speaks HTTP/1.1.
  [[nodiscard]] HttpOptions http_options() const { return {.ca_file = options_.tls.certificate}; }
  // A line for each request that has ended: `HTTP/2.0 GET /v2/ 200`. A client may have its answer
  // before the line is there.
  [[nodiscard]] std::string AccessLog() const { return ReadFile(directory_ / "access.log"); }
  // Likewise, a line for each request with the names the client gave: its Host field, and the name
  // it asked a certificate for (SNI; `-` for none).
  [[nodiscard]] std::string NamesLog() const { return ReadFile(directory_ / "names.log"); }

 private:
  [[nodiscard]] std::unique_ptr<Subprocess> Start(std::uint16_t port) const;
  [[nodiscard]] std::string Configuration(std::uint16_t port) const;

  const std::string upstream_;
  const TempDir directory_{"nginx-server"};
  const NginxOptions options_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace registry_backend::testing
