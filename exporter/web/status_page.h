#pragma once

#include "exporter/metrics/families.h"
#include "exporter/monitor/snapshot.h"
#include "exporter/server/message.h"
#include "exporter/web/options.h"

namespace registry_backend {

// The page at `/`: what is known of each target, for people. Pure; one document without scripts and
// external resources.
server::Response StatusPage(const Snapshot& snapshot, const BuildInfo& build,
                            const WebOptions& options);

}  // namespace registry_backend
