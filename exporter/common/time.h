#pragma once

#include <chrono>
#include <string>

namespace registry_backend {

// Durations and deadlines run on a clock that never jumps; what is shown or stored is wall time.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;
using WallClock = std::chrono::system_clock;
using WallTime = WallClock::time_point;

// Seconds since the Unix epoch, as Prometheus wants timestamps.
double UnixSeconds(WallTime time);

// Seconds with their fraction, as Prometheus wants durations.
double Seconds(Duration duration);

// RFC 3339 in UTC with milliseconds: `2026-11-23T09:00:00.250Z`.
std::string FormatRfc3339(WallTime time);

// `2025-06-06 20:09:12 UTC`, the form of a report's discovery_timestamp.
std::string FormatUtcSeconds(WallTime time);

// `250ms`, `12.3s`, `4m10s`, `1h2m`: a duration for people.
std::string FormatDuration(Duration duration);

}  // namespace registry_backend
