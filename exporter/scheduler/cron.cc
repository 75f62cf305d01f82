#include "exporter/scheduler/cron.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <span>
#include <utility>
#include <vector>

namespace registry_backend {
namespace {

using std::chrono::days;
using std::chrono::minutes;
using std::chrono::sys_days;
using Bits = std::uint64_t;

constexpr std::array<std::string_view, 12> kMonthNames = {
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
};
constexpr std::array<std::string_view, 7> kDayNames = {
    "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT",
};

struct Field {
  std::string_view name;
  unsigned low;
  unsigned high;
  unsigned longest_step;                         // one that leaves nothing but `low`
  std::span<const std::string_view> names = {};  // of `low` and of those that follow it
};
constexpr Field kMinute = {"minute", 0, 59, 60};
constexpr Field kHour = {"hour", 0, 23, 24};
constexpr Field kDayOfMonth = {"day of month", 1, 31, 31};
constexpr Field kMonth = {"month", 1, 12, 12, kMonthNames};
constexpr Field kDayOfWeek = {"day of week", 0, 7, 7, kDayNames};
constexpr std::size_t kFields = 5;

struct Word {
  std::string_view word;
  std::string_view fields;
};
constexpr Word kWords[] = {{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
                           {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                           {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
                           {"@annually", "0 0 1 1 *"}};

constexpr days kCalendarCycle(146'097);  // of 400 years, and of whole weeks
// A week's seven bits, times this, are those of six weeks.
constexpr Bits kSixWeeks =
    1ULL << 0 | 1ULL << 7 | 1ULL << 14 | 1ULL << 21 | 1ULL << 28 | 1ULL << 35;

constexpr Bits Bit(unsigned index) { return Bits{1} << index; }

// The lowest bit that is set, of `from` (below 64) and those above it.
std::optional<unsigned> LowestFrom(Bits bits, unsigned from) {
  bits &= ~Bits{0} << from;
  if (bits == 0) return std::nullopt;
  return static_cast<unsigned>(std::countr_zero(bits));
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool EqualInAnyCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Upper(x) == Upper(y); });
}

// The start of `text` in quotes, fit for a message.
std::string Quoted(std::string_view text) {
  std::string shown(text.substr(0, 40));
  std::ranges::replace_if(
      shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return "'" + shown + "'";
}

std::string FromTo(unsigned low, unsigned high) {
  return "from " + std::to_string(low) + " to " + std::to_string(high);
}

Error Mistake(std::string message) { return {ErrorKind::kInternal, std::move(message)}; }

Error Mistake(const Field& field, std::string_view text, const std::string& what) {
  return Mistake("the " + std::string(field.name) + " " + Quoted(text) + " " + what);
}

std::optional<unsigned> ParseNumber(std::string_view text, unsigned low, unsigned high) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data(), end, number);
  if (fault != std::errc() || rest != end || number < low || number > high) return std::nullopt;
  return number;
}

Result<unsigned> ParseValue(const Field& field, std::string_view text) {
  if (const auto number = ParseNumber(text, field.low, field.high)) return *number;
  const auto name = std::ranges::find_if(
      field.names, [&](std::string_view known) { return EqualInAnyCase(known, text); });
  if (name != field.names.end()) {
    return field.low + static_cast<unsigned>(name - field.names.begin());
  }
  std::string expected = "is not " + FromTo(field.low, field.high);
  if (!field.names.empty()) {
    expected.append(" or ").append(field.names.front());
    expected.append(" to ").append(field.names.back());
  }
  return Mistake(field, text, expected);
}

struct Range {
  unsigned first;
  unsigned last;
};

// One like `a-b`.
Result<Range> ParseBounds(const Field& field, std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::string_view last_text = text.substr(dash + 1);
  const Result<unsigned> first = ParseValue(field, text.substr(0, dash));
  if (!first) return first.error();
  const Result<unsigned> last = ParseValue(field, last_text);
  if (!last) return last.error();
  if (*first <= *last) return Range{*first, *last};
  // No name but SUN is 0, and people mean the end of the week by it.
  if (*last == 0 && !IsDigit(last_text.front())) return Range{*first, field.high};
  return Mistake(field, text,
                 "runs backwards (expected two ranges, " + std::to_string(*first) + "-" +
                     std::to_string(field.high) + "," + std::to_string(field.low) + "-" +
                     std::to_string(*last) + ")");
}

Result<Range> ParseRange(const Field& field, std::string_view text, bool has_step) {
  if (text == "*") return Range{field.low, field.high};
  if (text.find('-') != std::string_view::npos) return ParseBounds(field, text);
  const Result<unsigned> value = ParseValue(field, text);
  if (!value) return value.error();
  if (has_step) {
    return Mistake(field, text,
                   "has a step but is no range (expected one like " + std::to_string(*value) + "-" +
                       std::to_string(field.high) + ")");
  }
  return Range{*value, *value};
}

// One of a list: a range or a value, and the step of a range.
Result<Bits> ParseItem(const Field& field, std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool has_step = slash != std::string_view::npos;
  const Result<Range> range = ParseRange(field, text.substr(0, slash), has_step);
  if (!range) return range.error();
  unsigned step = 1;
  if (has_step) {
    const std::string_view step_text = text.substr(slash + 1);
    const auto number = ParseNumber(step_text, 1, field.longest_step);
    if (!number) {
      return Mistake(
          field, text,
          "has the step " + Quoted(step_text) + ", which is not " + FromTo(1, field.longest_step));
    }
    step = *number;
  }
  Bits bits = 0;
  for (unsigned value = range->first; value <= range->last; value += step) bits |= Bit(value);
  return bits;
}

Result<Bits> ParseField(const Field& field, std::string_view text) {
  Bits bits = 0;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    if (item.empty()) {
      return Mistake(field, text, "has a comma too many (expected a list like 1,2)");
    }
    const Result<Bits> named = ParseItem(field, item);
    if (!named) return named.error();
    bits |= *named;
    if (comma == std::string_view::npos) return bits;
    rest.remove_prefix(comma + 1);
  }
}

std::vector<std::string_view> SplitAtBlanks(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (auto start = text.begin();;) {
    start = std::find_if_not(start, text.end(), IsBlank);
    if (start == text.end()) return pieces;
    const auto end = std::find_if(start, text.end(), IsBlank);
    pieces.emplace_back(start, end);
    start = end;
  }
}

Result<std::vector<std::string_view>> FindFields(std::string_view text) {
  std::vector<std::string_view> pieces = SplitAtBlanks(text);
  if (pieces.size() == 1 && pieces.front().starts_with('@')) {
    const auto* const word = std::ranges::find_if(
        kWords, [&](const Word& known) { return EqualInAnyCase(known.word, pieces.front()); });
    if (word != std::end(kWords)) return SplitAtBlanks(word->fields);
    return Mistake(Quoted(text) +
                   " is not a schedule (expected five fields, @hourly, @daily, @midnight, "
                   "@weekly, @monthly, @yearly or @annually)");
  }
  if (pieces.size() == kFields) return pieces;
  return Mistake("the schedule " + Quoted(text) + " has " + std::to_string(pieces.size()) +
                 (pieces.size() == 1 ? " field" : " fields") +
                 " (expected five: minute, hour, day of month, month and day of week)");
}

// Whether one of the months has, in a leap year at least, one of the days.
bool AnyDateExists(Bits months, Bits days_of_month) {
  const auto earliest = static_cast<unsigned>(std::countr_zero(days_of_month));
  for (unsigned month = 1; month <= 12; ++month) {
    const auto last = std::chrono::year(2000) / std::chrono::month(month) / std::chrono::last;
    if ((months & Bit(month)) != 0 && earliest <= static_cast<unsigned>(last.day())) return true;
  }
  return false;
}

}  // namespace

Result<CronSchedule> CronSchedule::Parse(std::string_view text) {
  const auto fields = FindFields(text);
  if (!fields) return fields.error();
  CronSchedule schedule;
  schedule.text_ = text;
  const std::pair<const Field&, Bits&> parts[kFields] = {{kMinute, schedule.minutes_},
                                                         {kHour, schedule.hours_},
                                                         {kDayOfMonth, schedule.days_of_month_},
                                                         {kMonth, schedule.months_},
                                                         {kDayOfWeek, schedule.days_of_week_}};
  for (std::size_t i = 0; i < kFields; ++i) {
    const Result<Bits> named = ParseField(parts[i].first, fields->at(i));
    if (!named) return named.error();
    parts[i].second = *named;
  }
  if ((schedule.days_of_week_ & Bit(7)) != 0) schedule.days_of_week_ |= Bit(0);
  schedule.days_of_week_ &= ~Bit(7);
  schedule.either_day_ = !fields->at(2).starts_with('*') && !fields->at(4).starts_with('*');
  // Each date falls on each day of the week some year, so the two day fields cannot rule each other
  // out for ever.
  if (!schedule.either_day_ && !AnyDateExists(schedule.months_, schedule.days_of_month_)) {
    return Mistake("the schedule " + Quoted(text) +
                   " never comes (expected a day of month that one of its months has)");
  }
  schedule.longest_gap_ = schedule.FindLongestGap();
  return schedule;
}

// The days of a month that are named: bit 1 is its first.
CronSchedule::Bits CronSchedule::DaysIn(std::chrono::year_month month) const {
  if ((months_ & Bit(static_cast<unsigned>(month.month()))) == 0) return 0;
  const std::chrono::weekday first(sys_days(month / 1));
  const Bits by_week = (days_of_week_ * kSixWeeks) >> first.c_encoding() << 1;
  const Bits named = either_day_ ? days_of_month_ | by_week : days_of_month_ & by_week;
  const auto last = static_cast<unsigned>((month / std::chrono::last).day());
  return named & (Bit(last + 1) - Bit(1));
}

// The first day named, of `from` and those after it. Parse sees to it that there is one.
sys_days CronSchedule::DayFrom(sys_days from) const {
  const std::chrono::year_month_day date(from);
  std::chrono::year_month month = date.year() / date.month();
  auto day = LowestFrom(DaysIn(month), static_cast<unsigned>(date.day()));
  while (!day) {
    month += std::chrono::months(1);
    day = LowestFrom(DaysIn(month), 1);
  }
  return month / std::chrono::day(*day);
}

// The first time of a day named, of `from` and those after it.
std::optional<minutes> CronSchedule::TimeFrom(minutes from) const {
  const auto from_hour = static_cast<unsigned>(from / std::chrono::hours(1));
  const auto from_minute = static_cast<unsigned>(from.count() % 60);
  auto hour = LowestFrom(hours_, from_hour);
  auto minute = LowestFrom(minutes_, hour == from_hour ? from_minute : 0);
  if (!minute) {
    hour = LowestFrom(hours_, from_hour + 1);
    minute = LowestFrom(minutes_, 0);
  }
  if (!hour) return std::nullopt;
  return std::chrono::hours(*hour) + minutes(*minute);
}

WallTime CronSchedule::NextAfter(WallTime time) const {
  const auto from = std::chrono::floor<minutes>(time) + minutes(1);
  const auto today = std::chrono::floor<days>(from);
  sys_days day = DayFrom(today);
  auto at = TimeFrom(day == today ? from - today : minutes(0));
  if (!at) {
    day = DayFrom(today + days(1));
    at = TimeFrom(minutes(0));
  }
  const std::chrono::sys_time<minutes> next = day + *at;
  if (next > std::chrono::floor<minutes>(WallTime::max())) return WallTime::max();
  return next;
}

days CronSchedule::FindLongestDayGap() const {
  const std::chrono::year_month begin(std::chrono::year(2000), std::chrono::January);
  const sys_days first = DayFrom(sys_days(begin / 1));
  sys_days before = first;
  days longest(0);
  for (auto month = begin; month < begin + std::chrono::years(400);
       month += std::chrono::months(1)) {
    const sys_days zeroth = sys_days(month / 1) - days(1);
    for (Bits left = DaysIn(month); left != 0; left &= left - 1) {
      const sys_days day = zeroth + days(std::countr_zero(left));
      longest = std::max(longest, day - before);
      before = day;
    }
  }
  return std::max(longest, first + kCalendarCycle - before);
}

Duration CronSchedule::FindLongestGap() const {
  const minutes first = *TimeFrom(minutes(0));
  minutes before = first;
  minutes longest(0);
  while (const auto at = TimeFrom(before + minutes(1))) {
    longest = std::max(longest, *at - before);
    before = *at;
  }
  return std::max<minutes>(longest, FindLongestDayGap() - before + first);
}

}  // namespace registry_backend
