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

// `auth: token` of the registry: whose tokens it takes. TokenServer::auth() says it.
struct TokenAuth {
  std::string realm = {};  // empty: tokens are not asked for
  std::string service = {};
  std::string issuer = {};
  std::filesystem::path root_certificates = {};  // PEM; of those that may sign tokens
};

// The cloudfront middleware, which signs URLs of `baseurl` in place of the S3 storage's own.
struct CloudFront {
  std::string baseurl = {};  // empty: none
  std::string key_pair_id = {};
  std::filesystem::path private_key = {};  // PEM, RSA, in the traditional form
};

struct DockerRegistryOptions {
  // Blobs are answered with a 307 to this URL plus the storage path. Empty: served directly.
  // Push before it is set (Restart sets it): a pushing client would follow the redirect of a blob
  // that is there already, and so leave this machine.
  std::string redirect_baseurl = {};
  std::string username = {};  // empty: anyone may push and pull
  std::string password = {};
  // Instead of a user name. Push before it is set (Restart sets it): the helpers that push and read
  // back send passwords, not tokens.
  TokenAuth token = {};
  CertificateFiles tls = {};  // empty: plain HTTP; else HTTPS with HTTP/2
  // A storage driver with its parameters, in YAML; SwiftServer has some. Empty: files in a
  // directory of its own.
  std::string storage = {};
  CloudFront cloudfront = {};
  // Whether blobs are answered with redirects to URLs that the storage signs. False: served
  // directly, for pushing.
  bool redirect_to_storage = true;
  std::string http_proxy = {};  // its way to a storage that is not on this machine
};

// The packaged docker-registry (CNCF distribution 2.8) on a free port of 127.0.0.1, with its files
// in a directory of its own. Answers /v2/ when the constructor returns; stopped by the destructor.
// Throws std::runtime_error with the server's output. Thread-compatible.
class DockerRegistry {
 public:
  explicit DockerRegistry(DockerRegistryOptions options = {});

  // Starts again on the same storage and port, with another baseurl: "the backend has changed".
  void Restart(std::string redirect_baseurl);
  // The same with other options altogether.
  void Restart(DockerRegistryOptions options);
  void Stop() { process_.reset(); }

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string url() const;
  [[nodiscard]] const DockerRegistryOptions& options() const { return options_; }
  // Credentials and trust for HttpGet and its kin.
  [[nodiscard]] HttpOptions http_options() const;
  // Access log lines since the latest start: `… "GET /v2/ HTTP/2.0" 200 …`.
  [[nodiscard]] std::string AccessLog() const { return process_ ? process_->Stdout() : ""; }

 private:
  [[nodiscard]] std::unique_ptr<Subprocess> Start(std::uint16_t port);
  [[nodiscard]] std::string Configuration(std::uint16_t port) const;

  DockerRegistryOptions options_;
  const TempDir directory_{"docker-registry"};
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;  // null: stopped
};

}  // namespace registry_backend::testing
