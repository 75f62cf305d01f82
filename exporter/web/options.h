#pragma once

#include <string>

namespace registry_backend {

struct WebOptions {
  std::string telemetry_path = "/metrics";
  bool enable_lifecycle = false;  // POST /-/scan and its like
};

}  // namespace registry_backend
