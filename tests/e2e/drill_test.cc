// The drill, from the command to the webhook: the shipped rules on the packaged servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/alertmanager_server.h"
#include "tests/e2e/shipped_routes.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/prometheus_server.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kHost[] = "drill.registry-backend.invalid";
constexpr char kAdded[] = "RegistryBackendEndpointAdded";
constexpr char kRemoved[] = "RegistryBackendEndpointRemoved";

std::vector<json> AlertsIn(const std::vector<json>& posts) {
  std::vector<json> alerts;
  for (const json& post : posts) {
    for (const json& alert : post.at("alerts")) alerts.push_back(alert);
  }
  return alerts;
}

// Status and name of each alert that was told.
std::set<std::pair<std::string, std::string>> WhatWasTold(const ShippedRoutes& routes) {
  std::set<std::pair<std::string, std::string>> told;
  for (const json& alert : AlertsIn(routes.Webhook())) {
    told.emplace(alert.at("status"), alert.at("labels").at("alertname"));
  }
  return told;
}

TEST(DrillReachesWebhook, AsAHostThatCameAndWentMarkedInEveryMessage) {
  const TempDir directory("drill");
  WriteFile(directory / "config.yml",
            "scan: {interval: 24h, retry_interval: 24h}\n"
            "targets: [{name: app, registry: \"http://127.0.0.1:1\", repository: team/app, "
            "team: platform}]\n");
  const ExporterProcess exporter(
      REGISTRY_BACKEND_EXPORTER, directory / "config.yml",
      {"--web.enable-lifecycle", "--storage.path", (directory / "data").string()});
  const ShippedRoutes routes;
  const AlertmanagerServer alertmanager{routes.config()};
  const PrometheusServer prometheus(
      ScrapeJob("registry-backend-exporter", exporter.host()),
      ReadFile(REGISTRY_BACKEND_SOURCE_DIR "/alerts/registry-backend.rules.yml"),
      alertmanager.host());

  const RunResult drill = RunExporter(REGISTRY_BACKEND_EXPORTER,
                                      {"drill", "--url", exporter.url(), "--duration", "10s"});
  EXPECT_EQ(drill.exit_code, 0) << drill.err;
  const std::set<std::pair<std::string, std::string>> all = {
      {"firing", kAdded}, {"resolved", kAdded}, {"firing", kRemoved}};
  EXPECT_TRUE(Eventually(seconds(60), [&] { return WhatWasTold(routes) == all; }))
      << json(AlertsIn(routes.Webhook())) << alertmanager.Output();
  for (const json& alert : AlertsIn(routes.Webhook())) {
    const json& labels = alert.at("labels");
    EXPECT_EQ(labels.at("backend_host"), kHost);
    EXPECT_EQ(labels.at("repository"), "team/app");
    EXPECT_EQ(labels.value("team", ""), "platform");
    EXPECT_EQ(labels.value("drill", ""), "true");
    EXPECT_THAT(alert.at("annotations").at("description").get<std::string>(),
                AllOf(StartsWith("DRILL: "), HasSubstr(kHost)));
  }
  ASSERT_FALSE(routes.Slack().empty());
  ASSERT_FALSE(routes.PagerDuty().empty());
  for (const json& message : routes.Slack()) {
    EXPECT_THAT(message.at("attachments").at(0).at("title").get<std::string>(),
                StartsWith("DRILL ["));
  }
  for (const json& page : routes.PagerDuty()) {
    EXPECT_THAT(page.at("payload").at("summary").get<std::string>(), StartsWith("DRILL ["));
  }
}

}  // namespace
}  // namespace registry_backend::testing
