#include "tests/integration/nginx_server.h"

#include <utility>

#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"

namespace registry_backend::testing {
namespace {

// One process: it stays whoever started it, and so may use the test's directory.
constexpr char kMain[] = R"(daemon off;
master_process off;
error_log stderr notice;
events { worker_connections 1024; }
)";

// Limits beyond what tests and benchmarks ask on one connection.
constexpr char kServer[] = R"(    keepalive_requests 1000000;
    client_max_body_size 0;
    location / {
      proxy_pass http://upstream_of_the_test;
      proxy_http_version 1.1;
      proxy_redirect off;
      proxy_buffer_size 16k;
      proxy_buffers 8 16k;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
)";

NginxOptions WithCertificate(NginxOptions options, const std::filesystem::path& directory) {
  if (options.plain_http) return options;
  if (options.tls.certificate.empty()) options.tls = MakeSelfSigned(directory);
  return options;
}

std::string TlsDirectives(const NginxOptions& options) {
  std::string text = "    http2_max_concurrent_streams 256;\n";
  text += "    ssl_certificate " + options.tls.certificate.string() + ";\n";
  text += "    ssl_certificate_key " + options.tls.key.string() + ";\n";
  if (!options.client_authorities.empty()) {
    text += "    ssl_client_certificate " + options.client_authorities.string() + ";\n";
    text += "    ssl_verify_client on;\n";
  }
  return text;
}

}  // namespace

NginxServer::NginxServer(std::string upstream, NginxOptions options)
    : upstream_(std::move(upstream)),
      options_(WithCertificate(std::move(options), directory_.path())) {
  process_ = WithFreePort([this](std::uint16_t port) {
    port_ = port;
    return Start(port);
  });
}

std::unique_ptr<Subprocess> NginxServer::Start(std::uint16_t port) const {
  const auto config = directory_ / "nginx.conf";
  WriteFile(config, Configuration(port));
  return StartServer(
      {"nginx", "-e", "stderr", "-p", directory_.path().string(), "-c", config.string()},
      [](Subprocess& process) {
        // It says so once it listens; an answer might come from another process on that port.
        return process.Stderr().find("event method") != std::string::npos;
      });
}

std::string NginxServer::Configuration(std::uint16_t port) const {
  const std::string directory = directory_.path().string();
  std::string text = kMain;
  text += "pid " + directory + "/pid;\nhttp {\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "scgi", "uwsgi"}) {
    text += std::string("  ") + kind + "_temp_path " + directory + "/" + kind + ";\n";
  }
  text += "  log_format test '$server_protocol $request_method $request_uri $status';\n";
  text += "  access_log " + directory + "/access.log test;\n";
  text += "  log_format names '$http_host $ssl_server_name';\n";
  text += "  access_log " + directory + "/names.log names;\n";
  text += "  upstream upstream_of_the_test {\n    server " + upstream_ + ";\n";
  text += "    keepalive 256;\n    keepalive_requests 1000000;\n  }\n";
  text += "  server {\n    listen 127.0.0.1:" + std::to_string(port);
  text += options_.plain_http ? ";\n" : " ssl http2;\n" + TlsDirectives(options_);
  if (options_.redirects) {
    text += "    location / {\n      return 307 http://" + upstream_ + "$request_uri;\n    }\n";
  } else {
    text += kServer;
  }
  return text + "  }\n}\n";
}

}  // namespace registry_backend::testing
