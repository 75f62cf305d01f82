// What can befall a target, one thing after another, and what its people are told of each: the
// shipped rules, scrape jobs, probes and routes on the packaged servers. Only the times that rules
// wait are cut short.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/alertmanager_server.h"
#include "tests/e2e/blackbox_server.h"
#include "tests/e2e/shipped_routes.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/prometheus_server.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::IsEmpty;
namespace sim = simulator;

constexpr char kNew[] = "localhost:1";  // nothing listens there, and no region is known of it
constexpr char kPassword[] = "licence";

std::string Shipped(const std::string& file) {
  return ReadFile(std::string(REGISTRY_BACKEND_SOURCE_DIR) + "/" + file);
}

// The shipped rules, but none waits for longer than a moment.
std::string ImpatientRules() {
  return std::regex_replace(Shipped("alerts/registry-backend.rules.yml"),
                            std::regex("for: [0-9]+[mhd]"), "for: 1s");
}

sim::Options StorageOptions(const sim::Certificate& certificate) {
  sim::Options options;
  options.tls = certificate;
  return options;
}

class EveryAlert : public ::testing::Test {
 protected:
  EveryAlert() {
    WriteFile(directory_ / "ca.pem", certificate_.certificate_pem);
    WriteFile(directory_ / "password", kPassword);
    sim::Options options;
    options.authentication = sim::Authentication::kBasic;
    options.username = "terraform";
    options.password = kPassword;
    options.backend = Old();
    registry_ = std::make_unique<sim::Simulator>(
        options, sim::Generate({.repository = "team/app", .tags = 2, .layers_per_tag = 4}));
    Configure("approved_hosts: [\"" + Old() + "\"]");
    exporter_ = std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
        std::vector<std::string>{"--storage.path", (directory_ / "data").string(),
                                 "--web.enable-lifecycle"});
    std::string probes = Shipped("deploy/prometheus/blackbox.yml");
    Replace(probes, "tls: true",
            "tls: true\n      tls_config: {ca_file: \"" + (directory_ / "ca.pem").string() + "\"}");
    blackbox_ = std::make_unique<BlackboxServer>(probes);
    std::string jobs = Shipped("deploy/prometheus/prometheus.yml");
    Replace(jobs, "localhost:9877", exporter_->host());
    Replace(jobs, "localhost:9115", blackbox_->host());
    Replace(jobs, "refresh_interval: 1m", "refresh_interval: 1s");
    const std::string begin = "scrape_configs:\n";
    prometheus_ = std::make_unique<PrometheusServer>(jobs.substr(jobs.find(begin) + begin.size()),
                                                     ImpatientRules(), alertmanager_.host());
  }

  // Prints what was received, as proof of how it reads.
  ~EveryAlert() override {
    for (const json& alert : Notified()) {
      std::cout << alert.at("status").get<std::string>() << " " << alert.at("labels").dump()
                << "\n  " << alert.at("annotations").at("description").get<std::string>() << "\n";
    }
  }

  [[nodiscard]] std::string Old() const { return "localhost:" + std::to_string(storage_.port()); }

  void Configure(const std::string& policy) const {
    WriteFile(directory_ / "config.yml",
              "scan: {interval: 5s, retry_interval: 1s, max_requests_per_second: 0}\n"
              "targets:\n"
              "- name: app\n"
              "  registry: " +
                  registry_->base_url() +
                  "\n"
                  "  repository: team/app\n"
                  "  team: platform\n"
                  "  basic_auth: {username: terraform, password_file: password}\n"
                  "  policy: {" +
                  policy + "}\n");
  }

  void Reload(int status) const {
    const HttpAnswer answer = HttpPost(exporter_->url() + "/-/reload");
    ASSERT_EQ(answer.status, status) << answer.body << exporter_->Output();
  }

  [[nodiscard]] std::vector<json> Notified() const {
    std::vector<json> alerts;
    for (const json& body : routes_.Webhook()) {
      for (const json& alert : body.at("alerts")) alerts.push_back(alert);
    }
    return alerts;
  }

  // Waits until this was told of the alert; `host` is in one of its labels.
  void ExpectTold(const std::string& status, const std::string& alert,
                  const std::string& host = "") {
    const auto told = [&] {
      return std::ranges::any_of(Notified(), [&](const json& one) {
        return one.at("status") == status &&
               one.at("labels").at("alertname") == "RegistryBackend" + alert &&
               one.at("labels").dump().find(host) != std::string::npos;
      });
    };
    EXPECT_TRUE(Eventually(seconds(60), told))
        << status << " " << alert << " " << host << " was not told\n"
        << prometheus_->Api("alerts") << exporter_->Output() << alertmanager_.Output();
  }

  // What Alertmanager knows of an alert; null where it is not active.
  [[nodiscard]] json Active(const std::string& alert) const {
    const HttpAnswer answer = HttpGet(alertmanager_.url() + "/api/v2/alerts");
    for (const json& one : json::parse(answer.body)) {
      if (one.at("labels").at("alertname") == "RegistryBackend" + alert) return one;
    }
    return nullptr;
  }

  const TempDir directory_{"every-alert"};
  const sim::Certificate certificate_ = sim::MakeCertificate({"localhost", "127.0.0.1"});
  sim::Simulator storage_{StorageOptions(certificate_),
                          sim::Generate({.repository = "x/y", .tags = 1})};
  std::unique_ptr<sim::Simulator> registry_;
  const ShippedRoutes routes_;
  const AlertmanagerServer alertmanager_{routes_.config()};
  std::unique_ptr<ExporterProcess> exporter_;
  std::unique_ptr<BlackboxServer> blackbox_;
  std::unique_ptr<PrometheusServer> prometheus_;
};

