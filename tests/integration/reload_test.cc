// A configuration that is read anew while the exporter runs, as a user sees it.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using testing::Eventually;
using testing::ExporterProcess;
using testing::HttpAnswer;
namespace sim = simulator;

class ReloadTest : public ::testing::Test {
 protected:
  static std::unique_ptr<sim::Simulator> MakeRegistry(const std::string& backend,
                                                      std::chrono::milliseconds latency = 0ms) {
    sim::Options options;
    options.backend = backend;
    options.latency = latency;
    sim::Catalog catalog =
        sim::Generate({.repository = "team/app", .tags = 3, .layers_per_tag = 4});
    return std::make_unique<sim::Simulator>(options, std::move(catalog));
  }

  // A target of a registry's repository, with further keys.
  static std::string Target(const sim::Simulator& registry, const std::string& keys = "") {
    return "  - registry: \"" + registry.base_url() + "\"\n    repository: team/app\n" + keys;
  }
  void Configure(const std::string& targets) {
    testing::WriteFile(directory_ / "config.yml",
                       "scan: {max_requests_per_second: 0}\ntargets:\n" + targets);
  }
  std::unique_ptr<ExporterProcess> Serve() {
    return std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
        std::vector<std::string>{"--storage.path", (directory_ / "data").string(),
                                 "--web.enable-lifecycle"});
  }
  static HttpAnswer Reload(const ExporterProcess& exporter) {
    return testing::HttpPost(exporter.url() + "/-/reload");
  }

  static std::optional<double> Scans(const ExporterProcess& exporter,
                                     const sim::Simulator& registry) {
    return exporter.Metric("registry_backend_scans_total",
                           {{"registry", registry.authority()}, {"outcome", "complete"}});
  }
  static bool AwaitScans(const ExporterProcess& exporter, const sim::Simulator& registry,
                         double count) {
    return Eventually(30s, [&] { return Scans(exporter, registry) >= count; });
  }
  static std::string Mentions(const ExporterProcess& exporter, const sim::Simulator& registry) {
    const std::string text = exporter.MetricsText();
    const std::size_t at = text.find(registry.authority());
    return at == std::string::npos ? "" : text.substr(at > 100 ? at - 100 : 0, 300);
  }
  static void ExpectEnd(ExporterProcess& exporter) {
    const auto status = exporter.Terminate(20s);
    ASSERT_TRUE(status) << "it does not end";
    EXPECT_EQ(status->code, 0) << exporter.Stderr();
  }

  const testing::TempDir directory_;
};

TEST_F(ReloadTest, NewTargetsAreScannedAtOnceAndThoseThatAreGoneLeaveTheMetrics) {
  const auto first = MakeRegistry("one.example");
  const auto second = MakeRegistry("two.example");
  Configure(Target(*first));
  const auto exporter = Serve();
  ASSERT_TRUE(AwaitScans(*exporter, *first, 1));

  Configure(Target(*first) + Target(*second));
  EXPECT_EQ(Reload(*exporter).status, 200);
  ASSERT_TRUE(AwaitScans(*exporter, *second, 1));
  EXPECT_EQ(Scans(*exporter, *first), 1) << "what is unchanged goes on as it was";

  Configure(Target(*second));
  exporter->Signal(SIGHUP);
  ASSERT_TRUE(Eventually(20s, [&] { return Mentions(*exporter, *first).empty(); }))
      << Mentions(*exporter, *first);
  EXPECT_EQ(Scans(*exporter, *second), 1);

  // Back again it is what it was: its inventory was kept.
  Configure(Target(*first) + Target(*second));
  EXPECT_EQ(Reload(*exporter).status, 200);
  EXPECT_EQ(Scans(*exporter, *first), 1);
  EXPECT_EQ(exporter->Metric("registry_backend_endpoint_present",
                             {{"registry", first->authority()}, {"backend_host", "one.example"}}),
            1);
  ExpectEnd(*exporter);
}

