#pragma once

#include <functional>

#include "exporter/metrics/families.h"
#include "exporter/metrics/http_metrics.h"
#include "exporter/monitor/monitor.h"
#include "exporter/server/router.h"
#include "exporter/web/options.h"

namespace registry_backend {

// The configuration, to be read anew. Both are called by several threads at once.
struct Reloading {
  std::function<Status()> reload;      // an error's message is for people
  std::function<ReloadState()> state;  // of the newest one
};

// Everything the exporter serves. `monitor` and `http` outlive the router, and so does what
// `reloading` uses; without it there is none.
server::Router MakeRouter(const WebOptions& options, const BuildInfo& build, Monitor& monitor,
                          const HttpMetrics& http, const Reloading& reloading = {});

}  // namespace registry_backend
