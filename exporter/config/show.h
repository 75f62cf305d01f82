#pragma once

#include <string>
#include <vector>

#include "exporter/monitor/options.h"

namespace registry_backend {

// The configuration in use as YAML, with everything that a target inherited or that is built in
// written out at the target. Secrets are `<secret>`, and so are user names in URLs; otherwise
// ParseConfig reads it as what it shows.
std::string ShowConfig(const std::vector<TargetOptions>& targets);

}  // namespace registry_backend
