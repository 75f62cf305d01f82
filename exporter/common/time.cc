#include "exporter/common/time.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace registry_backend {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::tm Utc(WallTime time) { return fmt::gmtime(WallClock::to_time_t(time)); }

}  // namespace

double UnixSeconds(WallTime time) {
  return static_cast<double>(duration_cast<milliseconds>(time.time_since_epoch()).count()) / 1000.0;
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string FormatRfc3339(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto millis = duration_cast<milliseconds>(time - whole).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", Utc(whole), millis);
}

std::string FormatUtcSeconds(WallTime time) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                     Utc(std::chrono::floor<std::chrono::seconds>(time)));
}

std::string FormatDuration(Duration duration) {
  const auto millis = duration_cast<milliseconds>(duration).count();
  if (millis < 1000) return fmt::format("{}ms", millis);
  if (millis < 60'000) return fmt::format("{:.1f}s", static_cast<double>(millis) / 1000.0);
  const auto seconds = millis / 1000;
  if (seconds < 3600) return fmt::format("{}m{}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{}m", seconds / 3600, seconds % 3600 / 60);
}

}  // namespace registry_backend
