// Each query of the dashboards on the packaged Prometheus, by the shipped scrape jobs, over a
// history that has something of everything they show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/dashboards/dashboard.h"
#include "tests/dashboards/queries.h"
#include "tests/e2e/blackbox_server.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/prometheus_server.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text.h"

namespace registry_backend::testing {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Lt;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
namespace sim = simulator;

const std::string kRoot = REGISTRY_BACKEND_SOURCE_DIR;
// Nothing listens at any of these.
constexpr char kOld[] = "localhost:3";
constexpr char kNew[] = "localhost:1";
// Its name says whose it is, and where. It is approved, but no probe is made of it.
constexpr char kBucket[] = "layers.s3.eu-central-1.amazonaws.com";

// A mutation of a dashboard's file.
struct Edit {
  std::string file;
  std::string from;
  std::string to;
};

std::int64_t Now() {
  return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

sim::Options StorageOptions(const sim::Certificate& certificate) {
  sim::Options options;
  options.tls = certificate;
  return options;
}

std::unique_ptr<sim::Simulator> Registry(const std::string& repository,
                                         const sim::Options& options) {
  return std::make_unique<sim::Simulator>(
      options, sim::Generate({.repository = repository, .tags = 2, .layers_per_tag = 4}));
}

// Three targets, once for all tests. `app` is scanned when it is told to: a host of its blobs went,
// and another came that is not approved, not reached and kept nobody knows where. `tool` is scanned
// all the time, completely at first and then not. `shut` has never answered. A drill is under way.
class DashboardHistory : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { history_ = std::make_unique<History>(); }
  static void TearDownTestSuite() { history_.reset(); }

  struct History {
    History() {
      WriteFile(directory / "ca.pem", certificate.certificate_pem);
      sim::Options options;
      options.backend = Storage();
      options.backend_rules = Rules(kOld);
      app = Registry("team/app", options);
      options.backend_rules.clear();
      tool = Registry("team/tool", options);
      Configure();
      exporter = std::make_unique<ExporterProcess>(
          REGISTRY_BACKEND_EXPORTER, directory / "config.yml",
          std::vector<std::string>{"--storage.path", (directory / "data").string(),
                                   "--web.enable-lifecycle"});
      std::string probes = ReadFile(kRoot + "/deploy/prometheus/blackbox.yml");
      Replace(
          probes, "tls: true",
          "tls: true\n      tls_config: {ca_file: \"" + (directory / "ca.pem").string() + "\"}");
      blackbox = std::make_unique<BlackboxServer>(probes);
      prometheus = std::make_unique<PrometheusServer>(Jobs());
      Play();
    }

    [[nodiscard]] std::string Storage() const {
      return "localhost:" + std::to_string(storage.port());
    }

    static std::vector<sim::BackendRule> Rules(const std::string& half) {
      return {{sim::EveryNth{2}, half}, {sim::EveryNth{5}, kBucket}};
    }

    void Configure() const {
      const std::string quiet = "scan: {interval: 1h, retry_interval: 1h}\n";
      WriteFile(directory / "config.yml",
                "scan: {max_requests_per_second: 0}\n"
                "targets:\n"
                "- name: app\n  registry: " +
                    app->base_url() + "\n  repository: team/app\n  team: platform\n  " + quiet +
                    "  policy:\n    approved_hosts: [\"" + Storage() + "\", \"" + kOld + "\", \"" +
                    kBucket +
                    "\"]\n    allowed_regions: [eu-west-1]\n"
                    "- name: tool\n  registry: " +
                    tool->base_url() +
                    "\n  repository: team/tool\n  scan: {interval: 1s, retry_interval: 1s}\n"
                    "- name: shut\n  registry: http://127.0.0.1:1\n  repository: team/shut\n  " +
                    quiet);
    }

    // The exporter by another name: what a second replica would say.
    [[nodiscard]] std::string Again() const {
      return "localhost" + exporter->host().substr(exporter->host().find(':'));
    }

    // The shipped ones, but for a host that is not probed, and the exporter by two names.
    [[nodiscard]] std::string Jobs() const {
      std::string jobs = ReadFile(kRoot + "/deploy/prometheus/prometheus.yml");
      Replace(jobs, "http://localhost:9877", exporter->url());
      Replace(jobs, "\"localhost:9877\"", "\"" + exporter->host() + "\", \"" + Again() + "\"");
      Replace(jobs, "localhost:9115", blackbox->host());
      Replace(jobs, "refresh_interval: 1m", "refresh_interval: 1s");
      Replace(jobs, "    relabel_configs:\n",
              "    relabel_configs:\n"
              "      - {source_labels: [__meta_registry_backend_host], regex: '" +
                  std::string(kBucket) + "', action: drop}\n");
      const std::string begin = "scrape_configs:\n";
      return jobs.substr(jobs.find(begin) + begin.size());
    }

    void Play() const {
      const auto value = [&](const std::string& expression) {
        return prometheus->QueryValue(expression);
      };
      ASSERT_TRUE(Eventually(seconds(60), [&] {
        return value("count(min without (instance) (registry_backend_scan_success) == 1)") == 2 &&
               value("min(registry_backend_scan_consecutive_failures{repository=\"team/shut\"})") ==
                   1;
      })) << exporter->Output();
      app->SetBackendRules(Rules(kNew));
      app->EditCatalog([](sim::Catalog& catalog) {
        catalog.Tag("team/app", "lost", "sha256:" + std::string(64, 'f'));
      });
      ASSERT_EQ(HttpPost(exporter->url() + "/-/scan?target=app").status, 202);
      // A request that is answered when it is sent again, and one that never is.
      tool->AddFault({.operation = sim::Operation::kTags,
                      .times = 1,
                      .action = sim::StatusFault{.status = 503}});
      tool->AddFault(
          {.operation = sim::Operation::kBlob, .action = sim::StatusFault{.status = 403}});
      ASSERT_EQ(HttpPost(exporter->url() + "/-/drill?target=app&duration=1h").status, 202);
    }

    const std::int64_t began = Now();
    const TempDir directory{"dashboards"};
    const sim::Certificate certificate =
        sim::MakeCertificate({"localhost", "127.0.0.1"}, std::chrono::hours(48));
    const sim::Simulator storage{StorageOptions(certificate),
                                 sim::Generate({.repository = "x/y", .tags = 1})};
    std::unique_ptr<sim::Simulator> app;
    std::unique_ptr<sim::Simulator> tool;
    std::unique_ptr<ExporterProcess> exporter;
    std::unique_ptr<BlackboxServer> blackbox;
    std::unique_ptr<PrometheusServer> prometheus;
  };

  [[nodiscard]] static Span SoFar() { return {history_->began, Now()}; }

  static Dashboard Named(const std::string& file) {
    std::vector<Dashboard> dashboards = ReadDashboards(kRoot + "/dashboards");
    const auto found = std::ranges::find(dashboards, file, &Dashboard::file);
    EXPECT_NE(found, dashboards.end()) << file;
    return *found;
  }

  // What is wrong, after a while in which it may come right.
  static std::vector<std::string> FaultsInTheEnd(const Dashboard& dashboard) {
    std::vector<std::string> faults;
    (void)Eventually(seconds(60), [&] {
      faults = Faults(*history_->prometheus, dashboard, SoFar(), Operands::kEach);
      return faults.empty();
    });
    return faults;
  }

  // The values that a panel of single values shows, in the order of its queries.
  static std::vector<double> Shown(const Dashboard& dashboard, const std::string& title) {
    std::vector<double> shown;
    std::vector<std::string> faults;
    const Values all = VariableValues(*history_->prometheus, dashboard, SoFar(), faults).front();
    for (const Json& panel : Panels(dashboard.json)) {
      if (panel.at("title") != title) continue;
      for (const Json& target : panel.at("targets")) {
        shown.push_back(
            history_->prometheus->QueryValue(Substitute(target.at("expr").get<std::string>(), all))
                .value_or(-99));
      }
    }
    return shown;
  }

  static void ExpectShown(const std::string& file, const std::string& title,
                          const ::testing::Matcher<std::vector<double>>& expected) {
    const Dashboard dashboard = Named(file);
    EXPECT_TRUE(Eventually(seconds(60), [&] { return expected.Matches(Shown(dashboard, title)); }))
        << title << ": " << ::testing::PrintToString(Shown(dashboard, title));
  }

  // What a query of a table says of each: the value by the label.
  static std::map<std::string, double> Rows(const Dashboard& dashboard, const std::string& title,
                                            const std::string& query, const std::string& label) {
    std::map<std::string, double> rows;
    std::vector<std::string> faults;
    const Values all = VariableValues(*history_->prometheus, dashboard, SoFar(), faults).front();
    for (const Json& panel : Panels(dashboard.json)) {
      if (panel.at("title") != title) continue;
      for (const Json& target : panel.at("targets")) {
        if (target.at("refId") != query) continue;
        const std::string expression = Substitute(target.at("expr").get<std::string>(), all);
        for (const auto& series : history_->prometheus->Query(expression)) {
          rows[series.at("metric").at(label)] = std::stod(series.at("value")[1].get<std::string>());
        }
      }
    }
    return rows;
  }

  using RowsMatcher = ::testing::Matcher<std::map<std::string, double>>;
  static void ExpectRows(const std::string& title, const std::string& query,
                         const std::string& label, const RowsMatcher& expected) {
    const Dashboard dashboard = Named("registry-backends.json");
    const auto rows = [&] { return Rows(dashboard, title, query, label); };
    EXPECT_TRUE(Eventually(seconds(60), [&] { return expected.Matches(rows()); }))
        << title << ", " << query << ": " << ::testing::PrintToString(rows());
  }

  static std::unique_ptr<History> history_;
};

std::unique_ptr<DashboardHistory::History> DashboardHistory::history_;

TEST_F(DashboardHistory, EachPanelShowsIt) {
  for (const Dashboard& dashboard : ReadDashboards(kRoot + "/dashboards")) {
    EXPECT_THAT(FaultsInTheEnd(dashboard), IsEmpty());
  }
}

// And two replicas do not make two of one change.
TEST_F(DashboardHistory, TheAnswersAreRight) {
  const std::string overview = "registry-backends.json";
  // One came and one went; the drill is not counted.
  ExpectShown(overview, "Did anything change?",
              ElementsAre(2, Ge(1000.0 * static_cast<double>(history_->began))));
  // `tool`, whose complete scan is long ago, and `shut`, which has none.
  ExpectShown(overview, "Is the data fresh?", ElementsAre(2, 0, Ge(2)));
  // The new host is neither approved nor reached; no host's region is allowed; one certificate
  // ends soon.
  ExpectShown(overview, "Will pulls break?", ElementsAre(1, 1, 3, 1));

  const std::string health = "exporter-health.json";
  ExpectShown(health, "Is it up?", ElementsAre(2, 0));
  ExpectShown(health, "Is its state good?", ElementsAre(1, 1, 1));
  ExpectShown(health, "Do scans succeed?", ElementsAre(1, 1, 3));

  const std::string reachability = "reachability.json";
  // Probed are both registries, the storage and the new host.
  ExpectShown(reachability, "Can every host be reached?", ElementsAre(1, 4, 1));
  ExpectShown(reachability, "Next certificate ends", ElementsAre(Ge(3600)));
  ExpectShown(reachability, "How well were hosts reached?", ElementsAre(Lt(1), 0));
}

TEST_F(DashboardHistory, TheTablesAreRight) {
  const std::string broken = "What may break pulls";
  ExpectRows(broken, "A", "backend_host", ElementsAre(Pair(kNew, 1)));  // not approved
  ExpectRows(broken, "B", "backend_host", ElementsAre(Pair(kNew, 1)));  // not reached
  ExpectRows(broken, "C", "backend_host",
             UnorderedElementsAre(Pair(kNew, 1), Pair(kBucket, 1), Pair(history_->Storage(), 1)));
  // The certificate ends tomorrow.
  ExpectRows(broken, "F", "backend_host", ElementsAre(Pair(history_->Storage(), 1)));
  ExpectRows(broken, "D", "backend_host", SizeIs(3));
  ExpectRows("What changed", "A", "change", UnorderedElementsAre(Key("came"), Key("went")));
  // Those whose newest scan was complete, partial and a failure.
  ExpectRows("Targets", "B", "repository",
             ElementsAre(Pair("team/app", 0), Pair("team/shut", 2), Pair("team/tool", 1)));
  // One that was never complete is older than any that was.
  ExpectRows(
      "Targets", "E", "repository",
      ElementsAre(Pair("team/app", Lt(1)), Pair("team/shut", 1e6), Pair("team/tool", Gt(1))));
  ExpectRows("Targets", "K", "repository", Contains(Pair("team/app", 1)));
}

// The tests above are worth something only if a wrong query fails them.
TEST_F(DashboardHistory, AWrongQueryIsSeen) {
  const std::vector<Edit> edits = {
      // A metric that is not there, in one half of an `or`: the other half would hide it.
      {"registry-backends.json", "registry_backend_endpoint_approved{",
       "registry_backend_endpoint_aproved{"},
      // A value that no series ever has.
      {"registry-backends.json", R"( == 0, \"change\", \"went\")",
       R"( == 3, \"change\", \"went\")"},
      // A label that the legend needs is summed away.
      {"exporter-health.json", "sum by (outcome)", "sum by (reason)"},
      // A variable of many values as if it were of one.
      {"exporter-health.json", R"(registry=~\"$registry\")", R"(registry=\"$registry\")"},
      // A variable that the dashboard does not have.
      {"registry-backends.json", "$__range_s", "$__range_sec"},
      // What is joined by a label that one side does not have.
      {"reachability.json", "on (backend_host) group_left ()", "on (repository) group_left ()"},
      // A column of a label that no query brings.
      {"registry-backends.json", "\"storage_region\": \"Region\"", "\"region\": \"Region\""},
      // A variable's values of a label that is not there.
      {"reachability.json", "label_values(registry_backend_target_info, registry)",
       "label_values(registry_backend_target_info, host)"},
  };
  for (const Dashboard& dashboard : ReadDashboards(kRoot + "/dashboards")) {
    ASSERT_THAT(FaultsInTheEnd(dashboard), IsEmpty());
  }
  for (const Edit& edit : edits) {
    std::string text = Named(edit.file).text;
    Replace(text, edit.from, edit.to);
    const Dashboard edited = {edit.file, text, Json::parse(text)};
    const std::vector<std::string> faults =
        Faults(*history_->prometheus, edited, SoFar(), Operands::kEach);
    EXPECT_THAT(faults, Not(IsEmpty())) << edit.from << " → " << edit.to;
    if (!faults.empty()) std::cout << edit.to << "\n  " << faults.front() << "\n";
  }
}

}  // namespace
}  // namespace registry_backend::testing
