#include "exporter/scheduler/cron.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace registry_backend {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// The C library's calendar, to hold that of the code against.
WallTime At(const std::string& text) {
  std::tm time{};
  EXPECT_NE(strptime(text.c_str(), "%Y-%m-%d %H:%M", &time), nullptr) << text;
  return WallClock::from_time_t(timegm(&time));
}

std::tm Utc(WallTime time) {
  const std::time_t unix_time = WallClock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&unix_time, &utc);
  return utc;
}

std::string Shown(WallTime time) {
  const std::tm utc = Utc(time);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
  return text;
}

CronSchedule Cron(const std::string& text) {
  Result<CronSchedule> schedule = CronSchedule::Parse(text);
  if (!schedule) throw std::invalid_argument(schedule.error().message);
  return std::move(schedule).value();
}

// The times that `text` names after `start`, one after the other.
void ExpectTimes(const std::string& text, const std::string& start,
                 const std::vector<std::string>& expected) {
  const CronSchedule schedule = Cron(text);
  WallTime time = At(start);
  for (const std::string& next : expected) {
    time = schedule.NextAfter(time);
    EXPECT_EQ(Shown(time), next + ":00") << text << " after " << start;
  }
}

TEST(Cron, NamesTimesOfTheDay) {
  const std::string noon = "2026-03-10 12:00";  // a Tuesday
  ExpectTimes("* * * * *", noon, {"2026-03-10 12:01", "2026-03-10 12:02"});
  ExpectTimes("0 6 * * *", noon, {"2026-03-11 06:00", "2026-03-12 06:00"});
  ExpectTimes("59 23 * * *", noon, {"2026-03-10 23:59", "2026-03-11 23:59"});
  ExpectTimes("*/25 * * * *", noon, {"2026-03-10 12:25", "2026-03-10 12:50", "2026-03-10 13:00"});
  ExpectTimes("*/60 */24 * * *", noon, {"2026-03-11 00:00", "2026-03-12 00:00"});
  ExpectTimes("5,7 12,14 * * *", noon,
              {"2026-03-10 12:05", "2026-03-10 12:07", "2026-03-10 14:05"});
  ExpectTimes("30 22-23 * * *", noon, {"2026-03-10 22:30", "2026-03-10 23:30", "2026-03-11 22:30"});
  ExpectTimes("0 1-9/4 * * *", noon, {"2026-03-11 01:00", "2026-03-11 05:00", "2026-03-11 09:00"});
  ExpectTimes("0 1-2,20-23/3,4 * * *", noon,
              {"2026-03-10 20:00", "2026-03-10 23:00", "2026-03-11 01:00", "2026-03-11 02:00",
               "2026-03-11 04:00"});
  ExpectTimes(" \t05  06\t*  * * ", noon, {"2026-03-11 06:05"});
}

TEST(Cron, NamesDaysMonthsAndYearEnds) {
  ExpectTimes("0 0 1 * *", "2026-11-15 00:00", {"2026-12-01 00:00", "2027-01-01 00:00"});
  ExpectTimes("59 23 31 12 *", "2026-12-31 23:58", {"2026-12-31 23:59", "2027-12-31 23:59"});
  ExpectTimes("0 0 31 * *", "2026-01-31 00:00",
              {"2026-03-31 00:00", "2026-05-31 00:00", "2026-07-31 00:00", "2026-08-31 00:00"});
  ExpectTimes("0 0 30 FEB,Apr *", "2026-01-01 00:00", {"2026-04-30 00:00", "2027-04-30 00:00"});
  ExpectTimes("0 12 1 jan-dec/5 *", "2026-01-01 12:00", {"2026-06-01 12:00", "2026-11-01 12:00"});
  ExpectTimes("0 0 */15 * *", "2026-02-16 00:00",
              {"2026-03-01 00:00", "2026-03-16 00:00", "2026-03-31 00:00", "2026-04-01 00:00"});
}

