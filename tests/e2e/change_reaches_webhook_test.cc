// What the project is for: a registry's storage moves, and the right team's webhook hears of it;
// and nobody hears of a first scan, a restart or a registry that is down (but that it is down).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/alertmanager_server.h"
#include "tests/e2e/shipped_routes.h"
#include "tests/integration/docker_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/prometheus_server.h"
#include "tests/integration/team_app.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kAlerts = REGISTRY_BACKEND_SOURCE_DIR "/alerts/";
constexpr char kJob[] = "registry-backend-exporter";
constexpr char kAdded[] = "RegistryBackendEndpointAdded";
constexpr char kRemoved[] = "RegistryBackendEndpointRemoved";
constexpr char kFailing[] = "RegistryBackendScanFailing";

// What notifications tell: status, alert and backend_host (empty: none), each once.
using Told = std::set<std::tuple<std::string, std::string, std::string>>;
const Told kTheMove = {{"firing", kAdded, kOtherHost}, {"firing", kRemoved, kBucketHost}};

// Series as text, with their values.
using Standing = std::set<std::string>;

// What is in only one of the two.
std::vector<std::string> Difference(const Standing& before, const Standing& after) {
  std::vector<std::string> difference;
  std::ranges::set_symmetric_difference(before, after, std::back_inserter(difference));
  return difference;
}

// The exporter, Prometheus with the shipped rules, Alertmanager and a webhook, in a row behind a
// registry that redirects to kBucketHost.
class ChangeReachesWebhook : public ::testing::Test {
 protected:
  void SetUp() override {
    (void)PushTeamApp(registry_, kBucketHost);
    WriteFile(directory_ / "config.yml",
              "scan: {interval: 24h, retry_interval: 1s, max_requests_per_second: 0}\n"
              "targets:\n"
              "  - name: app\n"
              "    registry: " +
                  registry_.url() +
                  "\n"
                  "    repository: team/app\n"
                  "    team: platform\n");
    exporter_ = std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
        std::vector<std::string>{"--web.enable-lifecycle", "--storage.path",
                                 (directory_ / "data").string()});
    prometheus_ = std::make_unique<PrometheusServer>(
        ScrapeJob(kJob, exporter_->host()), ReadFile(kAlerts + "registry-backend.rules.yml"),
        alertmanager_.host());
    ASSERT_TRUE(Eventually(seconds(40), [&] { return Present(kBucketHost) == 1; }))
        << exporter_->Output();
  }

  // endpoint_present of a host that serves blobs, as Prometheus has it.
  std::optional<double> Present(const std::string& host) const {
    return prometheus_->QueryValue("registry_backend_endpoint_present{registry=\"" +
                                   registry_.host() + "\",repository=\"" + kRepository +
                                   "\",serves=\"blobs\",backend_host=\"" + host + "\"}");
  }

  // Waits until Prometheus has gone through the rules some times more, so that what they say of
  // what it has now must have been sent.
  void LetTheRulesSpeak() const {
    const double before = prometheus_->RuleEvaluations();
    ASSERT_TRUE(
        Eventually(seconds(30), [&] { return prometheus_->RuleEvaluations() >= before + 5; }));
    const json rules = prometheus_->Api("rules");
    for (const json& rule : rules.at("groups").at(0).at("rules")) {
      EXPECT_EQ(rule.at("health"), "ok") << rule;
    }
  }

  // Kills the exporter and starts it again; returns when Prometheus has scraped the new process.
  void KillAndRestartExporter() const {
    exporter_->Restart();
    const std::optional<double> started = exporter_->Metric("process_start_time_seconds");
    ASSERT_TRUE(started);
    ASSERT_TRUE(Eventually(seconds(20), [&] {
      return prometheus_->QueryValue(std::string("process_start_time_seconds{job=\"") + kJob +
                                     "\"}") == started;
    })) << exporter_->Output();
  }

  void MoveTheStorage() {
    registry_.Restart(BaseUrl(kOtherHost));
    ASSERT_TRUE(exporter_->ScanNow()) << exporter_->Output();
  }

  // Every alert in every notification so far.
  std::vector<json> Notified() const {
    std::vector<json> alerts;
    for (const json& body : routes_.Webhook()) {
      for (const json& alert : body.at("alerts")) alerts.push_back(alert);
    }
    return alerts;
  }

  Told WhatWasTold() const {
    Told told;
    for (const json& alert : Notified()) {
      const json& labels = alert.at("labels");
      told.emplace(alert.at("status"), labels.at("alertname"), labels.value("backend_host", ""));
    }
    return told;
  }

  // Every series of the exporter that tells of targets, with its value: what a restart must keep.
  Standing WhatStands() const {
    Standing series;
    for (const Sample& sample : exporter_->Metrics()) {
      if (sample.labels.contains("repository")) {
        series.insert(sample.name + json(sample.labels).dump() + " " + json(sample.value).dump());
      }
    }
    return series;
  }

  const TempDir directory_;
  DockerRegistry registry_;
  const ShippedRoutes routes_;
  const AlertmanagerServer alertmanager_{routes_.config()};
  std::unique_ptr<ExporterProcess> exporter_;
  std::unique_ptr<PrometheusServer> prometheus_;
};

