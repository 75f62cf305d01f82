#pragma once

#include <memory>
#include <string>

#include "exporter/http/proxy.h"

namespace registry_backend {

// How connections to one target's hosts are made.
struct ConnectionOptions {
  std::string ca_file;  // PEM; replaces the system's certificates. Empty: the system's
  // The client's certificate and its key, PEM; both or neither.
  std::string cert_file;
  std::string key_file;
  // The name that the server's certificate must hold, and that is asked for (SNI, RFC 6066 §3), in
  // place of the URL's. Empty: the URL's.
  std::string server_name;
  bool insecure_skip_verify = false;  // take any certificate: whoever is in between can read all

  Proxy https_proxy;  // for https URLs
  Proxy http_proxy;   // for http URLs
  // Hosts reached without a proxy: names (also of all below them), addresses, CIDR blocks, `*`;
  // separated by commas.
  std::string no_proxy;

  bool operator==(const ConnectionOptions&) const = default;
};

// The same for a host that must not know who we are: without the client's certificate, and without
// what is said of the registry itself: its name, and that any certificate will do.
std::shared_ptr<const ConnectionOptions> ForStrangers(
    const std::shared_ptr<const ConnectionOptions>& own);

// For the whole process.
struct TransportOptions {
  std::string user_agent = "registry_backend_exporter";
};

}  // namespace registry_backend
