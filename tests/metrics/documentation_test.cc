#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "exporter/inventory/apply.h"
#include "exporter/metrics/families.h"
#include "exporter/metrics/http_metrics.h"
#include "exporter/metrics/process.h"
#include "tests/support/markdown.h"

// docs/metrics.md has what is exposed: no more and no less.
namespace registry_backend {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using testing::CodeSpans;
using testing::TableRows;

struct Described {
  std::string type;
  std::set<std::string> labels;

  bool operator==(const Described&) const = default;
};
using Metrics = std::map<std::string, Described>;

void PrintTo(const Described& metric, std::ostream* out) {
  *out << metric.type << " with";
  for (const std::string& label : metric.labels) *out << " " << label;
}

std::string Document() {
  return testing::ReadDocument(REGISTRY_BACKEND_SOURCE_DIR "/docs/metrics.md");
}

Metrics DocumentedMetrics() {
  Metrics metrics;
  for (const auto& row : TableRows(Document(), "| name | type | labels | meaning |")) {
    EXPECT_EQ(row.size(), 4U) << row.front();
    if (row.size() != 4) continue;
    const std::vector<std::string> labels = CodeSpans(row[2]);
    for (const std::string& name : CodeSpans(row[0])) {
      EXPECT_TRUE(
          metrics.try_emplace(name, Described{row[1], {labels.begin(), labels.end()}}).second)
          << name << " is there twice";
      EXPECT_FALSE(row[3].empty()) << name;
    }
  }
  return metrics;
}

EndpointKey Endpoint(Serves serves, const std::string& host) {
  return {serves, *Host::Parse(host)};
}

ScanResult CompleteScan(WallTime end, const std::string& blob_host) {
  ScanResult result;
  result.outcome = ScanOutcome::kComplete;
  result.finished = end;
  result.asked = {1, 1, 2};
  result.endpoints[Endpoint(Serves::kApi, "registry.example")] = {{"", "", "", "direct"}, 0};
  result.endpoints[Endpoint(Serves::kBlobs, blob_host)] = {{"s3", "b", "us-east-1", "redirect"}, 2};
  return result;
}

// Everything that can be known of a target is known of this one.
Snapshot FullSnapshot() {
  const WallTime start = WallTime(std::chrono::hours(500'000));
  TargetSnapshot target{.name = "app",
                        .team = "platform",
                        .registry = "registry.example",
                        .repository = "team/app",
                        .interval = std::chrono::hours(6),
                        .next_scan = start};
  Apply(CompleteScan(start, "old.example"), {}, target.state);
  Apply(CompleteScan(start + std::chrono::hours(6), "new.example"), {}, target.state);
  target.state.tags = {{"v1", "type/index", "linux/amd64", 2}};
  target.policy =
      std::make_shared<const Policy>(Policy{{*HostPattern::Parse("new.example")}, {"us-east-1"}});
  return {{std::make_shared<const TargetSnapshot>(std::move(target))}};
}

// As the route of the metrics puts them together.
std::vector<MetricFamily> FullExposition() {
  const Snapshot snapshot = FullSnapshot();
  HttpMetrics http;
  http.OnRequest("registry.example", "tags", 200, std::chrono::milliseconds(5));
  http.OnRetry("registry.example", "timeout");
  std::vector<MetricFamily> families = TargetFamilies(snapshot);
  families.push_back(BuildInfoFamily({"1.0.0", "abc", "gcc"}));
  for (auto&& more :
       {StorageFamilies(snapshot), ReloadFamilies({}), http.Collect(), ProcessFamilies()}) {
    families.insert(families.end(), more.begin(), more.end());
  }
  return families;
}

std::string TypeName(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    default:
      return "another";
  }
}

Metrics ExposedMetrics() {
  Metrics metrics;
  for (const MetricFamily& family : FullExposition()) {
    for (const auto& series : family.metric) {
      Described described{TypeName(family.type), {}};
      for (const auto& label : series.label) described.labels.insert(label.name);
      const auto [known, added] = metrics.try_emplace(family.name, described);
      EXPECT_EQ(known->second, described) << family.name << " has series of different labels";
    }
  }
  return metrics;
}

TEST(MetricsDocumentation, HasEachMetricWithItsTypeAndLabels) {
  const Metrics documented = DocumentedMetrics();
  const Metrics exposed = ExposedMetrics();
  EXPECT_GT(exposed.size(), 50U);
  for (const auto& [name, metric] : exposed) {
    const auto found = documented.find(name);
    if (found == documented.end()) {
      ADD_FAILURE() << "docs/metrics.md lacks " << name;
    } else {
      EXPECT_EQ(found->second, metric) << name;
    }
  }
  for (const auto& [name, metric] : documented) {
    EXPECT_TRUE(exposed.contains(name))
        << "docs/metrics.md has " << name << ", which is not exposed";
  }
}

// Label → the row that says what its values are.
std::map<std::string, std::string> DocumentedLabels() {
  std::map<std::string, std::string> labels;
  for (const auto& row : TableRows(Document(), "| label | values |")) {
    for (const std::string& label : CodeSpans(row.at(0))) labels[label] = row.at(1);
  }
  return labels;
}

TEST(MetricsDocumentation, SaysOfEachLabelWhatItIs) {
  std::set<std::string> used;
  for (const auto& [name, metric] : ExposedMetrics()) {
    used.insert(metric.labels.begin(), metric.labels.end());
  }
  std::set<std::string> described;
  for (const auto& [label, values] : DocumentedLabels()) described.insert(label);
  EXPECT_EQ(described, used);
}

TEST(MetricsDocumentation, HasEachValueOfTheLabelsThatHaveFewOfThem) {
  std::map<std::string, std::set<std::string>> used;
  for (const MetricFamily& family : FullExposition()) {
    for (const auto& series : family.metric) {
      for (const auto& label : series.label) used[label.name].insert(label.value);
    }
  }
  std::map<std::string, std::string> labels = DocumentedLabels();
  for (const std::string label : {"serves", "outcome", "reason", "kind", "change"}) {
    const std::vector<std::string> values = CodeSpans(labels[label]);
    EXPECT_EQ(std::set(values.begin(), values.end()), used[label]) << label;
  }
}

}  // namespace
}  // namespace registry_backend
