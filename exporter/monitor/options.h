#pragma once

#include <memory>
#include <string>

#include "exporter/discovery/options.h"
#include "exporter/inventory/options.h"
#include "exporter/inventory/policy.h"
#include "exporter/registry/credentials.h"
#include "exporter/registry/options.h"
#include "exporter/scheduler/options.h"

namespace registry_backend {

// One repository to keep an eye on.
struct TargetOptions {
  std::string name;  // unique
  std::string team;  // for routing alerts; may be empty
  RegistryOptions registry;
  CredentialsSource credentials;
  ScanOptions scan;
  ScheduleOptions schedule;
  InventoryOptions inventory;
  std::shared_ptr<const Policy> policy;  // null: none; targets may share one
};

}  // namespace registry_backend
