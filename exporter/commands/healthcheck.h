#pragma once

#include "exporter/commands/running_exporter.h"

namespace registry_backend {

// The flags of `healthcheck`.
struct HealthcheckCommand {
  ExporterAccess access;
};

// Whether the exporter at the URL says that it is healthy, within 5 s. Says on standard error why
// not. Returns an ExitCode: kExitComplete, kExitFailed or kExitUsage.
int RunHealthcheck(const HealthcheckCommand& command);

}  // namespace registry_backend
