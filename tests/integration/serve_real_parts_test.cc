// `registry_backend_exporter serve` between the packaged registry and the packaged Prometheus.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "tests/integration/docker_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/prometheus_server.h"
#include "tests/integration/team_app.h"
#include "tests/support/eventually.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using std::chrono::seconds;

constexpr char kWrongPassword[] = "wrong-p4ssw0rd-of-the-test";

// A registry with team/app that redirects to kBucketHost, and the exporter's files for it.
class ServeOnRealRegistry : public ::testing::Test {
 protected:
  void SetUp() override {
    app_ = PushTeamApp(registry_, kBucketHost);
    SetPassword(kPassword);
    WriteFile(directory_ / "config.yml",
              "scan: {interval: 24h, max_requests_per_second: 0}\n"
              "targets:\n"
              "  - registry: " +
                  registry_.url() +
                  "\n"
                  "    repository: team/app\n"
                  "    basic_auth: {username: user, password_file: password.txt}\n");
  }

  void SetPassword(const std::string& password) {
    WriteFile(directory_ / "password.txt", password + "\n");
  }

  std::unique_ptr<ExporterProcess> Serve() {
    return std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
        std::vector<std::string>{"--web.enable-lifecycle", "--storage.path",
                                 (directory_ / "storage").string()});
  }

  // The labels registry and repository, and `more`.
  Labels Target(const Labels& more = {}) const {
    Labels labels = {{"registry", registry_.host()}, {"repository", kRepository}};
    labels.insert(more.begin(), more.end());
    return labels;
  }

  Labels Endpoint(const std::string& host) const {
    return Target({{"serves", "blobs"}, {"backend_host", host}});
  }

  // The same as a PromQL selector.
  static std::string Selector(const std::string& name, const Labels& labels) {
    std::string text = name + "{";
    for (const auto& [label, value] : labels) text += label + "=\"" + value + "\",";
    return text + "}";
  }

  bool FirstScanIsComplete(const ExporterProcess& exporter) const {
    return Eventually(seconds(30), [&] {
      return exporter.Metric("registry_backend_scan_outcome", Target({{"outcome", "complete"}})) ==
             1;
    });
  }

  void ExpectNoSecretIn(const std::string& text) const {
    EXPECT_EQ(text.find(kPassword), std::string::npos);
    EXPECT_EQ(text.find(kWrongPassword), std::string::npos);
  }

  const TempDir directory_;
  DockerRegistry registry_{{.username = kUser, .password = kPassword}};
  TeamApp app_;
};

// `linux/amd64,linux/arm64`; empty for a bare manifest.
std::string PlatformsOf(const PushedTag& tag) {
  std::set<std::string> platforms;
  for (const PushedImage& image : tag.images) platforms.insert(image.platform);
  std::string text;
  for (const std::string& platform : platforms) text += (text.empty() ? "" : ",") + platform;
  return text;
}

std::set<std::string> BlobsOf(const PushedTag& tag) {
  std::set<std::string> blobs;
  for (const PushedImage& image : tag.images) {
    blobs.insert(image.config);
    blobs.insert(image.layers.begin(), image.layers.end());
  }
  return blobs;
}

// Every series that tells of an endpoint, with its labels.
std::set<std::pair<std::string, Labels>> EndpointSeries(const ExporterProcess& exporter) {
  std::set<std::pair<std::string, Labels>> series;
  for (const Sample& sample : exporter.Metrics()) {
    if (sample.name.starts_with("registry_backend_endpoint")) {
      series.emplace(sample.name, sample.labels);
    }
  }
  return series;
}

TEST_F(ServeOnRealRegistry, PrometheusSeesTheHostAndItsChange) {
  const auto exporter = Serve();
  const PrometheusServer prometheus(ScrapeJob("registry-backend-exporter", exporter->host()));
  const std::string present = Selector("registry_backend_endpoint_present", Endpoint(kBucketHost));
  const std::string other = Selector("registry_backend_endpoint_present", Endpoint(kOtherHost));
  ASSERT_TRUE(Eventually(seconds(40), [&] { return prometheus.QueryValue(present) == 1; }))
      << exporter->Output();
  EXPECT_EQ(prometheus.QueryValue(Selector("registry_backend_scan_success", Target())), 1);
  EXPECT_EQ(prometheus.QueryValue("up{job=\"registry-backend-exporter\"}"), 1);
  EXPECT_EQ(prometheus.QueryValue(other), std::nullopt);

  registry_.Restart(BaseUrl(kOtherHost));
  ASSERT_TRUE(exporter->ScanNow()) << exporter->Output();
  EXPECT_TRUE(Eventually(seconds(20), [&] {
    return prometheus.QueryValue(other) == 1 && prometheus.QueryValue(present) == 0;
  })) << exporter->MetricsText();
  for (const char* change : {"added", "removed"}) {
    EXPECT_EQ(
        exporter->Metric("registry_backend_endpoint_changes_total", Target({{"change", change}})),
        1)
        << change;
  }
}

