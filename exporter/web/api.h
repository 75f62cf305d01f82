#pragma once

#include "exporter/monitor/monitor.h"
#include "exporter/server/router.h"

namespace registry_backend {

// Adds the routes below /api/v1/ (docs/openapi.yaml) to `router`. `monitor` outlives it.
void AddApi(server::Router& router, const Monitor& monitor);

}  // namespace registry_backend
