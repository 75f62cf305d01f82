#include "exporter/common/time.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TimeText, IsUtc) {
  const WallTime time = WallTime(seconds(1749240552)) + milliseconds(7);
  EXPECT_EQ(FormatRfc3339(time), "2025-06-06T20:09:12.007Z");
  EXPECT_EQ(FormatUtcSeconds(time), "2025-06-06 20:09:12 UTC");
  EXPECT_DOUBLE_EQ(UnixSeconds(time), 1749240552.007);
}

TEST(TimeText, DurationsAreShownInTheUnitThatFits) {
  EXPECT_EQ(FormatDuration(milliseconds(250)), "250ms");
  EXPECT_EQ(FormatDuration(milliseconds(12340)), "12.3s");
  EXPECT_EQ(FormatDuration(seconds(250)), "4m10s");
  EXPECT_EQ(FormatDuration(seconds(3720)), "1h2m");
}

}  // namespace
}  // namespace registry_backend
