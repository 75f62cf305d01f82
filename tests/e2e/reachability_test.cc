// The shipped scrape jobs and probes on the packaged Prometheus and blackbox_exporter: what the
// exporter knows is discovered, probed, and joined to what it says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/blackbox_server.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/prometheus_server.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
namespace sim = simulator;

const std::string kShipped = REGISTRY_BACKEND_SOURCE_DIR "/deploy/prometheus/";
constexpr char kGone[] = "localhost:1";  // nothing listens there
constexpr char kJoined[] =
    "registry_backend_endpoint_present == 1 and on (backend_host) probe_success == ";

class Reachability : public ::testing::Test {
 protected:
  Reachability() {
    WriteFile(directory_ / "ca.pem", certificate_.certificate_pem);
    const std::string repository = "team/app";
    sim::Options options;
    options.backend = "localhost:" + std::to_string(storage_->port());
    options.backend_rules = {{sim::EveryNth{2}, kGone}};
    registry_ = std::make_unique<sim::Simulator>(
        options, sim::Generate({.repository = repository, .tags = 2, .layers_per_tag = 4}));
    WriteFile(directory_ / "config.yml",
              "targets: [{registry: \"" + registry_->base_url() + "\", repository: team/app}]\n");
    exporter_ = std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
        std::vector<std::string>{"--storage.path", (directory_ / "data").string(),
                                 "--web.enable-lifecycle"});
    std::string probes = ReadFile(kShipped + "blackbox.yml");
    Replace(probes, "tls: true",
            "tls: true\n      tls_config: {ca_file: \"" + (directory_ / "ca.pem").string() + "\"}");
    blackbox_ = std::make_unique<BlackboxServer>(probes);
    std::string jobs = ReadFile(kShipped + "prometheus.yml");
    Replace(jobs, "localhost:9877", exporter_->host());
    Replace(jobs, "localhost:9115", blackbox_->host());
    Replace(jobs, "refresh_interval: 1m", "refresh_interval: 1s");
    prometheus_ = std::make_unique<PrometheusServer>(
        jobs.substr(jobs.find("scrape_configs:") + std::string("scrape_configs:\n").size()));
  }

  [[nodiscard]] std::string Storage() const {
    return "localhost:" + std::to_string(storage_->port());
  }

  // The hosts of endpoints that are present and whose probe had that result.
  [[nodiscard]] std::set<std::string> Joined(int success) const {
    std::set<std::string> hosts;
    for (const json& sample : prometheus_->Query(kJoined + std::to_string(success))) {
      hosts.insert(sample.at("metric").at("backend_host").get<std::string>());
    }
    return hosts;
  }

  static sim::Options TlsOptions(const sim::Certificate& certificate) {
    sim::Options options;
    options.tls = certificate;
    return options;
  }

  const TempDir directory_{"reachability"};
  const sim::Certificate certificate_ = sim::MakeCertificate({"localhost", "127.0.0.1"});
  std::unique_ptr<sim::Simulator> storage_ = std::make_unique<sim::Simulator>(
      TlsOptions(certificate_), sim::Generate({.repository = "x/y", .tags = 1}));
  std::unique_ptr<sim::Simulator> registry_;
  std::unique_ptr<ExporterProcess> exporter_;
  std::unique_ptr<BlackboxServer> blackbox_;
  std::unique_ptr<PrometheusServer> prometheus_;
};

using Hosts = std::set<std::string>;

TEST_F(Reachability, IsProbedForWhatIsPresentAndFollowsIt) {
  ASSERT_TRUE(Eventually(
      seconds(40),
      [&] {
        return Joined(1) == Hosts{registry_->authority(), Storage()} && Joined(0) == Hosts{kGone};
      }))
      << json(Joined(1)) << json(Joined(0)) << exporter_->Output() << blackbox_->Output();

  // What the rules ask for of an endpoint whose certificate is about to expire.
  EXPECT_TRUE(
      prometheus_->QueryValue("probe_ssl_last_chain_expiry_timestamp_seconds{backend_host=\"" +
                              Storage() + "\"} - time() > 0"));

  // Storage that goes away is unreachable; a host that is no longer present is not probed.
  storage_->Stop();
  registry_->SetBackendRules({});
  ASSERT_TRUE(exporter_->ScanNow()) << exporter_->Output();
  ASSERT_TRUE(Eventually(
      seconds(40),
      [&] {
        return Joined(1) == Hosts{registry_->authority()} && Joined(0) == Hosts{Storage()} &&
               prometheus_->Query(std::string("probe_success{backend_host=\"") + kGone + "\"}")
                   .empty();
      }))
      << json(Joined(1)) << json(Joined(0)) << exporter_->Output();
}

}  // namespace
}  // namespace registry_backend::testing
