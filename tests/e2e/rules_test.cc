// The shipped alerts, judged by Prometheus' own tools and by what is said of
// them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/support/markdown.h"
#include "tests/support/subprocess.h"

namespace registry_backend::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
namespace fs = std::filesystem;

const fs::path kRoot = REGISTRY_BACKEND_SOURCE_DIR;
const std::string kAlerts = REGISTRY_BACKEND_SOURCE_DIR "/alerts/";
const std::string kRules = "registry-backend.rules.yml";
const std::string kShardRules = "registry-backend-shards.rules.yml";

// Names that users route, silence and link by: an alert keeps its own.
const std::set<std::string> kNames = {
    "RegistryBackendEndpointAdded",       "RegistryBackendEndpointRemoved",
    "RegistryBackendEndpointNotApproved", "RegistryBackendApprovedHostUnused",
    "RegistryBackendRegionNotAllowed",    "RegistryBackendEndpointsDropped",
    "RegistryBackendEndpointUnreachable", "RegistryBackendCertificateExpiring",
    "RegistryBackendScanFailing",         "RegistryBackendAuthenticationFailing",
    "RegistryBackendScanIncomplete",      "RegistryBackendScanStale",
    "RegistryBackendExporterDown",        "RegistryBackendConfigReloadFailed",
    "RegistryBackendInventoryNotSaved",   "RegistryBackendShardMissing"};

// Those that are about no one target: they have no team.
const std::set<std::string> kOfNoTarget = {
    "RegistryBackendCertificateExpiring", "RegistryBackendExporterDown",
    "RegistryBackendConfigReloadFailed", "RegistryBackendInventoryNotSaved",
    "RegistryBackendShardMissing"};

std::string Text(const YAML::Node& node) { return node ? node.as<std::string>() : ""; }

std::vector<YAML::Node> Alerts() {
  std::vector<YAML::Node> alerts;
  for (const std::string& file : {kRules, kShardRules}) {
    for (const YAML::Node& group : YAML::LoadFile(kAlerts + file)["groups"]) {
      for (const YAML::Node& rule : group["rules"]) alerts.push_back(rule);
    }
  }
  return alerts;
}

std::set<std::string> Matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> matches;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
    matches.insert((*at)[1].str());
  }
  return matches;
}

// The output of a tool that must accept what it is given.
std::string Accept(const std::vector<std::string>& argv) {
  const RunResult result = RunToEnd(argv, {}, std::chrono::minutes(5));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  return result.out;
}

TEST(Rules, PromtoolFindsNothingToSay) {
  const std::string out = Accept(
      {"promtool", "check", "rules", "--lint-fatal", kAlerts + kRules, kAlerts + kShardRules});
  EXPECT_THAT(out, AllOf(HasSubstr("SUCCESS: 15 rules found"), HasSubstr("SUCCESS: 1 rules found"),
                         Not(HasSubstr("FAILED")), Not(HasSubstr("lint"))));
}

TEST(Rules, ThePrometheusExampleLoadsThem) {
  const std::string out = Accept(
      {"promtool", "check", "config", (kRoot / "deploy/prometheus/prometheus.yml").string()});
  EXPECT_THAT(out, AllOf(HasSubstr("SUCCESS: 1 rule files found"),
                         HasSubstr("SUCCESS: 15 rules found"), Not(HasSubstr("FAILED"))));
}

class RuleTests : public ::testing::TestWithParam<const char*> {};

TEST_P(RuleTests, FireAndStaySilentAsTheySay) {
  const std::string file = kAlerts + "tests/" + GetParam() + ".test.yml";
  EXPECT_THAT(Accept({"promtool", "test", "rules", file}), HasSubstr("SUCCESS"));
}

constexpr const char* kRuleTests[] = {"changes", "exporter", "history", "policy", "reachability",
                                      "scans",   "shards",   "silence", "sites"};

INSTANTIATE_TEST_SUITE_P(Alerts, RuleTests, ::testing::ValuesIn(kRuleTests),
                         [](const auto& file) { return std::string(file.param); });