TEST(Cron, NamesDaysOfTheWeek) {
  const std::string tuesday = "2026-03-10 12:00";
  for (const char* sunday : {"0", "7", "SUN", "sun", "Sun", "0,7", "SUN-SUN", "7-SUN"}) {
    ExpectTimes(std::string("0 9 * * ") + sunday, tuesday,
                {"2026-03-15 09:00", "2026-03-22 09:00"});
  }
  ExpectTimes("0 9 * * 1-5", "2026-03-12 12:00", {"2026-03-13 09:00", "2026-03-16 09:00"});
  ExpectTimes("0 9 * * mon-FRI", "2026-03-12 12:00", {"2026-03-13 09:00", "2026-03-16 09:00"});
  for (const char* weekend : {"6-7", "SAT-SUN", "6-SUN", "SAT,SUN", "0,6"}) {
    ExpectTimes(std::string("0 9 * * ") + weekend, tuesday,
                {"2026-03-14 09:00", "2026-03-15 09:00", "2026-03-21 09:00"});
  }
  ExpectTimes("0 9 * * */3", tuesday, {"2026-03-11 09:00", "2026-03-14 09:00", "2026-03-15 09:00"});
  ExpectTimes("0 9 * * 1-7/3", tuesday, {"2026-03-12 09:00", "2026-03-15 09:00"});
}

TEST(Cron, KnowsLeapYears) {
  ExpectTimes("0 0 29 2 *", "2026-03-01 00:00", {"2028-02-29 00:00", "2032-02-29 00:00"});
  ExpectTimes("0 0 29 2 *", "2096-02-29 00:00", {"2104-02-29 00:00"});
  ExpectTimes("0 0 29 2 *", "1999-01-01 00:00", {"2000-02-29 00:00"});
  ExpectTimes("0 0 28-29 2 *", "2027-02-28 00:00", {"2028-02-28 00:00", "2028-02-29 00:00"});
  ExpectTimes("0 0 1 3 *", "2028-02-29 23:59", {"2028-03-01 00:00"});
  // A field with a star does not widen the other: 29 February, and a Sunday.
  ExpectTimes("0 0 29 2 */7", "2026-01-01 00:00", {"2032-02-29 00:00", "2060-02-29 00:00"});
}

TEST(Cron, OfTwoRestrictedDayFieldsEitherWillDo) {
  const std::string start = "2026-03-10 12:00";  // a Tuesday
  ExpectTimes("0 0 13 * FRI", start,
              {"2026-03-13 00:00", "2026-03-20 00:00", "2026-03-27 00:00", "2026-04-03 00:00",
               "2026-04-10 00:00", "2026-04-13 00:00"});
  ExpectTimes("0 0 30 2 1", start, {"2027-02-01 00:00"});
  // Not restricted, for it begins with a star: a day must suit both.
  ExpectTimes("0 0 */2 * FRI", start, {"2026-03-13 00:00", "2026-03-27 00:00"});
  ExpectTimes("0 0 13 * */5", start, {"2026-03-13 00:00", "2026-09-13 00:00"});
  ExpectTimes("0 0 1-31 * FRI", start, {"2026-03-11 00:00", "2026-03-12 00:00"});
}

TEST(Cron, KnowsTheWordsForCommonTimes) {
  const std::string start = "2026-03-10 12:30";
  ExpectTimes("@hourly", start, {"2026-03-10 13:00", "2026-03-10 14:00"});
  ExpectTimes("@daily", start, {"2026-03-11 00:00", "2026-03-12 00:00"});
  ExpectTimes("@midnight", start, {"2026-03-11 00:00", "2026-03-12 00:00"});
  ExpectTimes("@weekly", start, {"2026-03-15 00:00", "2026-03-22 00:00"});
  ExpectTimes(" @Monthly ", start, {"2026-04-01 00:00", "2026-05-01 00:00"});
  ExpectTimes("@yearly", start, {"2027-01-01 00:00", "2028-01-01 00:00"});
  ExpectTimes("@annually", start, {"2027-01-01 00:00", "2028-01-01 00:00"});
}

