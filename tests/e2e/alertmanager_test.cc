// The shipped Alertmanager configuration: who is told of what, what keeps what quiet, and what
// arrives in each channel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/alertmanager_server.h"
#include "tests/e2e/shipped_routes.h"
#include "tests/integration/server_process.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Labels = std::map<std::string, std::string>;

const std::string kConfig = REGISTRY_BACKEND_SOURCE_DIR "/alerts/alertmanager.yml";

std::string Accept(const std::vector<std::string>& argv) {
  const RunResult result = RunToEnd(argv, HermeticOptions());
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  return result.out;
}

TEST(AlertmanagerExample, IsAccepted) {
  EXPECT_THAT(Accept({"amtool", "check-config", kConfig}), HasSubstr("SUCCESS"));
}

TEST(AlertmanagerExample, RoutesBySeverityAndTeam) {
  struct Case {
    std::string team;
    std::string chat;
  };
  for (const Case& one :
       {Case{"platform", "registry-backend-platform"}, Case{"security", "registry-backend-mail"},
        Case{"unheard-of", "registry-backend-chat"}, Case{"", "registry-backend-chat"}}) {
    for (const std::string severity : {"critical", "warning"}) {
      for (const bool is_drill : {false, true}) {
        std::vector<std::string> argv = {"amtool",
                                         "config",
                                         "routes",
                                         "test",
                                         "--config.file=" + kConfig,
                                         "alertname=RegistryBackendEndpointAdded",
                                         "severity=" + severity};
        if (!one.team.empty()) argv.push_back("team=" + one.team);
        if (is_drill) argv.emplace_back("drill=true");
        const std::string pager = severity == "critical" ? "registry-backend-pager," : "";
        EXPECT_EQ(Accept(argv), "registry-backend-webhook," + pager + one.chat + "\n")
            << severity << " " << one.team;
      }
    }
  }
  EXPECT_EQ(Accept({"amtool", "config", "routes", "test", "--config.file=" + kConfig,
                    "alertname=SomethingElse", "severity=critical"}),
            "everything-else\n");
}

class ShippedAlertmanager : public ::testing::Test {
 protected:
  void Fire(const std::vector<Labels>& alerts, bool resolved = false) const {
    json body = json::array();
    for (const Labels& labels : alerts) {
      json alert = {{"labels", labels},
                    {"annotations",
                     {{"summary", "Pulls from a container registry need a new host."},
                      {"description", "Pulls need " + labels.at("backend_host") + " <now>."},
                      {"runbook_url", "http://runbook.example/" + labels.at("alertname")}}}};
      if (resolved) alert["endsAt"] = "2026-01-01T00:00:00Z";
      body.push_back(alert);
    }
    const HttpAnswer answer =
        HttpPost(alertmanager_.url() + "/api/v2/alerts", body.dump(), "application/json");
    ASSERT_EQ(answer.status, 200) << answer.body;
  }

  // An alert of that name about a target and a host, with these labels besides.
  static Labels Alert(const std::string& name, const Labels& besides = {}) {
    Labels labels = {{"alertname", "RegistryBackend" + name},
                     {"severity", "warning"},
                     {"job", "registry-backend-exporter"},
                     {"registry", "r.example"},
                     {"repository", "team/app"},
                     {"backend_host", "a.example"}};
    for (const auto& [label, value] : besides) labels[label] = value;
    std::erase_if(labels, [](const auto& label) { return label.second.empty(); });
    if (!labels.contains("backend_host")) labels["backend_host"] = "";
    return labels;
  }

  // The alerts that are kept quiet, by the label `which`.
  [[nodiscard]] std::set<std::string> Quiet() const {
    std::set<std::string> quiet;
    const HttpAnswer answer = HttpGet(alertmanager_.url() + "/api/v2/alerts");
    for (const json& alert : json::parse(answer.body)) {
      if (!alert.at("status").at("inhibitedBy").empty()) {
        quiet.insert(alert.at("labels").value("which", "a source"));
      }
    }
    return quiet;
  }

  const ShippedRoutes routes_;
  const AlertmanagerServer alertmanager_{routes_.config()};
};

using Which = std::set<std::string>;

TEST_F(ShippedAlertmanager, AHostThatIsNotApprovedIsToldOnce) {
  Fire({Alert("EndpointNotApproved"), Alert("EndpointAdded", {{"which", "the same"}}),
        Alert("EndpointAdded", {{"which", "another host"}, {"backend_host", "b.example"}}),
        Alert("EndpointAdded", {{"which", "another target"}, {"repository", "team/other"}}),
        Alert("EndpointAdded", {{"which", "another cluster"}, {"cluster", "eu"}}),
        Alert("EndpointAdded", {{"which", "what else it serves"}, {"serves", "manifests"}}),
        Alert("EndpointAdded", {{"which", "a drill"}, {"drill", "true"}}),
        Alert("RegionNotAllowed", {{"which", "its region"}})});
  EXPECT_TRUE(Eventually(seconds(10), [&] { return Quiet() == Which{"the same"}; }))
      << json(Quiet());
}

