#include "exporter/scheduler/schedule.h"

#include <algorithm>

namespace registry_backend {
namespace {

WallClock::duration ToWall(Duration duration) {
  return std::chrono::duration_cast<WallClock::duration>(duration);
}

Duration RetryDelay(const ScheduleOptions& options, std::uint64_t failures) {
  Duration delay = options.retry_interval;
  for (std::uint64_t i = 1; i < failures && delay < options.interval; ++i) delay *= 2;
  return std::min(delay, options.interval);
}

}  // namespace

WallTime NextScan(const ScheduleOptions& options, const std::optional<LastScan>& last,
                  WallTime now) {
  // A scan that lies ahead is the trace of a clock that was wrong: nothing follows from it.
  if (!last || last->started > now) return now;
  return last->consecutive_failures == 0
             ? last->started + ToWall(options.interval)
             : last->finished + ToWall(RetryDelay(options, last->consecutive_failures));
}

}  // namespace registry_backend
