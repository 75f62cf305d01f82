#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/common/time.h"

namespace registry_backend {

// The times that a line of crontab(5) names, in UTC. Five fields, apart by blanks: minute, hour,
// day of month, month and day of week. Each is a list of `*`, `*/n`, `a`, `a-b` and `a-b/n`, with
// JAN to DEC and SUN to SAT (in any case) for numbers; 0 and 7 are both Sunday, and so is the SUN
// of FRI-SUN. Where both day fields are restricted, a day that either of them names will do. A
// field that begins with `*` is not restricted, even by a step: with such a one, a day must suit
// both.
//
// Or one word: @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually.
class CronSchedule {
 public:
  // An Error (kInternal) says which field is wrong and what was expected, or that no date can
  // match.
  static Result<CronSchedule> Parse(std::string_view text);

  // The first time named that is later than `time`: a whole minute, of the Gregorian calendar even
  // before there was one. WallTime::max() where WallTime ends sooner.
  [[nodiscard]] WallTime NextAfter(WallTime time) const;

  // The longest time between two times named in a row. Exact over the calendar's whole cycle of 400
  // years: three days for `0 0 * * 1-5`, and eight years for `0 0 29 2 *`, since 2100 has no
  // 29 February.
  [[nodiscard]] Duration LongestGap() const { return longest_gap_; }

  // As it was written.
  [[nodiscard]] const std::string& text() const { return text_; }

  // Whether they are written alike: `@daily` is not `0 0 * * *`.
  bool operator==(const CronSchedule&) const = default;

 private:
  // One bit a value: bit 0 of the minutes is minute 0, bit 1 of the months is January.
  using Bits = std::uint64_t;

  CronSchedule() = default;

  [[nodiscard]] Bits DaysIn(std::chrono::year_month month) const;
  [[nodiscard]] std::chrono::sys_days DayFrom(std::chrono::sys_days from) const;
  [[nodiscard]] std::optional<std::chrono::minutes> TimeFrom(std::chrono::minutes from) const;
  [[nodiscard]] std::chrono::days FindLongestDayGap() const;
  [[nodiscard]] Duration FindLongestGap() const;

  Bits minutes_ = 0;
  Bits hours_ = 0;
  Bits days_of_month_ = 0;
  Bits months_ = 0;
  Bits days_of_week_ = 0;    // from Sunday, bit 0, to Saturday, bit 6
  bool either_day_ = false;  // a day of one of the two day fields will do
  Duration longest_gap_{};
  std::string text_;
};

}  // namespace registry_backend
