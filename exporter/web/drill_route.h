#pragma once

#include <nlohmann/json_fwd.hpp>

#include "exporter/monitor/monitor.h"
#include "exporter/server/message.h"

namespace registry_backend {

// A drill as JSON shows it.
nlohmann::ordered_json FromDrill(const Drill& drill);

// POST /-/drill: begins a drill of one target, or with `stop=true` ends it before its time
// (docs/openapi.yaml).
server::Response AnswerDrill(const server::Request& request, Monitor& monitor);

}  // namespace registry_backend