TEST(Cron, TheNextTimeIsAWholeMinuteAndLater) {
  const CronSchedule schedule = Cron("30 6 * * *");
  const WallTime named = At("2026-03-10 06:30");
  EXPECT_EQ(schedule.NextAfter(named - seconds(59)), named);
  EXPECT_EQ(schedule.NextAfter(named - WallClock::duration(1)), named);
  EXPECT_EQ(schedule.NextAfter(named), named + hours(24));
  EXPECT_EQ(schedule.NextAfter(named + milliseconds(1)), named + hours(24));
}

TEST(Cron, ReachesFromOneEndOfTimeToTheOther) {
  const CronSchedule schedule = Cron("0 0 29 2 *");
  ExpectTimes("0 0 29 2 *", "1967-12-31 23:59", {"1968-02-29 00:00", "1972-02-29 00:00"});
  EXPECT_EQ(Shown(schedule.NextAfter(WallTime::min())), "1680-02-29 00:00:00");
  EXPECT_EQ(Shown(schedule.NextAfter(At("2258-01-01 00:00"))), "2260-02-29 00:00:00");
  EXPECT_EQ(schedule.NextAfter(At("2261-01-01 00:00")), WallTime::max());
  EXPECT_EQ(schedule.NextAfter(WallTime::max()), WallTime::max());
}

TEST(Cron, KnowsTheLongestGapItLeaves) {
  const std::pair<const char*, Duration> cases[] = {
      {"* * * * *", minutes(1)},
      {"*/15 * * * *", minutes(15)},
      {"*/25 * * * *", minutes(25)},
      {"7 * * * *", hours(1)},
      {"0 6 * * *", hours(24)},
      {"0 6,7 * * *", hours(23)},
      {"0 6,20 * * *", hours(14)},
      {"*/10 9-17 * * *", hours(15) + minutes(10)},
      {"0 0 * * 1-5", hours(72)},
      {"0 8,18 * * MON-FRI", hours(62)},
      {"@weekly", days(7)},
      {"@monthly", days(31)},
      {"0 0 31 * *", days(61)},
      {"0 0 28 FEB *", days(366)},
      {"@yearly", days(366)},
      {"0 0 29 2 *", days(8 * 365 + 1)},     // 2096 to 2104
      {"0 0 29 2 */7", days(40 * 365 + 9)},  // a Sunday, over a year 100 that is none
      {"0 0 1 * 1", days(7)},
  };
  for (const auto& [text, gap] : cases) EXPECT_EQ(Cron(text).LongestGap(), gap) << text;
}

