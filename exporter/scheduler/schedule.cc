#include "exporter/scheduler/schedule.h"

#include <algorithm>

namespace registry_backend {
namespace {

constexpr std::chrono::milliseconds kStartsApart(250);
constexpr std::chrono::seconds kLongestStartDelay(60);

WallClock::duration ToWall(Duration duration) {
  return std::chrono::duration_cast<WallClock::duration>(duration);
}

Duration RetryDelay(const ScheduleOptions& options, std::uint64_t failures) {
  const Duration longest = LongestInterval(options);
  Duration delay = options.retry_interval;
  for (std::uint64_t i = 1; i < failures && delay < longest; ++i) delay *= 2;
  return std::min(delay, longest);
}

WallTime NextRegular(const ScheduleOptions& options, WallTime started) {
  return options.cron ? options.cron->NextAfter(started) : started + ToWall(options.interval);
}

WallTime NextRetry(const ScheduleOptions& options, const LastScan& last) {
  const WallTime retry = last.finished + ToWall(RetryDelay(options, last.consecutive_failures));
  // A time that came during the failed scan is no reason to ask again without a pause.
  return options.cron ? std::min(retry, options.cron->NextAfter(last.finished)) : retry;
}

}  // namespace

WallTime NextScan(const ScheduleOptions& options, const std::optional<LastScan>& last,
                  WallTime now) {
  // A scan that lies ahead is the trace of a clock that was wrong: nothing follows from it.
  if (!last || last->started > now) return now;
  return last->consecutive_failures == 0 ? NextRegular(options, last->started)
                                         : NextRetry(options, *last);
}

Duration LongestInterval(const ScheduleOptions& options) {
  return options.cron ? options.cron->LongestGap() : options.interval;
}

Duration StartDelay(std::size_t index, std::size_t count) {
  if (index == 0 || count < 2) return Duration::zero();
  const auto last = static_cast<Duration::rep>(count - 1);
  const auto position = std::min(static_cast<Duration::rep>(index), last);
  if (last <= kLongestStartDelay / kStartsApart) return position * kStartsApart;
  return Duration(kLongestStartDelay) * position / last;
}

}  // namespace registry_backend
