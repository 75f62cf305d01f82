#pragma once

#include "exporter/metrics/families.h"
#include "exporter/metrics/http_metrics.h"
#include "exporter/monitor/monitor.h"
#include "exporter/server/router.h"
#include "exporter/web/options.h"

namespace registry_backend {

// Everything the exporter serves. `monitor` and `http` outlive the router.
server::Router MakeRouter(const WebOptions& options, const BuildInfo& build, Monitor& monitor,
                          const HttpMetrics& http);

}  // namespace registry_backend
