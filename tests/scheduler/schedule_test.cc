#include "exporter/scheduler/schedule.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const WallTime kStart = WallTime(hours(480'000));
const ScheduleOptions kOptions = {hours(6), minutes(5)};

LastScan Scan(std::uint64_t consecutive_failures) {
  return {kStart, kStart + minutes(10), consecutive_failures};
}

TEST(Schedule, ATargetNeverScannedIsDueAtOnce) {
  EXPECT_EQ(NextScan(kOptions, std::nullopt, kStart), kStart);
}

TEST(Schedule, AfterACompleteScanTheIntervalRunsFromItsStart) {
  EXPECT_EQ(NextScan(kOptions, Scan(0), kStart + minutes(10)), kStart + hours(6));
}

TEST(Schedule, AfterOthersTheRetryIntervalDoublesUpToTheInterval) {
  const WallTime end = kStart + minutes(10);
  const std::pair<std::uint64_t, Duration> cases[] = {
      {1, minutes(5)}, {2, minutes(10)}, {3, minutes(20)},      {7, minutes(320)},
      {8, hours(6)},   {9, hours(6)},    {1'000'000, hours(6)},
  };
  for (const auto& [failures, delay] : cases) {
    EXPECT_EQ(NextScan(kOptions, Scan(failures), end), end + delay) << failures;
  }
}

TEST(Schedule, ARetryIntervalLongerThanTheIntervalIsTheInterval) {
  const ScheduleOptions options = {minutes(1), minutes(5)};
  EXPECT_EQ(NextScan(options, Scan(1), kStart + minutes(10)), kStart + minutes(11));
}

TEST(Schedule, ATimeThatHasPassedStaysInThePast) {
  EXPECT_EQ(NextScan(kOptions, Scan(0), kStart + hours(100)), kStart + hours(6));
}

TEST(Schedule, AClockSetBackPutsNothingOff) {
  const WallTime now = kStart - hours(1000);
  EXPECT_EQ(NextScan(kOptions, Scan(0), now), now);
}

// kStart is midnight, of 4 October 2024: a Friday.
ScheduleOptions At(const char* cron) {
  return {hours(1), minutes(5), CronSchedule::Parse(cron).value()};
}

TEST(Schedule, ACronScheduleStandsInPlaceOfTheInterval) {
  const WallTime end = kStart + minutes(10);
  EXPECT_EQ(NextScan(At("0 6 * * *"), Scan(0), end), kStart + hours(6));
  EXPECT_EQ(NextScan(At("0 6 * * MON"), Scan(0), end), kStart + hours(3 * 24 + 6));
  EXPECT_EQ(NextScan(At("0 0 * * *"), Scan(0), end), kStart + hours(24));
}

TEST(Schedule, WithACronScheduleATargetNeverScannedIsDueAtOnce) {
  EXPECT_EQ(NextScan(At("0 6 * * *"), std::nullopt, kStart), kStart);
}

TEST(Schedule, ACronTimeThatPassedWhileNobodyWasThereIsOverdue) {
  EXPECT_EQ(NextScan(At("0 6 * * *"), Scan(0), kStart + hours(100)), kStart + hours(6));
  EXPECT_EQ(NextScan(At("5 0 * * *"), Scan(0), kStart + minutes(10)), kStart + minutes(5));
}

TEST(Schedule, ARetryComesSoonerThanTheNextCronTimeNeverLater) {
  const WallTime end = kStart + minutes(10);
  const std::pair<std::uint64_t, Duration> cases[] = {
      {1, minutes(5)},   {2, minutes(10)},   {7, minutes(320)},
      {8, minutes(350)}, {20, minutes(350)}, {1'000'000, minutes(350)},
  };
  for (const auto& [failures, delay] : cases) {
    EXPECT_EQ(NextScan(At("0 6 * * *"), Scan(failures), end), end + delay) << failures;
  }
}

TEST(Schedule, ACronTimeDuringAFailedScanDoesNotTakeAwayThePause) {
  const WallTime end = kStart + minutes(10);
  EXPECT_EQ(NextScan(At("5 * * * *"), Scan(1), end), end + minutes(5));
  EXPECT_EQ(NextScan(At("* * * * *"), Scan(1), end), end + minutes(1));
}

TEST(Schedule, WithACronScheduleAClockSetBackPutsNothingOff) {
  const WallTime now = kStart - hours(1000);
  EXPECT_EQ(NextScan(At("0 6 * * *"), Scan(0), now), now);
  EXPECT_EQ(NextScan(At("0 6 * * *"), Scan(3), now), now);
}

TEST(Schedule, TheLongestIntervalIsThatOfTheCronScheduleIfThereIsOne) {
  EXPECT_EQ(LongestInterval(kOptions), hours(6));
  EXPECT_EQ(LongestInterval(At("0 6 * * *")), hours(24));
  EXPECT_EQ(LongestInterval(At("0 6 * * MON-FRI")), hours(72));
}

TEST(StartDelay, SetsAFewTargetsAQuarterOfASecondApart) {
  EXPECT_EQ(StartDelay(0, 1), seconds(0));
  EXPECT_EQ(StartDelay(0, 3), seconds(0));
  EXPECT_EQ(StartDelay(1, 3), milliseconds(250));
  EXPECT_EQ(StartDelay(2, 3), milliseconds(500));
  EXPECT_EQ(StartDelay(100, 200), seconds(25));
  EXPECT_EQ(StartDelay(240, 241), seconds(60));
}

TEST(StartDelay, SpreadsManyTargetsEvenlyOverAMinute) {
  for (const std::size_t count : {242U, 601U, 5000U}) {
    EXPECT_EQ(StartDelay(0, count), seconds(0));
    EXPECT_EQ(StartDelay(count - 1, count), seconds(60));
    for (std::size_t i = 1; i < count; ++i) {
      const Duration apart = StartDelay(i, count) - StartDelay(i - 1, count);
      EXPECT_NEAR(Seconds(apart), 60.0 / static_cast<double>(count - 1), 1e-6) << i;
    }
  }
  EXPECT_EQ(StartDelay(300, 601), seconds(30));
}

TEST(StartDelay, KeepsToItsBoundForAnIndexThatIsNone) {
  EXPECT_EQ(StartDelay(5, 0), seconds(0));
  EXPECT_EQ(StartDelay(7, 3), milliseconds(500));
  EXPECT_EQ(StartDelay(1'000'000, 1000), seconds(60));
}

}  // namespace
}  // namespace registry_backend
