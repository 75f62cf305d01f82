#include "exporter/scheduler/schedule.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

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

}  // namespace
}  // namespace registry_backend