TEST(Rules, NoFileOfTestsIsLeftOut) {
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(kAlerts + "tests")) {
    if (entry.is_regular_file()) files.insert(entry.path().filename().string());
  }
  std::set<std::string> run;
  for (const std::string name : kRuleTests) run.insert(name + ".test.yml");
  EXPECT_EQ(files, run);
}

TEST(Rules, EachAlertIsFiredByATestWithItsAnnotations) {
  std::set<std::string> fired;
  for (const auto& entry : fs::directory_iterator(kAlerts + "tests")) {
    if (!entry.is_regular_file()) continue;
    for (const YAML::Node& test : YAML::LoadFile(entry.path().string())["tests"]) {
      for (const YAML::Node& check : test["alert_rule_test"]) {
        const YAML::Node& expected = check["exp_alerts"];
        if (expected.size() == 0) continue;
        EXPECT_TRUE(expected[0]["exp_annotations"]["description"]) << check;
        fired.insert(Text(check["alertname"]));
      }
    }
  }
  EXPECT_EQ(fired, kNames);
}

TEST(Rules, HaveTheNamesThatUsersKnow) {
  std::set<std::string> names;
  for (const YAML::Node& alert : Alerts()) names.insert(Text(alert["alert"]));
  EXPECT_EQ(names, kNames);
}

TEST(Rules, KeepTheConventions) {
  for (const YAML::Node& alert : Alerts()) {
    const std::string name = Text(alert["alert"]);
    SCOPED_TRACE(name);
    const YAML::Node& annotations = alert["annotations"];
    EXPECT_THAT(Text(alert["labels"]["severity"]), AnyOf("warning", "critical"));
    // A template that comes to nothing would stay in ALERTS as it is written.
    for (const auto& label : alert["labels"]) {
      EXPECT_THAT(Text(label.second), Not(HasSubstr("{{"))) << label.first;
    }
    EXPECT_THAT(Text(annotations["summary"]), MatchesRegex("[A-Z][^{}]*[.]"));
    EXPECT_THAT(Text(annotations["description"]),
                AllOf(HasSubstr("{{"), MatchesRegex("(.|\n)*[a-z][.]"), Not(HasSubstr("%s=\\\""))));
    EXPECT_EQ(annotations.size(), 3U);
    EXPECT_EQ(Text(alert["expr"]).find("group_left (team)") == std::string::npos,
              kOfNoTarget.contains(name));
  }
}

// Reasons are few; hosts, entries and targets may be many.
TEST(Rules, EndTheirLists) {
  const std::regex list(R"(range \$i, \$(host|entry|target) )");
  const std::regex end(R"(\$i 10 \}\}[^{]*and\s+more)");
  std::ptrdiff_t lists = 0;
  for (const YAML::Node& alert : Alerts()) {
    const std::string text = Text(alert["annotations"]["description"]);
    const auto count = [&text](const std::regex& pattern) {
      return std::distance(std::sregex_iterator(text.begin(), text.end(), pattern), {});
    };
    EXPECT_EQ(count(list), count(end)) << alert["alert"];
    EXPECT_EQ(count(list), count(std::regex(R"(if lt \$i 10 \}\})"))) << alert["alert"];
    lists += count(list);
  }
  EXPECT_EQ(lists, 5);
}

// The tests try how a team is found on one alert; the others do it in the same words.
TEST(Rules, FindTheTeamInTheSameWay) {
  std::set<std::string> ways;
  for (const YAML::Node& alert : Alerts()) {
    const std::string expression = std::regex_replace(Text(alert["expr"]), std::regex("\\s+"), " ");
    ways.merge(
        Matches(expression, R"(group_left \(team\) \((.*scan_interval_seconds\[15m\]\)\)) \))"));
  }
  EXPECT_EQ(ways.size(), 1U) << ::testing::PrintToString(ways);
}

