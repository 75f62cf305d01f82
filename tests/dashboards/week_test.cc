// Each query of the dashboards over a week as a Prometheus has it that scrapes once in some
// minutes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/dashboards/dashboard.h"
#include "tests/dashboards/history_prometheus.h"
#include "tests/dashboards/queries.h"

namespace registry_backend::testing {
namespace {

TEST(DashboardWeek, EachPanelShowsIt) {
  const HistoryPrometheus week;
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(week.end().time_since_epoch()).count();
  for (const Dashboard& dashboard : ReadDashboards(REGISTRY_BACKEND_SOURCE_DIR "/dashboards")) {
    EXPECT_THAT(Faults(week.server(), dashboard, {now - 7 * 86400, now}, Operands::kOne),
                ::testing::IsEmpty());
  }
}

}  // namespace
}  // namespace registry_backend::testing
