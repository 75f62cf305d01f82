#include "tests/dashboards/dashboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace registry_backend::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(DashboardQueries, VariablesAreReplacedByTheirValues) {
  const Values values = {{"job", "a"}, {"__range", "1h"}, {"__range_s", "3600"}};
  EXPECT_EQ(Substitute(R"(x{job=~"$job"}[$__range] - ${__range_s} - $other)", values),
            R"(x{job=~"a"}[1h] - 3600 - $other)");
}

TEST(DashboardQueries, SelectorsAreFoundWithWhatIsAroundThem) {
  const auto selectors = Selectors(R"(sum by (a) (rate(x_total{b="c"}[5m])) / y{} or up)");
  ASSERT_EQ(selectors.size(), 2U);
  EXPECT_EQ(selectors[0].metric, "x_total");
  EXPECT_EQ(selectors[0].matchers, R"(b="c")");
  EXPECT_EQ(selectors[0].range, "5m");
  EXPECT_EQ(selectors[0].function, "rate");
  EXPECT_EQ(selectors[1].metric, "y");
  EXPECT_EQ(selectors[1].function, "");
}

TEST(DashboardQueries, MetricsAreFoundWithoutBracesButNotInStrings) {
  EXPECT_THAT(MetricNames(R"(label_replace(up, "probe_x", "up", "", "") + process_start{a="up"})"),
              ElementsAre("up", "process_start"));
}

TEST(DashboardQueries, OperandsOfOrAreFoundAtAnyDepth) {
  EXPECT_THAT(OrOperands("a"), IsEmpty());
  EXPECT_THAT(OrOperands("max(a * 2 or b) > 1"), ElementsAre("a * 2", "b"));
  EXPECT_THAT(OrOperands(R"(count(a > 1 or (b unless c{d=" or ("})) or vector(0))"),
              ElementsAre("a > 1", R"((b unless c{d=" or ("}))",
                          R"(count(a > 1 or (b unless c{d=" or ("})))", "vector(0)"));
}

}  // namespace
}  // namespace registry_backend::testing