TEST_F(ShippedAlertmanager, AnExporterThatIsDownQuietensItsOwnProcessAlone) {
  Fire({Alert("ExporterDown", {{"instance", "a:9877"}}),
        Alert("ConfigReloadFailed", {{"which", "its own"}, {"instance", "a:9877"}}),
        Alert("ConfigReloadFailed", {{"which", "another's"}, {"instance", "b:9877"}}),
        Alert("EndpointAdded", {{"which", "a change"}}),
        Alert("ExporterDown", {{"which", "another"}, {"instance", "b:9877"}, {"job", "other"}})});
  EXPECT_TRUE(Eventually(seconds(10), [&] { return Quiet() == Which{"its own"}; }))
      << json(Quiet());
}

TEST_F(ShippedAlertmanager, AnExporterThatIsNowhereQuietensNothing) {
  Fire({Alert("ExporterDown"), Alert("EndpointAdded", {{"which", "a change"}}),
        Alert("ScanFailing", {{"which", "the scan"}}), Alert("AuthenticationFailing")});
  EXPECT_TRUE(Eventually(seconds(10), [&] { return Quiet() == Which{"the scan"}; }))
      << json(Quiet());
}

TEST_F(ShippedAlertmanager, CredentialsThatAreRefusedSayWhyScansFail) {
  Fire({Alert("AuthenticationFailing"), Alert("ScanFailing", {{"which", "fails"}}),
        Alert("ScanIncomplete", {{"which", "misses"}}), Alert("ScanStale", {{"which", "is old"}}),
        Alert("ScanFailing", {{"which", "another target"}, {"registry", "other.example"}})});
  EXPECT_TRUE(Eventually(seconds(10), [&] {
    return Quiet() == Which{"fails", "misses"};
  })) << json(Quiet());
}

TEST_F(ShippedAlertmanager, TellsEveryChannel) {
  const std::vector<Labels> alerts = {
      Alert("EndpointAdded", {{"severity", "critical"}, {"team", "platform"}}),
      Alert("EndpointAdded",
            {{"severity", "critical"}, {"team", "security"}, {"repository", "x/y"}}),
      Alert("EndpointAdded", {{"severity", "critical"},
                              {"drill", "true"},
                              {"backend_host", "drill.registry-backend.invalid"}})};
  Fire(alerts);
  const auto counts = [&] {
    return std::vector<std::size_t>{routes_.Webhook().size(), routes_.PagerDuty().size(),
                                    routes_.Slack().size(), routes_.Mail().size()};
  };
  using Counts = std::vector<std::size_t>;
  ASSERT_TRUE(Eventually(seconds(20),
                         [&] {
                           return counts() == Counts{3, 3, 2, 1};
                         }))
      << json(counts()) << alertmanager_.Output();
  Fire(alerts, /*resolved=*/true);
  ASSERT_TRUE(Eventually(seconds(20),
                         [&] {
                           return counts() == Counts{6, 6, 4, 2};
                         }))
      << json(counts()) << alertmanager_.Output();

  const std::string all = json(routes_.Slack()).dump();
  EXPECT_THAT(all,
              AllOf(HasSubstr("[FIRING:1] EndpointAdded: team/app at r.example: a.example"),
                    HasSubstr("DRILL [FIRING:1] EndpointAdded: team/app at r.example: "
                              "drill.registry-backend.invalid"),
                    HasSubstr("[RESOLVED] EndpointAdded"), HasSubstr("DRILL [RESOLVED]"),
                    HasSubstr("Pulls need a.example &lt;now&gt;."), HasSubstr("#platform"),
                    HasSubstr("#registries"),
                    HasSubstr("http://runbook.example/RegistryBackendEndpointAdded|What to do")));
  const json page = routes_.PagerDuty().at(0);
  EXPECT_EQ(page.at("routing_key"), "pagerduty-key");
  EXPECT_EQ(page.at("payload").at("severity"), "critical");
  EXPECT_THAT(page.at("payload").at("custom_details").at("what"), HasSubstr("Pulls need "));
  std::set<std::string> actions;
  for (const json& one : routes_.PagerDuty()) {
    actions.insert(one.at("event_action").get<std::string>() + " " +
                   one.at("payload").at("summary").get<std::string>().substr(0, 8));
  }
  EXPECT_EQ(actions, (std::set<std::string>{"trigger [FIRING:", "trigger DRILL [F",
                                            "resolve [RESOLVE", "resolve DRILL [R"}));
  const std::string mail = routes_.Mail().at(0);
  EXPECT_THAT(mail, AllOf(HasSubstr("To: security@example.com"), HasSubstr("Subject: "),
                          HasSubstr("[FIRING:1] EndpointAdded: x/y at r.example: a.example"),
                          HasSubstr("Pulls need a.example &lt;now&gt;."),
                          HasSubstr("Pulls need a.example <now>.")));
  EXPECT_THAT(routes_.Mail().at(1), HasSubstr("[RESOLVED]"));
  for (const std::string& text : {all, json(routes_.PagerDuty()).dump(), mail}) {
    EXPECT_THAT(text, Not(HasSubstr("no value")));
  }
}

}  // namespace
}  // namespace registry_backend::testing
