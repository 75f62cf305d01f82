#include "exporter/metrics/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "exporter/inventory/apply.h"
#include "exporter/metrics/http_metrics.h"

namespace registry_backend {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

const WallTime kEnd = WallTime(std::chrono::seconds(1'795'424'400)) + milliseconds(250);
constexpr double kEndSeconds = 1'795'424'400.25;

// What a scraper sees: `name{label="value",…}` → value, without the prefix and without the labels
// registry and repository, which every series has.
using Series = std::map<std::string, double>;

Series SeriesOf(const Snapshot& snapshot) {
  Series series;
  for (const MetricFamily& family : TargetFamilies(snapshot)) {
    EXPECT_TRUE(family.name.starts_with("registry_backend_")) << family.name;
    EXPECT_TRUE(family.help.ends_with(".")) << family.name;
    EXPECT_EQ(family.type == MetricType::Counter, family.name.ends_with("_total")) << family.name;
    for (const ClientMetric& metric : family.metric) {
      std::string labels;
      for (const ClientMetric::Label& label : metric.label) {
        if (label.name == "registry") {
          EXPECT_EQ(label.value, "registry.example:5000");
        } else if (label.name == "repository") {
          EXPECT_EQ(label.value, "team/app");
        } else {
          labels += (labels.empty() ? "" : ",") + label.name + "=\"" + label.value + "\"";
        }
      }
      if (!labels.empty()) labels = "{" + labels + "}";
      const auto [at, added] = series.emplace(
          family.name.substr(17) + labels,
          family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value);
      EXPECT_TRUE(added) << at->first << " is there twice";
    }
  }
  return series;
}

TargetSnapshot Target() {
  return {.name = "app",
          .team = "platform",
          .registry = "registry.example:5000",
          .repository = "team/app",
          .interval = hours(6)};
}

Series SeriesOf(TargetSnapshot target) {
  return SeriesOf(Snapshot{{std::make_shared<const TargetSnapshot>(std::move(target))}});
}

EndpointKey Endpoint(Serves serves, const std::string& host) {
  return {serves, *Host::Parse(host)};
}

ScanResult Scan(ScanOutcome outcome) {
  ScanResult result;
  result.outcome = outcome;
  result.finished = kEnd;
  result.took = milliseconds(1500);
  result.asked = {4, 10, 86};
  result.endpoints[Endpoint(Serves::kApi, "registry.example:5000")] = {{"", "", "", "direct"}, 0};
  result.endpoints[Endpoint(Serves::kBlobs, "b.s3.us-east-1.amazonaws.com")] = {
      {"s3", "b", "us-east-1", "redirect"}, 86};
  return result;
}

ScanResult PartialScan() {
  ScanResult result = Scan(ScanOutcome::kPartial);
  result.unresolved = {1, 2, 17};
  result.unpullable = {3, 4, 5};
  for (int i = 0; i < 20; ++i) {
    result.AddError({ScanError::Scope::kTag, "v1", "", {ErrorKind::kRateLimited, "slow"}});
  }
  result.AddError({ScanError::Scope::kBlob, "", "d", {ErrorKind::kTimeout, "slower"}});
  return result;
}

ScanResult FailedScan() {
  ScanResult result;
  result.finished = kEnd + hours(1);
  result.took = milliseconds(250);
  result.AddError({ScanError::Scope::kTarget, "", "", {ErrorKind::kAuth, "no"}});
  return result;
}

TEST(TargetFamilies, BeforeAnyScanThereAreNoResultsAndNoTimestamps) {
  EXPECT_EQ(SeriesOf(Target()), (Series{
                                    {"target_info{target=\"app\",team=\"platform\"}", 1},
                                    {"scan_interval_seconds", 21'600},
                                    {"scan_in_progress", 0},
                                    {"scan_consecutive_failures", 0},
                                    {"scans_total{outcome=\"complete\"}", 0},
                                    {"scans_total{outcome=\"partial\"}", 0},
                                    {"scans_total{outcome=\"failed\"}", 0},
                                    {"scan_failures_total{reason=\"auth\"}", 0},
                                    {"scan_failures_total{reason=\"credentials\"}", 0},
                                    {"scan_failures_total{reason=\"rate_limited\"}", 0},
                                    {"scan_failures_total{reason=\"timeout\"}", 0},
                                    {"scan_failures_total{reason=\"dns\"}", 0},
                                    {"scan_failures_total{reason=\"connect\"}", 0},
                                    {"scan_failures_total{reason=\"tls\"}", 0},
                                    {"scan_failures_total{reason=\"http\"}", 0},
                                    {"scan_failures_total{reason=\"protocol\"}", 0},
                                    {"scan_failures_total{reason=\"digest\"}", 0},
                                    {"scan_failures_total{reason=\"storage\"}", 0},
                                    {"scan_failures_total{reason=\"internal\"}", 0},
                                    {"endpoints{serves=\"api\"}", 0},
                                    {"endpoints{serves=\"tokens\"}", 0},
                                    {"endpoints{serves=\"manifests\"}", 0},
                                    {"endpoints{serves=\"blobs\"}", 0},
                                    {"endpoint_changes_total{change=\"added\"}", 0},
                                    {"endpoint_changes_total{change=\"removed\"}", 0},
                                    {"endpoints_dropped", 0},
                                }));
}

TEST(TargetFamilies, ShowWhatGoesOn) {
  TargetSnapshot target = Target();
  target.scanning = true;
  target.next_scan = kEnd;
  const Series series = SeriesOf(target);
  EXPECT_THAT(series, Contains(Pair("scan_in_progress", 1)));
  EXPECT_THAT(series, Contains(Pair("scan_next_timestamp_seconds", kEndSeconds)));
}

TEST(TargetFamilies, AfterACompleteScan) {
  TargetSnapshot target = Target();
  const Series before = SeriesOf(target);
  registry_backend::Apply(Scan(ScanOutcome::kComplete), {}, target.state);
  Series added = SeriesOf(target);
  EXPECT_EQ(added.at("scans_total{outcome=\"complete\"}"), 1);
  EXPECT_EQ(added.at("endpoints{serves=\"api\"}"), 1);
  EXPECT_EQ(added.at("endpoints{serves=\"blobs\"}"), 1);
  for (const auto& [name, value] : before) EXPECT_EQ(added.erase(name), 1U) << name;

  const std::string api = "serves=\"api\",backend_host=\"registry.example:5000\"";
  const std::string s3 = "serves=\"blobs\",backend_host=\"b.s3.us-east-1.amazonaws.com\"";
  EXPECT_EQ(added, (Series{
                       {"baseline_timestamp_seconds", kEndSeconds},
                       {"scan_outcome{outcome=\"complete\"}", 1},
                       {"scan_outcome{outcome=\"partial\"}", 0},
                       {"scan_outcome{outcome=\"failed\"}", 0},
                       {"scan_success", 1},
                       {"scan_error{reason=\"auth\"}", 0},
                       {"scan_error{reason=\"credentials\"}", 0},
                       {"scan_error{reason=\"rate_limited\"}", 0},
                       {"scan_error{reason=\"timeout\"}", 0},
                       {"scan_error{reason=\"dns\"}", 0},
                       {"scan_error{reason=\"connect\"}", 0},
                       {"scan_error{reason=\"tls\"}", 0},
                       {"scan_error{reason=\"http\"}", 0},
                       {"scan_error{reason=\"protocol\"}", 0},
                       {"scan_error{reason=\"digest\"}", 0},
                       {"scan_error{reason=\"storage\"}", 0},
                       {"scan_error{reason=\"internal\"}", 0},
                       {"scan_coverage_ratio", 1},
                       {"scan_duration_seconds", 1.5},
                       {"scan_timestamp_seconds", kEndSeconds},
                       {"scan_last_success_timestamp_seconds", kEndSeconds},
                       {"scan_tags", 4},
                       {"scan_manifests", 10},
                       {"scan_blobs", 86},
                       {"scan_unresolved_tags", 0},
                       {"scan_unresolved_manifests", 0},
                       {"scan_unresolved_blobs", 0},
                       {"scan_unpullable{kind=\"tag\"}", 0},
                       {"scan_unpullable{kind=\"manifest\"}", 0},
                       {"scan_unpullable{kind=\"blob\"}", 0},
                       {"endpoint_present{" + api + "}", 1},
                       {"endpoint_present{" + s3 + "}", 1},
                       {"endpoint_info{" + api +
                            ",provider=\"\",bucket=\"\",storage_region=\"\",delivery=\"direct\"}",
                        1},
                       {"endpoint_info{" + s3 +
                            ",provider=\"s3\",bucket=\"b\",storage_region=\"us-east-1\",delivery="
                            "\"redirect\"}",
                        1},
                       {"endpoint_blobs{" + api + "}", 0},
                       {"endpoint_blobs{" + s3 + "}", 86},
                       {"endpoint_first_seen_timestamp_seconds{" + api + "}", kEndSeconds},
                       {"endpoint_first_seen_timestamp_seconds{" + s3 + "}", kEndSeconds},
                       {"endpoint_last_seen_timestamp_seconds{" + api + "}", kEndSeconds},
                       {"endpoint_last_seen_timestamp_seconds{" + s3 + "}", kEndSeconds},
                   }));
}

TEST(TargetFamilies, AfterAPartialScan) {
  TargetSnapshot target = Target();
  registry_backend::Apply(PartialScan(), {}, target.state);
  const Series series = SeriesOf(target);
  const Series expected = {
      {"scan_outcome{outcome=\"complete\"}", 0},
      {"scan_outcome{outcome=\"partial\"}", 1},
      {"scan_success", 0},
      {"scan_error{reason=\"rate_limited\"}", 1},
      {"scan_error{reason=\"timeout\"}", 1},
      {"scan_error{reason=\"auth\"}", 0},
      {"scan_failures_total{reason=\"rate_limited\"}", 1},
      {"scan_failures_total{reason=\"timeout\"}", 0},
      {"scan_consecutive_failures", 1},
      {"scans_total{outcome=\"partial\"}", 1},
      {"scan_coverage_ratio", 0.8},
      {"scan_tags", 4},
      {"scan_unresolved_tags", 1},
      {"scan_unresolved_manifests", 2},
      {"scan_unresolved_blobs", 17},
      {"scan_unpullable{kind=\"tag\"}", 3},
      {"scan_unpullable{kind=\"manifest\"}", 4},
      {"scan_unpullable{kind=\"blob\"}", 5},
      {"endpoints{serves=\"blobs\"}", 1},
  };
  for (const auto& [name, value] : expected) EXPECT_THAT(series, Contains(Pair(name, value)));
  EXPECT_THAT(series, Not(Contains(Key("scan_last_success_timestamp_seconds"))));
  EXPECT_THAT(series, Not(Contains(Key(::testing::StartsWith("endpoint_blobs")))))
      << "only complete scans count them";
}

TEST(TargetFamilies, AFailedScanLeavesSizesCoverageAndEndpointsAsTheyWere) {
  TargetSnapshot target = Target();
  registry_backend::Apply(PartialScan(), {}, target.state);
  const Series before = SeriesOf(target);
  registry_backend::Apply(FailedScan(), {}, target.state);
  Series series = SeriesOf(target);
  const Series changed = {
      {"scan_outcome{outcome=\"partial\"}", 0},
      {"scan_outcome{outcome=\"failed\"}", 1},
      {"scan_error{reason=\"rate_limited\"}", 0},
      {"scan_error{reason=\"timeout\"}", 0},
      {"scan_error{reason=\"auth\"}", 1},
      {"scan_failures_total{reason=\"auth\"}", 1},
      {"scan_consecutive_failures", 2},
      {"scans_total{outcome=\"failed\"}", 1},
      {"scan_duration_seconds", 0.25},
      {"scan_timestamp_seconds", kEndSeconds + 3600},
  };
  for (const auto& [name, value] : changed) {
    EXPECT_THAT(series, Contains(Pair(name, value)));
    series[name] = before.at(name);
  }
  EXPECT_EQ(series, before);
}

TEST(TargetFamilies, AFirstScanThatFailsHasNoSizes) {
  TargetSnapshot target = Target();
  registry_backend::Apply(FailedScan(), {}, target.state);
  const Series series = SeriesOf(target);
  EXPECT_THAT(series, Contains(Pair("scan_outcome{outcome=\"failed\"}", 1)));
  for (const std::string name : {"scan_coverage_ratio", "scan_tags", "scan_manifests", "scan_blobs",
                                 "scan_unresolved_tags", "scan_unresolved_manifests",
                                 "scan_unresolved_blobs", "scan_last_success_timestamp_seconds"}) {
    EXPECT_THAT(series, Not(Contains(Key(name))));
  }
  EXPECT_THAT(series, Not(Contains(Key(::testing::StartsWith("scan_unpullable")))));
}

TEST(TargetFamilies, AnAbsentEndpointIsAnExplicitZero) {
  TargetSnapshot target = Target();
  registry_backend::Apply(Scan(ScanOutcome::kComplete), {}, target.state);
  ScanResult moved = Scan(ScanOutcome::kComplete);
  moved.finished = kEnd + minutes(60);
  moved.endpoints.erase(Endpoint(Serves::kBlobs, "b.s3.us-east-1.amazonaws.com"));
  moved.endpoints[Endpoint(Serves::kBlobs, "cdn.example")] = {{"", "", "", "redirect"}, 86};
  registry_backend::Apply(moved, {}, target.state);

  const Series series = SeriesOf(target);
  const std::string gone = "{serves=\"blobs\",backend_host=\"b.s3.us-east-1.amazonaws.com\"}";
  EXPECT_THAT(series, Contains(Pair("endpoint_present" + gone, 0)));
  EXPECT_THAT(series, Contains(Pair("endpoint_blobs" + gone, 0)));
  EXPECT_THAT(series, Contains(Pair("endpoint_last_seen_timestamp_seconds" + gone, kEndSeconds)));
  EXPECT_THAT(series,
              Contains(Pair("endpoint_present{serves=\"blobs\",backend_host=\"cdn.example\"}", 1)));
  EXPECT_THAT(series, Contains(Pair("endpoints{serves=\"blobs\"}", 1)));
}

TEST(TargetFamilies, OneHostMayServeSeveralThings) {
  TargetSnapshot target = Target();
  ScanResult result = Scan(ScanOutcome::kComplete);
  for (const Serves serves : kAllServes) result.endpoints[Endpoint(serves, "one.example")] = {};
  registry_backend::Apply(result, {}, target.state);
  const Series series = SeriesOf(target);
  for (const std::string serves : {"api", "tokens", "manifests", "blobs"}) {
    EXPECT_THAT(series, Contains(Pair("endpoint_present{serves=\"" + serves +
                                          "\",backend_host=\"one.example\"}",
                                      1)));
  }
  EXPECT_THAT(series, Contains(Pair("endpoints{serves=\"tokens\"}", 1)));
  EXPECT_THAT(series, Contains(Pair("endpoints{serves=\"blobs\"}", 2)));
}

// The label names of every family that exists so far, in CONTRACT.md §7.
TEST(TargetFamilies, HaveExactlyTheirLabels) {
  const std::vector<std::string> target = {"registry", "repository"};
  const auto and_also = [](std::vector<std::string> labels, std::vector<std::string> more) {
    labels.insert(labels.end(), more.begin(), more.end());
    return labels;
  };
  const auto endpoint = and_also(target, {"serves", "backend_host"});
  const std::map<std::string, std::vector<std::string>> expected = {
      {"target_info", and_also(target, {"target", "team"})},
      {"scan_outcome", and_also(target, {"outcome"})},
      {"scan_success", target},
      {"scan_error", and_also(target, {"reason"})},
      {"scan_consecutive_failures", target},
      {"scan_coverage_ratio", target},
      {"scan_duration_seconds", target},
      {"scan_timestamp_seconds", target},
      {"scan_last_success_timestamp_seconds", target},
      {"scan_next_timestamp_seconds", target},
      {"scan_interval_seconds", target},
      {"scan_in_progress", target},
      {"scans_total", and_also(target, {"outcome"})},
      {"scan_failures_total", and_also(target, {"reason"})},
      {"scan_tags", target},
      {"scan_manifests", target},
      {"scan_blobs", target},
      {"scan_unresolved_tags", target},
      {"scan_unresolved_manifests", target},
      {"scan_unresolved_blobs", target},
      {"scan_unpullable", and_also(target, {"kind"})},
      {"endpoints", and_also(target, {"serves"})},
      {"endpoint_present", endpoint},
      {"endpoint_info", and_also(endpoint, {"provider", "bucket", "storage_region", "delivery"})},
      {"endpoint_blobs", endpoint},
      {"endpoint_first_seen_timestamp_seconds", endpoint},
      {"endpoint_last_seen_timestamp_seconds", endpoint},
      {"endpoint_changed_timestamp_seconds", endpoint},
      {"endpoint_changes_total", and_also(target, {"change"})},
      {"last_change_timestamp_seconds", target},
      {"baseline_timestamp_seconds", target},
      {"endpoints_dropped", target},
      {"endpoint_approved", endpoint},
      {"endpoint_region_allowed", endpoint},
      {"approved_host_observed", and_also(target, {"approved_host"})},
      {"tag_info", and_also(target, {"tag", "media_type", "platforms"})},
      {"tag_blobs", and_also(target, {"tag"})},
  };
  TargetSnapshot snapshot = Target();
  snapshot.next_scan = kEnd;
  snapshot.policy = std::make_shared<const Policy>(
      Policy{.approved_hosts = {*HostPattern::Parse("*.example")}, .allowed_regions = {"unknown"}});
  ScanResult empty = Scan(ScanOutcome::kComplete);
  empty.endpoints.clear();
  for (const ScanResult& scan : {empty, Scan(ScanOutcome::kComplete)}) {
    registry_backend::Apply(scan, {}, snapshot.state);
  }
  snapshot.state.tags = {{"v1", "type", "linux/amd64", 1}};
  std::map<std::string, std::vector<std::string>> actual;
  for (const MetricFamily& family :
       TargetFamilies({{std::make_shared<const TargetSnapshot>(snapshot)}})) {
    for (const ClientMetric& metric : family.metric) {
      std::vector<std::string> labels;
      for (const ClientMetric::Label& label : metric.label) labels.push_back(label.name);
      const auto [at, added] = actual.emplace(family.name.substr(17), labels);
      EXPECT_EQ(at->second, labels) << family.name << ": its series differ in their labels";
    }
  }
  EXPECT_EQ(actual, expected);
}

TEST(TargetFamilies, HoldEachTargetInOneFamily) {
  TargetSnapshot other = Target();
  other.registry = "other.example";
  std::set<std::string> names;
  for (const MetricFamily& family :
       TargetFamilies({{std::make_shared<const TargetSnapshot>(Target()),
                        std::make_shared<const TargetSnapshot>(other)}})) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    EXPECT_EQ(family.metric.front().label.front().value, "registry.example:5000");
    EXPECT_EQ(family.metric.back().label.front().value, "other.example");
  }
  EXPECT_FALSE(names.empty());
  EXPECT_TRUE(TargetFamilies({}).empty());
}

TEST(TargetFamilies, AChangeHasItsTimeAndItsCount) {
  TargetSnapshot target = Target();
  ScanResult empty = Scan(ScanOutcome::kComplete);
  empty.endpoints.clear();
  registry_backend::Apply(empty, {}, target.state);
  registry_backend::Apply(Scan(ScanOutcome::kComplete), {}, target.state);
  const Series series = SeriesOf(target);
  EXPECT_EQ(series.at("endpoint_changes_total{change=\"added\"}"), 2);
  EXPECT_EQ(series.at("endpoint_changes_total{change=\"removed\"}"), 0);
  EXPECT_EQ(series.at("last_change_timestamp_seconds"), kEndSeconds);
  EXPECT_EQ(series.at("endpoint_changed_timestamp_seconds{serves=\"blobs\",backend_host=\"b.s3.us-"
                      "east-1.amazonaws.com\"}"),
            kEndSeconds);
}

TEST(StorageFamilies, AreGoodOnlyWhereEveryTargetIs) {
  const auto values = [](bool loaded, bool saved) {
    TargetSnapshot bad = Target();
    bad.loaded = loaded;
    bad.saved = saved;
    std::vector<double> found;
    for (const MetricFamily& family :
         StorageFamilies({{std::make_shared<const TargetSnapshot>(Target()),
                           std::make_shared<const TargetSnapshot>(bad)}})) {
      EXPECT_TRUE(family.name.starts_with("registry_backend_exporter_inventory_"));
      found.push_back(family.metric.at(0).gauge.value);
    }
    return found;
  };
  EXPECT_EQ(values(true, true), (std::vector<double>{1, 1}));
  EXPECT_EQ(values(false, true), (std::vector<double>{0, 1}));
  EXPECT_EQ(values(true, false), (std::vector<double>{1, 0}));
}

TEST(BuildInfoFamily, SaysWhatTheProgramIs) {
  const MetricFamily family = BuildInfoFamily({"1.2.3", "abc", "g++ 12"});
  EXPECT_EQ(family.name, "registry_backend_exporter_build_info");
  EXPECT_FALSE(family.help.empty());
  ASSERT_EQ(family.metric.size(), 1U);
  EXPECT_EQ(family.metric[0].gauge.value, 1);
  EXPECT_THAT(family.metric[0].label, ElementsAre(ClientMetric::Label{"version", "1.2.3"},
                                                  ClientMetric::Label{"revision", "abc"},
                                                  ClientMetric::Label{"compiler", "g++ 12"}));
}

TEST(HttpMetrics, CountAndTimeRequests) {
  HttpMetrics metrics;
  metrics.OnRequest("registry.example", "blob", 307, milliseconds(20));
  metrics.OnRequest("registry.example", "blob", 307, milliseconds(400));
  metrics.OnRequest("registry.example", "blob", 0, std::chrono::seconds(60));
  metrics.OnRetry("registry.example", "timeout");

  const auto labels = [](const ClientMetric& metric) {
    std::map<std::string, std::string> found;
    for (const auto& label : metric.label) found[label.name] = label.value;
    return found;
  };
  std::map<std::string, MetricFamily> families;
  for (const MetricFamily& family : metrics.Collect()) {
    EXPECT_FALSE(family.help.empty());
    families[family.name] = family;
  }
  ASSERT_THAT(families, ElementsAre(Key("registry_backend_http_request_duration_seconds"),
                                    Key("registry_backend_http_requests_total"),
                                    Key("registry_backend_http_retries_total")));

  std::map<std::map<std::string, std::string>, double> requests;
  for (const auto& metric : families["registry_backend_http_requests_total"].metric) {
    requests[labels(metric)] = metric.counter.value;
  }
  EXPECT_THAT(requests,
              ElementsAre(Pair(std::map<std::string, std::string>{{"registry", "registry.example"},
                                                                  {"operation", "blob"},
                                                                  {"code", "307"}},
                               2),
                          Pair(std::map<std::string, std::string>{{"registry", "registry.example"},
                                                                  {"operation", "blob"},
                                                                  {"code", "error"}},
                               1)));

  const auto& durations = families["registry_backend_http_request_duration_seconds"].metric;
  ASSERT_EQ(durations.size(), 1U);
  EXPECT_THAT(labels(durations[0]),
              ElementsAre(Pair("operation", "blob"), Pair("registry", "registry.example")));
  EXPECT_EQ(durations[0].histogram.sample_count, 3U);
  EXPECT_DOUBLE_EQ(durations[0].histogram.sample_sum, 60.42);
  for (const auto& bucket : durations[0].histogram.bucket) {
    const std::uint64_t expected = bucket.upper_bound < 0.02  ? 0
                                   : bucket.upper_bound < 0.4 ? 1
                                   : bucket.upper_bound < 60  ? 2
                                                              : 3;
    EXPECT_EQ(bucket.cumulative_count, expected) << bucket.upper_bound;
  }

  const auto& retries = families["registry_backend_http_retries_total"].metric;
  ASSERT_EQ(retries.size(), kRetriedErrorKinds.size()) << "all reasons are there from 0";
  for (const auto& retry : retries) {
    EXPECT_EQ(labels(retry).at("registry"), "registry.example");
    EXPECT_EQ(retry.counter.value, labels(retry).at("reason") == "timeout" ? 1 : 0);
  }
}

TEST(TargetFamilies, ADrillIsNoneOfTheCountsAndHasTwoSeries) {
  TargetSnapshot target = Target();
  Apply(Scan(ScanOutcome::kComplete), {}, target.state);
  target.policy = std::make_shared<const Policy>(
      Policy{{*HostPattern::Parse("*.registry-backend.invalid")}, {"us-east-1"}});
  const Series before = SeriesOf(target);
  target.drill = {.serves = Serves::kManifests, .present = false, .vanishes = kEnd};
  Series expected = before;
  const std::string labels =
      "{serves=\"manifests\",backend_host=\"drill.registry-backend.invalid\"}";
  expected["endpoint_present" + labels] = 0;
  expected["endpoint_changed_timestamp_seconds" + labels] = kEndSeconds;
  EXPECT_EQ(SeriesOf(target), expected);
}

// Prometheus refuses a scrape that has one series twice.
TEST(TargetFamilies, WhereARegistryNamesTheHostOfTheDrillThatIsWhatIsShown) {
  TargetSnapshot target = Target();
  ScanResult scan = Scan(ScanOutcome::kComplete);
  scan.endpoints[Endpoint(Serves::kBlobs, std::string(Drill::kHost))] = {{}, 1};
  Apply(scan, {}, target.state);
  const Series before = SeriesOf(target);
  target.drill = {.serves = Serves::kBlobs, .present = false, .vanishes = kEnd};
  EXPECT_EQ(SeriesOf(target), before);
}

}  // namespace
}  // namespace registry_backend
