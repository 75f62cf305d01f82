#pragma once

#include "exporter/common/time.h"
#include "exporter/metrics/families.h"
#include "exporter/monitor/snapshot.h"
#include "exporter/server/message.h"
#include "exporter/web/options.h"

namespace registry_backend {

// The page at `/`: what is known of each target at `now`, for people. Pure; one document without
// external resources, of as much use where no script runs.
server::Response StatusPage(const Snapshot& snapshot, const BuildInfo& build,
                            const WebOptions& options, WallTime now);

}  // namespace registry_backend
