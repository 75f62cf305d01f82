#pragma once

#include <string>

#include "exporter/discovery/options.h"
#include "exporter/registry/credentials.h"
#include "exporter/registry/options.h"

namespace registry_backend {

inline constexpr Duration kDefaultScanInterval = std::chrono::hours(24);

// One repository to keep an eye on.
struct TargetOptions {
  std::string name;  // unique
  std::string team;  // for routing alerts; may be empty
  RegistryOptions registry;
  CredentialsSource credentials;
  ScanOptions scan;
  Duration interval = kDefaultScanInterval;  // between the starts of two scans
};

}  // namespace registry_backend
