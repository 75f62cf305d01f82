#include "exporter/common/duration.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ParseDuration, ReadsWhatPrometheusReads) {
  const struct {
    std::string_view text;
    Duration duration;
  } kCases[] = {
      {"0", seconds(0)},
      {"0s", seconds(0)},
      {"1ms", milliseconds(1)},
      {"90s", seconds(90)},
      {"5m", minutes(5)},
      {"24h", hours(24)},
      {"30d", hours(30 * 24)},
      {"2w", hours(14 * 24)},
      {"1y", hours(365 * 24)},
      {"007s", seconds(7)},
      {"1h30m", minutes(90)},
      {"1m500ms", milliseconds(60'500)},
      {"1y2w3d4h5m6s7ms",
       hours((365 + 14 + 3) * 24 + 4) + minutes(5) + seconds(6) + milliseconds(7)},
      {"100y", hours(100 * 365 * 24)},
  };
  for (const auto& c : kCases) {
    const Result<Duration> duration = ParseDuration(c.text);
    ASSERT_TRUE(duration) << c.text << ": " << duration.error().message;
    EXPECT_EQ(*duration, c.duration) << c.text;
  }
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      " ",
                                      "s",
                                      "5",
                                      "00",
                                      "-5s",
                                      "-0s",
                                      "+5s",
                                      "1.5h",
                                      "1h 30m",
                                      " 1h",
                                      "1h ",
                                      "1H",
                                      "5sec",
                                      "5µs",
                                      "1e3s",
                                      "0x5s",
                                      "30m1h",
                                      "1h1h",
                                      "1ms1s",
                                      "1h30",
                                      "101y",
                                      "100y1ms",
                                      "99y366d",
                                      "99999999999999999999s",
                                      "9223372036854775807ms",
                                      "9223372036854775807y"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(ParseDuration, SaysWhatItExpectedAndRepeatsLittleOfWhatItGot) {
  EXPECT_EQ(ParseDuration("1 day").error().message,
            "'1 day' is not a duration (expected one like 90s, 1h30m or 30d)");
  for (const std::string text : {"101y", "100y1ms", "99999999999999999y"}) {
    EXPECT_EQ(ParseDuration(text).error().message,
              "'" + text + "' is too long (expected at most 100y)");
  }
  EXPECT_EQ(
      ParseDuration(std::string(10'000, 'x')).error().message,
      "'" + std::string(40, 'x') + "' is not a duration (expected one like 90s, 1h30m or 30d)");
}

}  // namespace
}  // namespace registry_backend
