#include "tests/bench/http2_front.h"

#include <sstream>

#include "tests/integration/self_signed.h"
#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

Http2Front::Http2Front(const std::string& upstream) {
  (void)MakeSelfSigned(dir_.path());
  process_ = WithFreePort([&](std::uint16_t port) {
    port_ = port;
    WriteFile(dir_ / "nginx.conf", Config(upstream));
    return StartServer(
        {"nginx", "-p", dir_.path().string(), "-e", "stderr", "-c", "nginx.conf"},
        [this](Subprocess&) { return HttpGet(url() + "/", {.ca_file = ca_file()}).status != 0; });
  });
}

std::string Http2Front::Config(const std::string& upstream) const {
  // One process without a master drops no privileges, so its files may lie in a private directory.
  // TLS 1.3 and kept connections as the simulator has them; compiled-in paths are all replaced.
  return R"(daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 1024; }
http {
  log_format protocol '$server_protocol';
  access_log access.log protocol;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream registry {
    server )" +
         upstream + R"(;
    keepalive 64;
    keepalive_requests 1000000;
    keepalive_timeout 20s;
  }
  server {
    listen 127.0.0.1:)" +
         std::to_string(port_) + R"( ssl http2;
    ssl_certificate certificate.pem;
    ssl_certificate_key key.pem;
    ssl_protocols TLSv1.3;
    keepalive_requests 1000000;
    http2_max_concurrent_streams 256;
    location / {
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_redirect off;
    }
  }
}
)";
}

Http2Front::Served Http2Front::Count() const {
  Served served;
  std::istringstream log(ReadFile(dir_ / "access.log"));
  for (std::string line; std::getline(log, line);) {
    ++served.requests;
    if (line == "HTTP/2.0") ++served.over_http2;
  }
  return served;
}

}  // namespace registry_backend::testing