TEST_F(ReloadTest, ABadConfigurationKeepsTheOldOneAndSaysWhy) {
  const auto registry = MakeRegistry("one.example");
  Configure(Target(*registry));
  const auto exporter = Serve();
  ASSERT_TRUE(AwaitScans(*exporter, *registry, 1));
  const auto successful = [&exporter] {
    return exporter->Metric("registry_backend_exporter_config_last_reload_successful");
  };
  const auto when =
      exporter->Metric("registry_backend_exporter_config_last_reload_success_timestamp_seconds");
  EXPECT_EQ(successful(), 1);
  EXPECT_TRUE(when);

  Configure(Target(*registry, "    tam: x\n"));
  const HttpAnswer answer = Reload(*exporter);
  EXPECT_EQ(answer.status, 500);
  EXPECT_NE(answer.body.find("config.yml:5:5: targets[0].tam: unknown key (did you mean team?"),
            std::string::npos)
      << answer.body;
  EXPECT_EQ(successful(), 0);
  EXPECT_EQ(
      exporter->Metric("registry_backend_exporter_config_last_reload_success_timestamp_seconds"),
      when);
  EXPECT_EQ(Scans(*exporter, *registry), 1);

  Configure(Target(*registry, "    team: x\n"));
  EXPECT_EQ(Reload(*exporter).status, 200);
  EXPECT_EQ(successful(), 1);
  EXPECT_TRUE(exporter->Metric("registry_backend_target_info", {{"team", "x"}}));
  EXPECT_EQ(Scans(*exporter, *registry), 1) << "what is known stays";
  ExpectEnd(*exporter);
}

TEST_F(ReloadTest, ApprovalIsJudgedByTheNewPolicyAtOnce) {
  const auto registry = MakeRegistry("one.example");
  Configure(Target(*registry, "    policy: {approved_hosts: [other.example]}\n"));
  const auto exporter = Serve();
  ASSERT_TRUE(AwaitScans(*exporter, *registry, 1));
  const auto approved = [&exporter] {
    return exporter->Metric("registry_backend_endpoint_approved",
                            {{"serves", "blobs"}, {"backend_host", "one.example"}});
  };
  EXPECT_EQ(approved(), 0);
  Configure(Target(*registry, "    policy: {approved_hosts: [\"*.example\"]}\n"));
  EXPECT_EQ(Reload(*exporter).status, 200);
  EXPECT_EQ(approved(), 1);
  EXPECT_EQ(Scans(*exporter, *registry), 1);
  ExpectEnd(*exporter);
}

TEST_F(ReloadTest, WithoutLifecycleCallsThereIsOnlyTheSignal) {
  const auto registry = MakeRegistry("one.example");
  Configure(Target(*registry));
  ExporterProcess exporter(REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
                           {"--storage.path", (directory_ / "data").string()});
  EXPECT_EQ(Reload(exporter).status, 403);
  ExpectEnd(exporter);
}

// Targets come, go, and change in every way while they are scanned and saved.
TEST_F(ReloadTest, AStormOfReloadsWhileScanning) {
  const auto first = MakeRegistry("one.example", 2ms);
  const auto second = MakeRegistry("two.example", 2ms);
  const std::vector<std::string> configurations = {
      Target(*first) + Target(*second),
      Target(*second, "    name: renamed\n"),
      Target(*first, "    team: a\n") + Target(*second),
      Target(*first, "    scan: {tags: {newest: 1}}\n"),
      Target(*second) + Target(*first, "    tls_config: {server_name: x}\n"),
      Target(*first, "    policy: {approved_hosts: [one.example]}\n"),
  };
  Configure(configurations[0]);
  const auto exporter = Serve();
  for (int i = 0; i < 200; ++i) {
    Configure(configurations[static_cast<std::size_t>(i) % configurations.size()]);
    if (i % 3 == 0) exporter->Signal(SIGHUP);
    if (i % 5 == 0) (void)testing::HttpPost(exporter->url() + "/-/scan");
    const HttpAnswer answer = Reload(*exporter);
    ASSERT_EQ(answer.status, 200) << i << answer.body << answer.error << exporter->Stderr();
  }
  Configure(configurations[0]);
  ASSERT_EQ(Reload(*exporter).status, 200);
  // Each can still be scanned, and nothing was taken for a change.
  for (const sim::Simulator* registry : {first.get(), second.get()}) {
    const std::pair<std::string, std::string> label = {"registry", registry->authority()};
    const std::string name = registry->authority() + "/team/app";
    ASSERT_TRUE(AwaitScans(*exporter, *registry, 1)) << exporter->Stderr();
    const double before = Scans(*exporter, *registry).value_or(0);
    ASSERT_TRUE(Eventually(30s, [&] {
      return testing::HttpPost(exporter->url() + "/-/scan?target=" + name).status == 202;
    })) << exporter->Stderr();
    EXPECT_TRUE(AwaitScans(*exporter, *registry, before + 1)) << exporter->Stderr();
    for (const char* change : {"added", "removed"}) {
      EXPECT_EQ(
          exporter->Metric("registry_backend_endpoint_changes_total", {label, {"change", change}}),
          0);
    }
  }
  ExpectEnd(*exporter);
}

}  // namespace
}  // namespace registry_backend
