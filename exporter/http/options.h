#pragma once

#include <string>

namespace registry_backend {

// How connections to one target's hosts are made.
struct ConnectionOptions {
  std::string ca_file;  // PEM; replaces the system's certificates. Empty: the system's
  // Proxies as in the environment variables of curl; empty: none.
  std::string https_proxy;
  std::string http_proxy;
  std::string no_proxy;

  bool operator==(const ConnectionOptions&) const = default;
};

// For the whole process.
struct TransportOptions {
  std::string user_agent = "registry_backend_exporter";
};

}  // namespace registry_backend
