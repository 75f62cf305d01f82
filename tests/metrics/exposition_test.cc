#include "exporter/metrics/exposition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace registry_backend {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

MetricFamily One(MetricType type, const std::string& name, std::vector<ClientMetric::Label> labels,
                 double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (type == MetricType::Counter ? metric.counter.value
   : type == MetricType::Gauge ? metric.gauge.value
                               : metric.untyped.value) = value;
  return {name, "Help of " + name + ".", type, {metric}};
}

MetricFamily Histogram(std::vector<ClientMetric::Bucket> buckets) {
  ClientMetric metric;
  metric.label = {{"operation", "blob"}};
  metric.histogram = {12, 3.25, std::move(buckets)};
  return {"seconds", "Time.", MetricType::Histogram, {metric}};
}

MetricFamily Summary() {
  ClientMetric metric;
  metric.summary = {3, 1.5, {{0.5, 0.25}}};
  return {"wait", "Waits.", MetricType::Summary, {metric}};
}

std::string Text(const std::vector<MetricFamily>& families) {
  return WriteExposition(families, ExpositionFormat::kText);
}

std::string OpenMetrics(const std::vector<MetricFamily>& families) {
  return WriteExposition(families, ExpositionFormat::kOpenMetrics);
}

TEST(Exposition, WritesTheTextFormat) {
  MetricFamily scans = One(MetricType::Counter, "scans_total", {{"outcome", "complete"}}, 3);
  scans.metric.push_back(scans.metric[0]);
  scans.metric[1].label[0].value = "failed";
  scans.metric[1].counter.value = 0;
  EXPECT_EQ(Text({scans, One(MetricType::Gauge, "up", {}, 1),
                  One(MetricType::Gauge, "info", {{"a", "1"}, {"b", ""}}, 1),
                  One(MetricType::Untyped, "thing", {}, 2),
                  Histogram({{4, 0.005}, {10, 1}, {12, kInfinity}}), Summary()}),
            "# HELP scans_total Help of scans_total.\n"
            "# TYPE scans_total counter\n"
            "scans_total{outcome=\"complete\"} 3\n"
            "scans_total{outcome=\"failed\"} 0\n"
            "# HELP up Help of up.\n"
            "# TYPE up gauge\n"
            "up 1\n"
            "# HELP info Help of info.\n"
            "# TYPE info gauge\n"
            "info{a=\"1\",b=\"\"} 1\n"
            "# HELP thing Help of thing.\n"
            "# TYPE thing untyped\n"
            "thing 2\n"
            "# HELP seconds Time.\n"
            "# TYPE seconds histogram\n"
            "seconds_bucket{operation=\"blob\",le=\"0.005\"} 4\n"
            "seconds_bucket{operation=\"blob\",le=\"1\"} 10\n"
            "seconds_bucket{operation=\"blob\",le=\"+Inf\"} 12\n"
            "seconds_sum{operation=\"blob\"} 3.25\n"
            "seconds_count{operation=\"blob\"} 12\n"
            "# HELP wait Waits.\n"
            "# TYPE wait summary\n"
            "wait{quantile=\"0.5\"} 0.25\n"
            "wait_sum 1.5\n"
            "wait_count 3\n");
  EXPECT_EQ(Text({}), "");
}

TEST(Exposition, WritesOpenMetrics) {
  EXPECT_EQ(OpenMetrics({One(MetricType::Counter, "scans_total", {{"outcome", "complete"}}, 3),
                         One(MetricType::Gauge, "files_total", {}, 1),
                         One(MetricType::Untyped, "thing", {}, 2),
                         Histogram({{4, 0.005}, {10, 1}, {12, kInfinity}})}),
            "# HELP scans Help of scans_total.\n"
            "# TYPE scans counter\n"
            "scans_total{outcome=\"complete\"} 3\n"
            "# HELP files_total Help of files_total.\n"
            "# TYPE files_total gauge\n"
            "files_total 1\n"
            "# HELP thing Help of thing.\n"
            "# TYPE thing unknown\n"
            "thing 2\n"
            "# HELP seconds Time.\n"
            "# TYPE seconds histogram\n"
            "seconds_bucket{operation=\"blob\",le=\"0.005\"} 4\n"
            "seconds_bucket{operation=\"blob\",le=\"1.0\"} 10\n"
            "seconds_bucket{operation=\"blob\",le=\"+Inf\"} 12\n"
            "seconds_sum{operation=\"blob\"} 3.25\n"
            "seconds_count{operation=\"blob\"} 12\n"
            "# EOF\n");
  EXPECT_EQ(OpenMetrics({}), "# EOF\n");
}

