#include "exporter/common/duration.h"

#include <charconv>
#include <cstdint>
#include <iterator>
#include <string>

namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  milliseconds length;
};
constexpr Unit kUnits[] = {
    {"y", hours(24 * 365)},  {"w", hours(24 * 7)},           {"d", hours(24)},
    {"h", hours(1)},         {"m", std::chrono::minutes(1)}, {"s", std::chrono::seconds(1)},
    {"ms", milliseconds(1)},
};
constexpr milliseconds kLongest = hours(24 * 365 * 100);

}  // namespace

Result<Duration> ParseDuration(std::string_view text) {
  const std::string shown = "'" + std::string(text.substr(0, 40)) + "' is ";
  const Error invalid{ErrorKind::kInternal,
                      shown + "not a duration (expected one like 90s, 1h30m or 30d)"};
  const Error too_long{ErrorKind::kInternal, shown + "too long (expected at most 100y)"};
  if (text == "0") return Duration::zero();
  if (text.empty()) return invalid;
  milliseconds total{0};
  const Unit* next_unit = std::begin(kUnits);
  while (!text.empty()) {
    std::int64_t number = 0;
    const auto [digits_end, fault] =
        std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc() || text.front() == '-') return invalid;
    text.remove_prefix(static_cast<std::size_t>(digits_end - text.data()));
    const std::string_view name = text.substr(0, text.find_first_of("0123456789"));
    while (next_unit != std::end(kUnits) && next_unit->name != name) ++next_unit;
    if (next_unit == std::end(kUnits)) return invalid;
    if (number > kLongest / next_unit->length) return too_long;
    total += number * next_unit->length;
    text.remove_prefix(name.size());
    ++next_unit;
  }
  if (total > kLongest) return too_long;
  return std::chrono::duration_cast<Duration>(total);
}

std::string WriteDuration(Duration duration) {
  auto left = std::chrono::duration_cast<milliseconds>(duration);
  std::string text;
  for (const Unit& unit : kUnits) {
    if (unit.length > hours(24) || left < unit.length) continue;
    text += std::to_string(left / unit.length) + std::string(unit.name);
    left %= unit.length;
  }
  return text.empty() ? "0" : text;
}

}  // namespace registry_backend