TEST(Cron, SaysWhatIsWrongAndWhatWasExpected) {
  const std::string five = "(expected five: minute, hour, day of month, month and day of week)";
  const std::pair<std::string, std::string> cases[] = {
      {"", "the schedule '' has 0 fields " + five},
      {"daily", "the schedule 'daily' has 1 field " + five},
      {"0 6 * *", "the schedule '0 6 * *' has 4 fields " + five},
      {"0 0 6 * * *", "the schedule '0 0 6 * * *' has 6 fields " + five},
      {"@reboot",
       "'@reboot' is not a schedule (expected five fields, @hourly, @daily, @midnight, @weekly, "
       "@monthly, @yearly or @annually)"},
      {"60 * * * *", "the minute '60' is not from 0 to 59"},
      {"0 25 * * *", "the hour '25' is not from 0 to 23"},
      {"0 24 * * *", "the hour '24' is not from 0 to 23"},
      {"0 0 0 * *", "the day of month '0' is not from 1 to 31"},
      {"0 0 32 * *", "the day of month '32' is not from 1 to 31"},
      {"0 0 L * *", "the day of month 'L' is not from 1 to 31"},
      {"0 0 * 0 *", "the month '0' is not from 1 to 12 or JAN to DEC"},
      {"0 0 * 13 *", "the month '13' is not from 1 to 12 or JAN to DEC"},
      {"0 0 * MON *", "the month 'MON' is not from 1 to 12 or JAN to DEC"},
      {"0 0 * * 8", "the day of week '8' is not from 0 to 7 or SUN to SAT"},
      {"0 0 * * Monday", "the day of week 'Monday' is not from 0 to 7 or SUN to SAT"},
      {"-5 * * * *", "the minute '' is not from 0 to 59"},
      {"5- * * * *", "the minute '' is not from 0 to 59"},
      {"+5 * * * *", "the minute '+5' is not from 0 to 59"},
      {"1.5 * * * *", "the minute '1.5' is not from 0 to 59"},
      {"99999999999999999999 * * * *", "the minute '99999999999999999999' is not from 0 to 59"},
      {"** * * * *", "the minute '**' is not from 0 to 59"},
      {"1-2-3 * * * *", "the minute '2-3' is not from 0 to 59"},
      {"*-5 * * * *", "the minute '*' is not from 0 to 59"},
      {"1,77 * * * *", "the minute '77' is not from 0 to 59"},
      {"1,,2 * * * *", "the minute '1,,2' has a comma too many (expected a list like 1,2)"},
      {"0 1, * * *", "the hour '1,' has a comma too many (expected a list like 1,2)"},
      {"*/0 * * * *", "the minute '*/0' has the step '0', which is not from 1 to 60"},
      {"0 1-5/0 * * *", "the hour '1-5/0' has the step '0', which is not from 1 to 24"},
      {"*/90 * * * *", "the minute '*/90' has the step '90', which is not from 1 to 60"},
      {"*/ * * * *", "the minute '*/' has the step '', which is not from 1 to 60"},
      {"*/2/3 * * * *", "the minute '*/2/3' has the step '2/3', which is not from 1 to 60"},
      {"0 0 */32 * *", "the day of month '*/32' has the step '32', which is not from 1 to 31"},
      {"0 0 1 */13 *", "the month '*/13' has the step '13', which is not from 1 to 12"},
      {"0 0 * * */8", "the day of week '*/8' has the step '8', which is not from 1 to 7"},
      {"5/15 * * * *", "the minute '5' has a step but is no range (expected one like 5-59)"},
      {"0 20-6 * * *", "the hour '20-6' runs backwards (expected two ranges, 20-23,0-6)"},
      {"0 0 * NOV-2 *", "the month 'NOV-2' runs backwards (expected two ranges, 11-12,1-2)"},
      {"0 0 * * 5-0", "the day of week '5-0' runs backwards (expected two ranges, 5-7,0-0)"},
      {"0 0 * * SAT-MON",
       "the day of week 'SAT-MON' runs backwards (expected two ranges, 6-7,0-1)"},
      {"0 0 30 2 *",
       "the schedule '0 0 30 2 *' never comes (expected a day of month that one of its months "
       "has)"},
      {"0 0 31 2,4,6,9,11 */2",
       "the schedule '0 0 31 2,4,6,9,11 */2' never comes (expected a day of month that one of its "
       "months has)"},
      {"\x01\xc3\xa9\x7f * * * *", "the minute '\?\?\?\?' is not from 0 to 59"},
      {std::string(100, '1') + " * * * *",
       "the minute '" + std::string(40, '1') + "' is not from 0 to 59"},
  };
  for (const auto& [text, message] : cases) {
    const Result<CronSchedule> schedule = CronSchedule::Parse(text);
    ASSERT_FALSE(schedule.ok()) << text;
    EXPECT_EQ(schedule.error().message, message);
    EXPECT_EQ(schedule.error().kind, ErrorKind::kInternal);
  }
}

TEST(Cron, KeepsItsTextAndIsComparedByIt) {
  EXPECT_EQ(Cron("0 6 * * *").text(), "0 6 * * *");
  EXPECT_EQ(Cron("@daily").text(), "@daily");
  EXPECT_EQ(Cron("0 6 * * *"), Cron("0 6 * * *"));
  EXPECT_NE(Cron("0 6 * * *"), Cron("0 7 * * *"));
  EXPECT_NE(Cron("@daily"), Cron("0 0 * * *"));
}

