#pragma once

#include <functional>
#include <string>

#include "exporter/common/result.h"
#include "exporter/metrics/families.h"
#include "exporter/metrics/http_metrics.h"
#include "exporter/monitor/monitor.h"
#include "exporter/server/router.h"
#include "exporter/web/options.h"

namespace registry_backend {

// The configuration in use, and how to have it read anew. All are called by several threads at
// once.
struct ConfigurationAccess {
  std::function<Status()> reload;      // an error's message is for people
  std::function<ReloadState()> state;  // of the newest attempt
  std::function<std::string()> text;   // YAML, without secrets
};

// Everything the exporter serves. `monitor` and `http` outlive the router, and so does what
// `configuration` uses; without it there is neither /config nor /-/reload.
// Error: options.telemetry_path is another route's.
Result<server::Router> MakeRouter(const WebOptions& options, const BuildInfo& build,
                                  Monitor& monitor, const HttpMetrics& http,
                                  const ConfigurationAccess& configuration = {});

}  // namespace registry_backend
