#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exporter/inventory/policy.h"
#include "exporter/inventory/target_state.h"
#include "exporter/monitor/drill.h"

namespace registry_backend {

// One target as it stood at one instant. Immutable.
struct TargetSnapshot {
  std::string name;
  std::string team;
  std::string registry;  // host[:port]: the label
  std::string scheme;    // of its URL
  std::string repository;
  Duration interval{};
  bool scanning = false;
  std::optional<WallTime> next_scan;
  TargetState state;
  std::string report_file;  // see Monitor::OpenReport
  bool loaded = true;       // what was on disk could be read at start
  bool saved = true;        // what is known is on disk, as far as it was tried
  // What `state` is judged by when it is shown, so that another policy needs no scan. Null: none.
  std::shared_ptr<const Policy> policy;
  std::optional<Drill> drill;  // the one under way; never part of `state`
};

// All targets at one instant, in the order of the configuration. Immutable.
struct Snapshot {
  std::vector<std::shared_ptr<const TargetSnapshot>> targets;
};

}  // namespace registry_backend
