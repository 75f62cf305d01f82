#pragma once

#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/common/time.h"

namespace registry_backend {

// A duration as Prometheus writes it: numbers with units y, w, d, h, m, s, ms in descending order,
// each at most once (`90s`, `1h30m`, `30d`), or `0`. A day is 24 h, a year 365 days.
Result<Duration> ParseDuration(std::string_view text);

// The same the other way round, without years and weeks: `1h30m`, `30d`. Milliseconds, not
// negative.
std::string WriteDuration(Duration duration);

}  // namespace registry_backend
