#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "exporter/monitor/snapshot.h"

namespace registry_backend {

// What --version says.
struct BuildInfo {
  std::string version;
  std::string revision;
  std::string compiler;
};

// The families that describe the targets, all from one snapshot: what is gone from it is gone from
// them. A result or a timestamp has no series before its event. Pure.
std::vector<prometheus::MetricFamily> TargetFamilies(const Snapshot& snapshot);

// Whether the inventories of all targets are as they should be on disk. Pure.
std::vector<prometheus::MetricFamily> StorageFamilies(const Snapshot& snapshot);

// How the configuration was read last.
struct ReloadState {
  bool successful = true;  // the newest attempt
  WallTime last_success;
};
std::vector<prometheus::MetricFamily> ReloadFamilies(const ReloadState& state);

prometheus::MetricFamily BuildInfoFamily(const BuildInfo& build);

}  // namespace registry_backend
