#pragma once

#include <string>

namespace registry_backend {

// The flags of `healthcheck`.
struct HealthcheckCommand {
  // Of the exporter. curl knows what localhost is without a name server, and tries ::1 and
  // 127.0.0.1.
  std::string url = "http://localhost:9877";
  bool insecure_skip_verify = false;
};

// Whether the exporter at the URL says that it is healthy, within 5 s. Says on standard error why
// not. Returns an ExitCode: kExitComplete, kExitFailed or kExitUsage.
int RunHealthcheck(const HealthcheckCommand& command);

}  // namespace registry_backend