TEST_F(ChangeReachesWebhook, OnceAndOnlyAfterTheFirstScan) {
  LetTheRulesSpeak();
  EXPECT_THAT(prometheus_->Api("alerts").at("alerts"), IsEmpty());
  EXPECT_THAT(Notified(), IsEmpty());

  MoveTheStorage();
  ASSERT_TRUE(Eventually(seconds(30), [&] { return WhatWasTold() == kTheMove; }))
      << json(Notified()) << alertmanager_.Output();
  LetTheRulesSpeak();
  EXPECT_EQ(Notified().size(), 2U) << json(Notified());
  for (const json& message : routes_.Slack()) EXPECT_EQ(message.at("channel"), "#platform");
  EXPECT_EQ(routes_.Slack().size(), 2U);
  EXPECT_EQ(routes_.PagerDuty().size(), 1U) << "only the new host wakes somebody";
  for (const json& alert : Notified()) {
    const json& labels = alert.at("labels");
    EXPECT_EQ(labels.at("registry"), registry_.host());
    EXPECT_EQ(labels.at("repository"), kRepository);
    EXPECT_EQ(labels.at("serves"), "blobs");
    EXPECT_EQ(labels.at("team"), "platform");
    EXPECT_EQ(labels.at("severity"), labels.at("alertname") == kAdded ? "critical" : "warning");
    EXPECT_THAT(alert.at("annotations").at("description").get<std::string>(),
                AllOf(HasSubstr(registry_.host()), HasSubstr(kRepository),
                      HasSubstr(labels.at("backend_host"))));
  }
}

TEST_F(ChangeReachesWebhook, AndARegistryThatIsDownTakesNoHostAway) {
  MoveTheStorage();
  ASSERT_TRUE(Eventually(seconds(30), [&] { return WhatWasTold() == kTheMove; }))
      << json(Notified()) << alertmanager_.Output();

  registry_.Stop();
  for (int scan = 0; scan < 3; ++scan) ASSERT_TRUE(exporter_->ScanNow()) << exporter_->Output();
  Told told = kTheMove;
  told.emplace("firing", kFailing, "");
  ASSERT_TRUE(Eventually(seconds(30), [&] { return WhatWasTold() == told; }))
      << json(Notified()) << exporter_->Output();
  LetTheRulesSpeak();
  EXPECT_EQ(WhatWasTold(), told);
  // Asked again where a scrape has just been missed.
  EXPECT_TRUE(Eventually(seconds(20), [&] {
    return Present(kOtherHost) == 1 && Present(kBucketHost) == 0;
  })) << exporter_->Output();
}

TEST_F(ChangeReachesWebhook, AndAKilledExporterRaisesNoneBeforeAChangeAndRepeatsNoneAfterIt) {
  LetTheRulesSpeak();
  const auto first = WhatStands();
  KillAndRestartExporter();
  LetTheRulesSpeak();
  EXPECT_THAT(Notified(), IsEmpty());
  EXPECT_THAT(Difference(first, WhatStands()), IsEmpty());

  MoveTheStorage();
  ASSERT_TRUE(Eventually(seconds(30), [&] { return WhatWasTold() == kTheMove; }))
      << json(Notified()) << alertmanager_.Output();
  const auto moved = WhatStands();
  EXPECT_THAT(Difference(first, moved), Not(IsEmpty()));
  const std::size_t posts = routes_.Webhook().size();
  KillAndRestartExporter();
  LetTheRulesSpeak();
  EXPECT_THAT(Difference(moved, WhatStands()), IsEmpty());
  EXPECT_EQ(routes_.Webhook().size(), posts) << json(Notified());
}

}  // namespace
}  // namespace registry_backend::testing
