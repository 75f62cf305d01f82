#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "exporter/common/time.h"
#include "exporter/http/options.h"
#include "exporter/url/url.h"

namespace registry_backend {

// One repository of one registry, and how to reach it.
struct RegistryOptions {
  Url registry;            // its origin counts; the path of the API is always /v2/
  std::string repository;  // valid, see IsRepository
  std::shared_ptr<const ConnectionOptions> connection;
  std::vector<Url> token_realms;  // further ones that may have the credentials, see CheckRealm
  // Manifests are kept between scans up to about so many bytes of memory.
  std::size_t manifest_cache_bytes = std::size_t{16} * 1024 * 1024;
  Duration request_timeout = std::chrono::seconds(30);  // of one try, name resolution to last byte

  // By what `connection` points to.
  bool operator==(const RegistryOptions& other) const {
    const bool same_connection =
        connection == other.connection ||
        (connection && other.connection && *connection == *other.connection);
    return same_connection && registry == other.registry && repository == other.repository &&
           token_realms == other.token_realms &&
           manifest_cache_bytes == other.manifest_cache_bytes &&
           request_timeout == other.request_timeout;
  }
};

}  // namespace registry_backend
