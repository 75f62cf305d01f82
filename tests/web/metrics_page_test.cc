#include "exporter/web/metrics_page.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace registry_backend {
namespace {

prometheus::MetricFamily Gauge(const std::string& name, double value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = value;
  return {name, "h", prometheus::MetricType::Gauge, {metric}};
}

std::string TextOf(const std::string& name, int value) {
  return "# HELP " + name + " h\n# TYPE " + name + " gauge\n" + name + " " + std::to_string(value) +
         "\n";
}

class MetricsPageTest : public ::testing::Test {
 protected:
  std::string Text(ExpositionFormat format = ExpositionFormat::kText) {
    return *page_.Text(format);
  }

  std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<const Snapshot>();
  int described_ = 0;
  int collected_ = 0;
  MetricsPage page_{{.current = [this] { return snapshot_; },
                     .describe =
                         [this](const Snapshot& snapshot) {
                           EXPECT_EQ(&snapshot, snapshot_.get());
                           return std::vector{Gauge("described", ++described_)};
                         },
                     .collect = [this] { return std::vector{Gauge("collected", ++collected_)}; }}};
};

TEST_F(MetricsPageTest, WritesASnapshotOnceAndTheRestEachTime) {
  EXPECT_EQ(Text(), TextOf("described", 1) + TextOf("collected", 1));
  EXPECT_EQ(Text(), TextOf("described", 1) + TextOf("collected", 2));
  EXPECT_EQ(Text(), TextOf("described", 1) + TextOf("collected", 3));
}

TEST_F(MetricsPageTest, WritesANewSnapshotAnew) {
  Text();
  snapshot_ = std::make_shared<const Snapshot>();
  EXPECT_EQ(Text(), TextOf("described", 2) + TextOf("collected", 2));
  EXPECT_EQ(Text(), TextOf("described", 2) + TextOf("collected", 3));
}

// A new one may lie where the old one lay.
TEST_F(MetricsPageTest, KeepsNoSnapshotAndTakesNoneForAnother) {
  Text();
  const std::weak_ptr<const Snapshot> old = snapshot_;
  snapshot_.reset();
  EXPECT_TRUE(old.expired());
  snapshot_ = std::make_shared<const Snapshot>();
  EXPECT_EQ(Text(), TextOf("described", 2) + TextOf("collected", 2));
}

TEST_F(MetricsPageTest, WritesEachFormatOfItsOwnWithOneEnd) {
  const auto open_metrics = ExpositionFormat::kOpenMetrics;
  Text();
  EXPECT_EQ(Text(open_metrics), TextOf("described", 2) + TextOf("collected", 2) + "# EOF\n");
  EXPECT_EQ(Text(), TextOf("described", 1) + TextOf("collected", 3));
  EXPECT_EQ(Text(open_metrics), TextOf("described", 2) + TextOf("collected", 4) + "# EOF\n");
}

}  // namespace
}  // namespace registry_backend
