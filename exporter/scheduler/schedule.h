#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "exporter/scheduler/options.h"

// All of it pure: no clock but the one handed in.
namespace registry_backend {

// What the schedule needs to know of the newest finished scan.
struct LastScan {
  WallTime started;
  WallTime finished;
  std::uint64_t consecutive_failures = 0;  // 0: it was complete
};

// When the next scan is due. After a complete one: an interval after its start, or the first time
// of the cron schedule after that; if nobody was there at that time, it has passed and the scan is
// overdue. After another: retry_interval after its end, doubled with each further failure, but
// never more than the interval and never past the next time of the cron schedule. At once where
// there was none, or where it lies ahead because the clock was set back.
WallTime NextScan(const ScheduleOptions& options, const std::optional<LastScan>& last,
                  WallTime now);

// The longest time meant to lie between two scans: the interval, or the longest gap of the cron
// schedule.
Duration LongestInterval(const ScheduleOptions& options);

// How much later than due the target at `index` of `count` begins, so that those due at the same
// time (at start, or with the same cron schedule) do not all log in, list tags and open connections
// in the same instant: a registry may take that for an attack, and its rate limit is one for all.
// Evenly spread, 250 ms apart, or closer where the last one would else wait for more than 60 s.
// Always the same for the same two numbers: a restart does not move a target.
Duration StartDelay(std::size_t index, std::size_t count);

}  // namespace registry_backend
