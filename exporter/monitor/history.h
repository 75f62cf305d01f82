#pragma once

#include <optional>

#include "exporter/discovery/options.h"
#include "exporter/inventory/target_state.h"
#include "exporter/scheduler/schedule.h"

// What the next scan of a target takes from the past ones. Pure.
namespace registry_backend {

// Empty: there was none.
std::optional<LastScan> LastScanOf(const TargetState& state);

// Witnesses are called for the endpoints that are present.
ScanHints HintsOf(const TargetState& state);

}  // namespace registry_backend
