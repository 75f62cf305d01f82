#pragma once

#include <memory>
#include <string>

#include "exporter/common/time.h"
#include "exporter/http/options.h"
#include "exporter/url/url.h"

namespace registry_backend {

// One repository of one registry, and how to reach it.
struct RegistryOptions {
  Url registry;            // its origin counts; the path of the API is always /v2/
  std::string repository;  // valid, see IsRepository
  std::shared_ptr<const ConnectionOptions> connection;
  Duration request_timeout = std::chrono::seconds(30);  // of one try, name resolution to last byte
};

}  // namespace registry_backend
