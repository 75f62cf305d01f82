#pragma once

#include <optional>

#include "exporter/common/time.h"
#include "exporter/scheduler/cron.h"

namespace registry_backend {

// When a target is scanned.
struct ScheduleOptions {
  Duration interval = std::chrono::hours(24);         // between the starts of two scans
  Duration retry_interval = std::chrono::minutes(5);  // after a scan that was not complete
  std::optional<CronSchedule> cron = std::nullopt;    // where set, in place of the interval

  bool operator==(const ScheduleOptions&) const = default;
};

}  // namespace registry_backend
