#pragma once

#include "exporter/metrics/families.h"

namespace registry_backend {

// What this program was built from.
BuildInfo ThisBuild();

}  // namespace registry_backend