// A schedule made at random, and beside it what its fields name.
class RandomSchedule {
 public:
  RandomSchedule(std::mt19937& random, bool once_a_day) : random_(random) {
    AddField(0, 59, once_a_day);
    AddField(0, 23, once_a_day);
    AddField(1, 31, false);
    AddField(1, 12, false);
    AddField(0, 7, false);
    if (named_[4].contains(7)) named_[4].insert(0);
  }

  [[nodiscard]] const std::string& text() const { return text_; }

  // As crontab(5) says it.
  [[nodiscard]] bool Matches(WallTime time) const {
    const std::tm utc = Utc(time);
    const bool by_month = named_[2].contains(utc.tm_mday);
    const bool by_week = named_[4].contains(utc.tm_wday);
    const bool day = star_[2] || star_[4] ? by_month && by_week : by_month || by_week;
    return day && named_[3].contains(utc.tm_mon + 1) && named_[1].contains(utc.tm_hour) &&
           named_[0].contains(utc.tm_min);
  }

 private:
  int Pick(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }

  void AddField(int low, int high, bool one_value) {
    const std::size_t field = fields_++;
    text_ += field == 0 ? "" : " ";
    const std::size_t start = text_.size();
    if (one_value) {
      AddItem(field, low, high, 3);
    } else {
      const int items = Pick(0, 2) == 0 ? Pick(2, 4) : 1;
      for (int i = 0; i < items; ++i) {
        text_ += i == 0 ? "" : ",";
        AddItem(field, low, high, Pick(0, 4));
      }
    }
    star_[field] = text_[start] == '*';
  }

  void AddItem(std::size_t field, int low, int high, int form) {
    int first = low;
    int last = high;
    int step = 1;
    if (form <= 1) {
      text_ += "*";
    } else {
      first = Pick(low, high);
      last = form == 2 ? Pick(first, high) : first;
      text_ += std::to_string(first) + (form == 2 ? "-" + std::to_string(last) : "");
    }
    if (form == 1 || form == 2) {
      step = Pick(1, 7);
      text_ += "/" + std::to_string(step);
    }
    for (int value = first; value <= last; value += step) named_[field].insert(value);
  }

  std::mt19937& random_;
  std::size_t fields_ = 0;
  std::string text_;
  std::set<int> named_[5];
  bool star_[5] = {};
};

TEST(Cron, FindsWhatLookingAtEachMinuteFinds) {
  std::mt19937 random(20260310);  // NOLINT: the same each time
  int found = 0;
  for (int round = 0; round < 200; ++round) {
    const RandomSchedule expected(random, false);
    const Result<CronSchedule> schedule = CronSchedule::Parse(expected.text());
    ASSERT_TRUE(schedule.ok()) << expected.text() << ": " << schedule.error().message;
    const auto start =
        WallTime(minutes(std::uniform_int_distribution(-50'000'000, 100'000'000)(random)));
    WallTime next = schedule->NextAfter(start);
    for (auto time = start + minutes(1); time < start + days(35); time += minutes(1)) {
      ASSERT_EQ(expected.Matches(time), time == next)
          << expected.text() << " at " << Shown(time) << ", next " << Shown(next);
      if (time != next) continue;
      ++found;
      next = schedule->NextAfter(time);
    }
  }
  EXPECT_GT(found, 10'000);
}

TEST(Cron, ItsLongestGapIsThatOfFourHundredYears) {
  std::mt19937 random(20260310);  // NOLINT: the same each time
  for (int round = 0; round < 50; ++round) {
    const RandomSchedule made(random, true);
    const CronSchedule schedule = Cron(made.text());
    const WallTime end = At("2130-01-01 00:00");
    WallTime time = schedule.NextAfter(At("1730-01-01 00:00"));
    WallClock::duration longest{};
    while (time < end) {
      const WallTime next = schedule.NextAfter(time);
      longest = std::max(longest, next - time);
      time = next;
    }
    EXPECT_EQ(schedule.LongestGap(), longest) << made.text();
  }
}

}  // namespace
}  // namespace registry_backend
