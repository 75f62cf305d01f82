#pragma once

#include <string>

namespace registry_backend {

struct WebOptions {
  std::string telemetry_path = "/metrics";
  bool enable_lifecycle = false;  // POST /-/scan and its like
  // Where browsers find the exporter, if that is not where it listens: behind a reverse proxy.
  std::string external_host;  // `host` or `host:port`
  std::string path_prefix;    // before each path in a link: empty, or `/a/b`
};

}  // namespace registry_backend