TEST(Rules, HaveARunbookEach) {
  const std::string base =
      "https://github.com/registry-backend-exporter/registry-backend-exporter/blob/main/";
  for (const YAML::Node& alert : Alerts()) {
    const std::string name = Text(alert["alert"]);
    const std::string file = "docs/runbooks/" + name + ".md";
    EXPECT_EQ(Text(alert["annotations"]["runbook_url"]), base + file);
    const std::string runbook = ReadDocument(kRoot / file);
    EXPECT_EQ(runbook.rfind("# " + name + "\n", 0), 0U) << file;
    std::size_t at = 0;
    for (const char* heading :
         {"## Meaning\n", "## Impact\n", "## Diagnosis\n", "## Mitigation\n"}) {
      at = runbook.find(heading, at);
      EXPECT_NE(at, std::string::npos) << file << " lacks " << heading;
    }
  }
}

TEST(Rules, AreInTheDocumentForUsersWithTheirSeverity) {
  std::map<std::string, std::string> described;
  for (const auto& row :
       TableRows(ReadDocument(kRoot / "docs/alerts.md"), "| alert | severity | when it fires |")) {
    described[*Matches(row.at(0), R"(\[(\w+)\])").begin()] = row.at(1);
  }
  std::map<std::string, std::string> severities;
  for (const YAML::Node& alert : Alerts()) {
    severities[Text(alert["alert"])] = Text(alert["labels"]["severity"]);
  }
  EXPECT_EQ(described, severities);
}

TEST(Rules, AskForMetricsThatThereAre) {
  std::set<std::string> known = {"up", "probe_success",
                                 "probe_ssl_last_chain_expiry_timestamp_seconds"};
  for (const auto& row :
       TableRows(ReadDocument(kRoot / "docs/metrics.md"), "| name | type | labels | meaning |")) {
    for (const std::string& name : CodeSpans(row.at(0))) known.insert(name);
  }
  std::set<std::string> asked;
  for (const YAML::Node& alert : Alerts()) {
    // Whatever begins as metrics here do, and whatever has matchers or is looked back on.
    const std::string expression =
        std::regex_replace(Text(alert["expr"]), std::regex("\"[^\"]*\""), "\"\"");
    asked.merge(Matches(expression, R"(\b((?:registry_backend|probe)_\w+|up\b))"));
    asked.merge(Matches(expression, R"((\w+)[[{])"));
    asked.merge(Matches(Text(alert["annotations"]["description"]), R"(\b(registry_backend_\w+))"));
  }
  EXPECT_GT(asked.size(), 20U);
  for (const std::string& name : asked) EXPECT_TRUE(known.contains(name)) << name;
}

void ExpectToBePrometheusOperatorsToo(const std::string& rules, const std::string& component) {
  const std::string file =
      (kRoot / "deploy/kubernetes/components" / component / "prometheusrule.yaml").string();
  const std::string made = Accept({"python3", kAlerts + "prometheusrule.py", rules});
  EXPECT_EQ(ReadDocument(file), made) << "run alerts/prometheusrule.py " << rules << " >" << file;
  // As Prometheus reads them, and without what the generator may do to them.
  YAML::Node rule = YAML::LoadFile(file);
  EXPECT_EQ(Text(rule["kind"]), "PrometheusRule");
  YAML::Node there = rule["spec"]["groups"];
  const YAML::Node here = YAML::LoadFile(kAlerts + rules)["groups"];
  ASSERT_EQ(there.size(), here.size());
  for (std::size_t group = 0; group < here.size(); ++group) {
    ASSERT_EQ(there[group]["rules"].size(), here[group]["rules"].size());
    for (std::size_t i = 0; i < here[group]["rules"].size(); ++i) {
      const YAML::Node& one = here[group]["rules"][i];
      const YAML::Node& other = there[group]["rules"][i];
      for (const char* key : {"alert", "expr", "for"}) EXPECT_EQ(Text(one[key]), Text(other[key]));
      for (const char* map : {"labels", "annotations"}) {
        EXPECT_EQ((one[map].as<std::map<std::string, std::string>>()),
                  (other[map].as<std::map<std::string, std::string>>()));
      }
    }
  }
}

TEST(Rules, ArePrometheusOperatorsToo) {
  ExpectToBePrometheusOperatorsToo(kRules, "prometheus-operator");
  ExpectToBePrometheusOperatorsToo(kShardRules, "shards-alert");
}

}  // namespace
}  // namespace registry_backend::testing