TEST_F(EveryAlert, ReachesTheWebhookAsItsStoryGoes) {
  ASSERT_TRUE(Eventually(seconds(60),
                         [&] {
                           return prometheus_->QueryValue("probe_success{backend_host=\"" + Old() +
                                                          "\"}") == 1;
                         }))
      << exporter_->Output() << blackbox_->Output();
  EXPECT_THAT(Notified(), IsEmpty()) << "of a first scan nobody is told";

  // The storage moves to a host that the firewall does not know.
  registry_->SetBackend(kNew);
  ExpectTold("firing", "EndpointNotApproved", kNew);
  ExpectTold("firing", "EndpointRemoved", Old());
  ExpectTold("firing", "EndpointUnreachable", kNew);
  ExpectTold("firing", "ApprovedHostUnused", Old());
  EXPECT_TRUE(Eventually(seconds(20),
                         [&] {
                           const json added = Active("EndpointAdded");
                           return added != nullptr && !added.at("status").at("inhibitedBy").empty();
                         }))
      << "what is said already: " << Active("EndpointAdded");

  // Its people take note of that, and of a rule about where data may lie.
  Configure("approved_hosts: [\"" + std::string(kNew) + "\"], allowed_regions: [eu-west-1]");
  Reload(200);
  ExpectTold("resolved", "EndpointNotApproved", kNew);
  ExpectTold("firing", "RegionNotAllowed", kNew);

  // The password runs out. Nothing that is known goes with it.
  registry_->SetPassword("renewed");
  ExpectTold("firing", "AuthenticationFailing");
  ExpectTold("firing", "ScanStale");
  EXPECT_EQ(exporter_->Metric("registry_backend_endpoint_present", {{"backend_host", kNew}}), 1);
  WriteFile(directory_ / "password", "renewed");
  ExpectTold("resolved", "AuthenticationFailing");
  ExpectTold("resolved", "ScanStale");

  // An edit that is wrong, and then a process that is gone: of it all else is no more told.
  WriteFile(directory_ / "config.yml", "targets: {");
  Reload(500);
  ExpectTold("firing", "ConfigReloadFailed");
  EXPECT_THAT(Active("ConfigReloadFailed").at("status").at("inhibitedBy"), IsEmpty());
  exporter_->Kill();
  ExpectTold("firing", "ExporterDown");
  EXPECT_TRUE(Eventually(seconds(20), [&] {
    return !Active("ConfigReloadFailed").at("status").at("inhibitedBy").empty();
  }));
  EXPECT_THAT(Active("RegionNotAllowed").at("status").at("inhibitedBy"), IsEmpty())
      << "what another replica may see is still told";
}

}  // namespace
}  // namespace registry_backend::testing
