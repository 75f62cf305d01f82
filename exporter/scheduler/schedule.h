#pragma once

#include <cstdint>
#include <optional>

#include "exporter/scheduler/options.h"

namespace registry_backend {

// What the schedule needs to know of the newest finished scan.
struct LastScan {
  WallTime started;
  WallTime finished;
  std::uint64_t consecutive_failures = 0;  // 0: it was complete
};

// When the next scan is due: an interval after the start of a complete one; else sooner, after
// retry_interval, doubled with each further failure and never more than the interval. At once where
// there was none, or where it lies ahead because the clock was set back. Pure.
WallTime NextScan(const ScheduleOptions& options, const std::optional<LastScan>& last,
                  WallTime now);

}  // namespace registry_backend
