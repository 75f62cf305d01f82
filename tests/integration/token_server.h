#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "tests/integration/docker_registry.h"
#include "tests/integration/self_signed.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

struct TokenServerOptions {
  std::string username = {};  // empty: anyone is given tokens
  std::string password = {};
  // For how long the registry takes a token: so many seconds and less than one more.
  std::chrono::seconds lifetime{300};
  std::optional<int> expires_in = {};  // announced, in seconds; empty: the lifetime
  CertificateFiles tls = {};           // empty: a certificate of its own
};

// The https token service of a registry, on a free port of 127.0.0.1. `GET
// /token?service=…&scope=…` with Basic credentials is answered by `{"token": …, "expires_in": …}`;
// the token (a JWT, RS256 with x5c) grants all that was asked for. Serves from construction to
// destruction, in threads of its own. Throws std::runtime_error. Thread-safe.
class TokenServer {
 public:
  explicit TokenServer(TokenServerOptions options = {});
  ~TokenServer();
  TokenServer(const TokenServer&) = delete;
  TokenServer& operator=(const TokenServer&) = delete;

  [[nodiscard]] TokenAuth auth() const;  // for DockerRegistryOptions
  // Credentials and trust for HttpGet: of this server, not of the registry.
  [[nodiscard]] HttpOptions http_options() const;
  // Tokens given so far, and requests for one that were not granted.
  [[nodiscard]] int given() const;
  [[nodiscard]] int refused() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace registry_backend::testing