TEST_F(ServeOnRealRegistry, MetricsCountWhatWasPushedAndPleasePromtool) {
  const auto exporter = Serve();
  ASSERT_TRUE(FirstScanIsComplete(*exporter)) << exporter->Output();
  const std::string text = exporter->MetricsText();
  const std::vector<Sample> metrics = ParseExposition(text);
  const auto value = [&](const std::string& name) {
    return ValueOf(metrics, "registry_backend_" + name, Target());
  };
  EXPECT_EQ(value("scan_tags"), app_.tags.size());
  EXPECT_EQ(value("scan_manifests"), app_.manifests.size());
  EXPECT_EQ(value("scan_blobs"), app_.blobs.size());
  EXPECT_EQ(value("scan_unresolved_blobs"), 0);
  EXPECT_EQ(value("scan_coverage_ratio"), 1);
  EXPECT_EQ(ValueOf(metrics, "registry_backend_endpoint_blobs", Endpoint(kBucketHost)),
            app_.blobs.size());
  for (const auto& [tag, pushed] : app_.tags) {
    EXPECT_EQ(ValueOf(metrics, "registry_backend_tag_info",
                      Target({{"tag", tag},
                              {"media_type", pushed.media_type},
                              {"platforms", PlatformsOf(pushed)}})),
              1)
        << tag;
    EXPECT_EQ(ValueOf(metrics, "registry_backend_tag_blobs", Target({{"tag", tag}})),
              BlobsOf(pushed).size())
        << tag;
  }

  const RunResult promtool = RunToEnd({"promtool", "check", "metrics"}, {.stdin_text = text});
  EXPECT_EQ(promtool.exit_code, 0) << promtool.out << promtool.err;
  EXPECT_EQ(promtool.out + promtool.err, "");
}

TEST_F(ServeOnRealRegistry, StopsOnSigtermAndStandsWhereItStoodAfterwards) {
  std::set<std::pair<std::string, Labels>> before;
  {
    const auto exporter = Serve();
    ASSERT_TRUE(FirstScanIsComplete(*exporter)) << exporter->Output();
    before = EndpointSeries(*exporter);
    const std::optional<ExitStatus> end = exporter->Terminate(seconds(5));
    ASSERT_TRUE(end) << "still running 5 s after SIGTERM\n" << exporter->Output();
    EXPECT_EQ(end->code, 0) << end->ToString() << exporter->Output();
  }
  registry_.Stop();  // what is shown now can only come from the disk
  const auto exporter = Serve();
  EXPECT_EQ(exporter->Metric("registry_backend_endpoint_present", Endpoint(kBucketHost)), 1);
  EXPECT_EQ(exporter->Metric("registry_backend_scan_success", Target()), 1);
  EXPECT_EQ(EndpointSeries(*exporter), before);
}

TEST_F(ServeOnRealRegistry, AWrongPasswordIsToldAndTakesNoEndpointAway) {
  const auto exporter = Serve();
  ASSERT_TRUE(FirstScanIsComplete(*exporter)) << exporter->Output();
  const auto before = EndpointSeries(*exporter);
  const std::size_t told_before = exporter->Stderr().size();

  SetPassword(kWrongPassword);
  ASSERT_TRUE(exporter->ScanNow()) << exporter->Output();
  const std::vector<Sample> metrics = exporter->Metrics();
  EXPECT_EQ(ValueOf(metrics, "registry_backend_scan_outcome", Target({{"outcome", "failed"}})), 1);
  EXPECT_EQ(ValueOf(metrics, "registry_backend_scan_outcome", Target({{"outcome", "complete"}})),
            0);
  EXPECT_EQ(ValueOf(metrics, "registry_backend_scan_error", Target({{"reason", "auth"}})), 1);
  EXPECT_EQ(ValueOf(metrics, "registry_backend_scan_success", Target()), 0);
  EXPECT_EQ(ValueOf(metrics, "registry_backend_endpoint_present", Endpoint(kBucketHost)), 1);
  EXPECT_EQ(EndpointSeries(*exporter), before);

  const std::string told = exporter->Stderr().substr(told_before);
  EXPECT_NE(told.find(registry_.host()), std::string::npos) << told;
  ExpectNoSecretIn(exporter->Output() + exporter->MetricsText());
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory_ / "storage")) {
    if (file.is_regular_file()) ExpectNoSecretIn(ReadFile(file.path()));
  }
}

}  // namespace
}  // namespace registry_backend::testing
