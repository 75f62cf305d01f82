#pragma once

#include "exporter/common/time.h"

namespace registry_backend {

// When a target is scanned.
struct ScheduleOptions {
  Duration interval = std::chrono::hours(24);         // between the starts of two scans
  Duration retry_interval = std::chrono::minutes(5);  // after a scan that was not complete
};

}  // namespace registry_backend