TEST(Exposition, AddsTheLastBucketWhereItIsMissing) {
  EXPECT_EQ(Text({Histogram({{10, 2}})}),
            "# HELP seconds Time.\n"
            "# TYPE seconds histogram\n"
            "seconds_bucket{operation=\"blob\",le=\"2\"} 10\n"
            "seconds_bucket{operation=\"blob\",le=\"+Inf\"} 12\n"
            "seconds_sum{operation=\"blob\"} 3.25\n"
            "seconds_count{operation=\"blob\"} 12\n");
}

TEST(Exposition, EscapesHelpAndLabelsAsEachFormatWants) {
  MetricFamily family = One(MetricType::Gauge, "m", {{"l", "a\\b\"c\nd\te ü"}}, 1);
  family.help = "a\\b\"c\nd";
  EXPECT_EQ(Text({family}),
            "# HELP m a\\\\b\"c\\nd\n"
            "# TYPE m gauge\n"
            "m{l=\"a\\\\b\\\"c\\nd\te ü\"} 1\n");
  EXPECT_EQ(OpenMetrics({family}),
            "# HELP m a\\\\b\\\"c\\nd\n"
            "# TYPE m gauge\n"
            "m{l=\"a\\\\b\\\"c\\nd\te ü\"} 1\n"
            "# EOF\n");
}

TEST(Exposition, WritesNumbersSoThatTheyAreReadBackExactly) {
  const struct {
    double value;
    std::string_view text;
  } kCases[] = {
      {0, "0"},
      {-0.0, "0"},
      {-1, "-1"},
      {0.1, "0.1"},
      {1.0 / 3, "0.3333333333333333"},
      {1'795'424'400, "1795424400"},
      {1'795'424'400.25, "1795424400.25"},
      {999'999'999'999'999, "999999999999999"},
      {1e15, "1e+15"},
      {9007199254740993.0, "9007199254740992"},
      {1.8446744073709552e19, "18446744073709551616"},
      {1e300, "1e+300"},
      {-1e300, "-1e+300"},
      {5e-324, "5e-324"},
      {std::nan(""), "NaN"},
      {kInfinity, "+Inf"},
      {-kInfinity, "-Inf"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Text({One(MetricType::Gauge, "m", {}, c.value)}),
              "# HELP m Help of m.\n# TYPE m gauge\nm " + std::string(c.text) + "\n");
  }
}

TEST(Exposition, OpenMetricsBoundsAreFloatingPointNumbers) {
  const std::string text =
      OpenMetrics({Histogram({{0, -1}, {0, 0}, {0, 0.25}, {0, 30}, {0, 1e15}, {0, 1e21}})});
  for (const std::string_view bound :
       {"\"-1.0\"", "\"0.0\"", "\"0.25\"", "\"30.0\"", "\"1e+15\"", "\"1e+21\"", "\"+Inf\""}) {
    EXPECT_NE(text.find("le=" + std::string(bound) + "}"), std::string::npos) << bound << "\n"
                                                                              << text;
  }
}

TEST(NegotiateFormat, ReadsAccept) {
  constexpr auto kText = ExpositionFormat::kText;
  constexpr auto kOpen = ExpositionFormat::kOpenMetrics;
  const struct {
    std::string_view accept;
    ExpositionFormat format;
  } kCases[] = {
      // Prometheus 2 and 3
      {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
       "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
       kOpen},
      {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
       "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
       "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
       kOpen},
      {"*/*", kText},
      {"", kText},
      {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", kText},
      {"application/openmetrics-text", kOpen},
      {"application/openmetrics-text; version=1.0.0; charset=utf-8", kOpen},
      {"text/plain, application/openmetrics-text", kOpen},
      {" text/plain ; q=0.5 ,  application/openmetrics-text ; q=0.6 ", kOpen},
      {"text/plain;q=0.9,application/openmetrics-text;q=0.8", kText},
      {"application/openmetrics-text;q=0.8;version=1.0.0,text/plain;version=0.0.4", kText},
      {"application/openmetrics-text;q=0", kText},
      {"application/openmetrics-textual", kText},
      {"x-application/openmetrics-text", kText},
      {",,;q=,;", kText},
      {"application/openmetrics-text;q=x", kOpen},
  };
  for (const auto& c : kCases) EXPECT_EQ(NegotiateFormat(c.accept), c.format) << c.accept;
}

TEST(ContentType, NamesFormatVersionAndCharset) {
  EXPECT_EQ(ContentType(ExpositionFormat::kText), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(ContentType(ExpositionFormat::kOpenMetrics),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace registry_backend
