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

  // By what `policy` points to.
  bool operator==(const TargetOptions& other) const {
    const bool same_policy =
        policy == other.policy || (policy && other.policy && *policy == *other.policy);
    return same_policy && name == other.name && team == other.team && registry == other.registry &&
           credentials == other.credentials && scan == other.scan && schedule == other.schedule &&
           inventory == other.inventory;
  }
};

}  // namespace registry_backend
