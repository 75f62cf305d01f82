// The dashboards by the rules of grafana/dashboard-linter, each by its name, and by our own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/dashboards/dashboard.h"
#include "tests/support/markdown.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

const std::filesystem::path kRoot = REGISTRY_BACKEND_SOURCE_DIR;

// What may break target-job-rule and target-instance-rule: the dashboard's uid, and the beginning
// of the metrics' names.
//
// - Probes come from another job, and their instance is what is probed: where they stand beside
//   what the exporter says they are joined by backend_host, and the dashboard's job and instance
//   are the exporter's.
// - On the dashboard of the probes it is the other way round.
const std::map<std::string, std::string> kOfAnotherJob = {
    {"registry-backends", "probe_"},
    {"registry-backend-reachability", "registry_backend_"},
};

class Conventions : public ::testing::TestWithParam<Dashboard> {
 protected:
  [[nodiscard]] const Json& json() const { return GetParam().json; }

  [[nodiscard]] Json Variable(const std::string& name) const {
    for (const Json& variable : json().at("templating").at("list")) {
      if (variable.at("name") == name) return variable;
    }
    ADD_FAILURE() << "there is no variable " << name;
    return {};
  }

  void ExpectVariableOfMany(const std::string& name, const std::string& label) const {
    const Json variable = Variable(name);
    EXPECT_EQ(variable.at("type"), "query");
    EXPECT_EQ(variable.at("label"), label);
    EXPECT_EQ(variable.at("datasource").at("uid"), "${datasource}");
    EXPECT_EQ(variable.at("multi"), true);
    EXPECT_EQ(variable.at("includeAll"), true);
    EXPECT_EQ(variable.at("allValue"), ".+");
  }

  void ExpectMatcher(const std::string& label) const {
    const auto exception = kOfAnotherJob.find(json().at("uid"));
    for (const Query& query : Queries(GetParam())) {
      for (const Selector& selector : Selectors(query.expression)) {
        const bool excepted =
            exception != kOfAnotherJob.end() && selector.metric.starts_with(exception->second);
        const auto matcher = HasSubstr(label + "=~\"$" + label + "\"");
        if (excepted) {
          EXPECT_THAT(selector.matchers, Not(matcher)) << query.where << " needs no exception";
        } else {
          EXPECT_THAT(selector.matchers, matcher) << query.where << ": " << selector.metric;
        }
      }
    }
  }
};

// template-datasource-rule
TEST_P(Conventions, TheDataSourceIsAVariable) {
  const Json variable = Variable("datasource");
  EXPECT_EQ(variable.at("type"), "datasource");
  EXPECT_EQ(variable.at("query"), "prometheus");
  EXPECT_EQ(variable.at("label"), "Data source");
}

// template-job-rule
TEST_P(Conventions, TheJobIsAVariable) { ExpectVariableOfMany("job", "Job"); }

// template-instance-rule
TEST_P(Conventions, TheInstanceIsAVariable) { ExpectVariableOfMany("instance", "Instance"); }

TEST_P(Conventions, TheRegistryAndTheRepositoryAreVariables) {
  ExpectVariableOfMany("registry", "Registry");
  ExpectVariableOfMany("repository", "Repository");
}

// template-label-promql-rule
TEST_P(Conventions, VariablesAskForValuesOfALabel) {
  for (const Json& variable : QueryVariables(json())) {
    EXPECT_THAT(variable.at("query").get<std::string>(),
                MatchesRegex("label_values\\([a-z_]+(\\{.*\\})?, [a-z]+\\)"));
  }
}

// template-on-time-change-reload-rule
TEST_P(Conventions, VariablesFollowTheTimeRange) {
  for (const Json& variable : QueryVariables(json())) EXPECT_EQ(variable.at("refresh"), 2);
}

// panel-datasource-rule
TEST_P(Conventions, EachPanelAndTargetHasTheVariableAsItsDataSource) {
  for (const Json& panel : Panels(json())) {
    EXPECT_EQ(panel.at("datasource").at("uid"), "${datasource}") << panel.at("title");
    for (const Json& target : panel.at("targets")) {
      EXPECT_EQ(target.at("datasource").at("uid"), "${datasource}") << panel.at("title");
    }
  }
}

// panel-title-description-rule
TEST_P(Conventions, EachPanelHasATitleAndADescription) {
  for (const Json& panel : Panels(json())) {
    EXPECT_THAT(panel.at("title").get<std::string>(), MatchesRegex("[A-Z].+")) << panel.at("id");
    EXPECT_THAT(panel.at("description").get<std::string>(), MatchesRegex("[A-Z].+[.]"))
        << panel.at("title");
  }
}

// panel-units-rule
TEST_P(Conventions, EachPanelHasAUnitThatGrafanaKnows) {
  const std::set<std::string> known = {"none",  "short",           "locale",
                                       "s",     "bytes",           "percentunit",
                                       "reqps", "dateTimeFromNow", "dateTimeAsIso"};
  for (const Json& panel : Panels(json())) {
    std::vector<std::string> units = {panel.at("fieldConfig").at("defaults").at("unit")};
    for (const Json& override_ : panel.at("fieldConfig").at("overrides")) {
      for (const Json& property : override_.at("properties")) {
        if (property.at("id") == "unit") units.push_back(property.at("value"));
      }
    }
    for (const std::string& unit : units) EXPECT_THAT(known, Contains(unit)) << panel.at("title");
  }
}

// panel-no-targets-rule
TEST_P(Conventions, EachPanelHasAQuery) {
  for (const Json& panel : Panels(json())) {
    EXPECT_THAT(panel.at("targets"), Not(IsEmpty())) << panel.at("title");
  }
}

// target-promql-rule
TEST_P(Conventions, EachQueryIsPromQL) {
  Json rules = Json::array();
  for (const Query& query : Queries(GetParam())) {
    const Values values = {{"__rate_interval", "5m"}, {"__range", "1h"}, {"__range_s", "3600"}};
    rules.push_back({{"record", "of:a:dashboard"},
                     {"expr", Substitute(query.expression, values)},
                     {"labels", {{"query", query.where}}}});
  }
  const TempDir directory("dashboard-rules");
  const Json file = {{"groups", {{{"name", "dashboard"}, {"rules", rules}}}}};
  WriteFile(directory / "rules.yml", file.dump());
  const RunResult result =
      RunToEnd({"promtool", "check", "rules", (directory / "rules.yml").string()});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr(std::to_string(rules.size()) + " rules found"));
}

// target-rate-interval-rule, which lets `increase` have what it wants; we do not.
TEST_P(Conventions, RatesAreOfTheRateInterval) {
  for (const Query& query : Queries(GetParam())) {
    for (const Selector& selector : Selectors(query.expression)) {
      if (std::set<std::string>{"rate", "irate", "increase", "delta"}.contains(selector.function)) {
        EXPECT_EQ(selector.range, "$__rate_interval") << query.where;
      }
    }
  }
}

// Where a data source does not say how often it scrapes, Grafana takes 15s for granted, and the
// rates of what is scraped once a minute would be of a single sample.
TEST_P(Conventions, RatesHaveAStepOfNoLessThanTheScrapesOfOurExample) {
  EXPECT_THAT(ReadDocument(kRoot / "deploy/prometheus/prometheus.yml"),
              HasSubstr("scrape_interval: 1m\n"));
  for (const Json& panel : Panels(json())) {
    for (const Json& target : panel.at("targets")) {
      if (target.at("expr").get<std::string>().find("$__rate_interval") == std::string::npos) {
        continue;
      }
      EXPECT_THAT(target.value("interval", ""), AnyOf("1m", "10m", "30m")) << panel.at("title");
    }
  }
}

// target-job-rule
TEST_P(Conventions, EachSelectorIsOfTheJob) { ExpectMatcher("job"); }

// target-instance-rule
TEST_P(Conventions, EachSelectorIsOfTheInstance) { ExpectMatcher("instance"); }

// What has a registry or a repository is of those that are chosen.
TEST_P(Conventions, EachSelectorIsOfTheRegistryAndTheRepository) {
  std::map<std::string, std::string> labels;
  for (const auto& row :
       TableRows(ReadDocument(kRoot / "docs/metrics.md"), "| name | type | labels | meaning |")) {
    for (const std::string& name : CodeSpans(row.at(0))) labels[name] = row.at(2);
  }
  for (const Query& query : Queries(GetParam())) {
    for (const Selector& selector : Selectors(query.expression)) {
      for (const std::string label : {"registry", "repository"}) {
        const std::string metric =
            std::regex_replace(selector.metric, std::regex("_(bucket|sum|count)$"), "");
        if (labels[metric].find("`" + label + "`") == std::string::npos) continue;
        EXPECT_THAT(selector.matchers, HasSubstr(label + "=~\"$" + label + "\"")) << query.where;
      }
    }
  }
}

// target-counter-agg-rule, and the same of the buckets of histograms.
TEST_P(Conventions, CountersAreShownAsRates) {
  for (const Query& query : Queries(GetParam())) {
    for (const Selector& selector : Selectors(query.expression)) {
      if (!std::regex_search(selector.metric, std::regex("_(total|bucket|sum|count)$"))) continue;
      EXPECT_THAT(selector.function, AnyOf("rate", "increase")) << query.where;
      EXPECT_NE(selector.range, "") << query.where;
    }
  }
}

// uneditable-dashboard
TEST_P(Conventions, AnEditIsMadeInTheFile) { EXPECT_EQ(json().at("editable"), false); }

TEST_P(Conventions, EachMetricIsDocumented) {
  // Those of blackbox_exporter, and those that Prometheus adds.
  std::set<std::string> known = {"probe_success",
                                 "probe_duration_seconds",
                                 "probe_dns_lookup_time_seconds",
                                 "probe_http_duration_seconds",
                                 "probe_http_status_code",
                                 "probe_ssl_last_chain_expiry_timestamp_seconds",
                                 "probe_tls_version_info",
                                 "scrape_duration_seconds",
                                 "up"};
  for (const auto& row :
       TableRows(ReadDocument(kRoot / "docs/metrics.md"), "| name | type | labels | meaning |")) {
    for (const std::string& name : CodeSpans(row.at(0))) {
      known.insert(row.at(1) == "histogram" ? name + "_bucket" : name);
    }
  }
  std::vector<Query> queries = Queries(GetParam());
  for (const Json& variable : QueryVariables(json())) {
    queries.push_back({variable.at("name"), variable.at("query")});
  }
  for (const Query& query : queries) {
    const std::vector<std::string> names = MetricNames(query.expression);
    EXPECT_THAT(names, Not(IsEmpty())) << query.where;
    for (const std::string& name : names) EXPECT_THAT(known, Contains(name)) << query.where;
  }
}

// A selector without matchers would not be seen by the tests above.
TEST_P(Conventions, EachSelectorHasMatchers) {
  for (const Query& query : Queries(GetParam())) {
    EXPECT_EQ(MetricNames(query.expression).size(), Selectors(query.expression).size())
        << query.where << ": " << query.expression;
  }
}

TEST_P(Conventions, CanBeImportedByHand) {
  EXPECT_FALSE(json().contains("__inputs"));
  EXPECT_FALSE(json().contains("__requires"));
  EXPECT_EQ(json().at("id"), nullptr);
  EXPECT_EQ(json().at("schemaVersion"), 39) << "that of Grafana 10.3";
  EXPECT_EQ(json().at("timezone"), "browser");
  EXPECT_EQ(json().at("refresh"), "1m");
}

TEST_P(Conventions, LinksLeadToTheOthersWithTheirVariables) {
  std::set<std::string> led;
  for (const Json& link : json().at("links")) {
    EXPECT_EQ(link.at("keepTime"), true);
    const std::string url = link.at("url");
    const std::regex pattern(R"(/d/([a-z-]+)\?(.*))");
    std::smatch match;
    ASSERT_TRUE(std::regex_match(url, match, pattern)) << url;
    led.insert(match[1]);
    // Not the job and the instance: those of probes are not those of the exporter.
    EXPECT_EQ(match[2], "${datasource:queryparam}&${registry:queryparam}&${repository:queryparam}");
  }
  std::set<std::string> others;
  for (const Dashboard& other : ReadDashboards(kRoot / "dashboards")) {
    if (other.uid() != json().at("uid")) others.insert(other.uid());
  }
  EXPECT_EQ(led, others);
}

TEST_P(Conventions, AnnotationsAskTheSameInOldAndNewGrafana) {
  EXPECT_THAT(Annotations(json()), Not(IsEmpty()));
  for (const Json& annotation : Annotations(json())) {
    EXPECT_EQ(annotation.at("expr"), annotation.at("target").at("expr"));
    EXPECT_EQ(annotation.at("step"), annotation.at("target").at("interval"));
  }
}

TEST_P(Conventions, PanelsHaveTheirOwnIdsAndPlaces) {
  std::set<int> ids;
  std::set<std::pair<int, int>> taken;
  for (const Json& panel : json().at("panels")) {
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << panel.at("title");
    const Json& place = panel.at("gridPos");
    const int left = place.at("x");
    const int top = place.at("y");
    EXPECT_LE(left + place.at("w").get<int>(), 24) << panel.at("title");
    for (int x = left; x < left + place.at("w").get<int>(); ++x) {
      for (int y = top; y < top + place.at("h").get<int>(); ++y) {
        ASSERT_TRUE(taken.insert({x, y}).second) << panel.at("title") << " lies on another";
      }
    }
  }
}

// Red beside green says nothing to one man in twelve. These are Okabe's and Ito's, and greys.
TEST_P(Conventions, ColoursCanBeToldApartByAll) {
  const std::set<std::string> known = {
      "#0072B2", "#B87A00", "#D55E00",     "#7F7F7F", "#56B4E9",
      "#CC79A7", "#009E73", "transparent", "blue"};  // Grafana's: another one by night
  const std::regex colour(R"x("(?:color|fixedColor)":"([^"]*)")x");
  const std::string text = json().at("panels").dump();
  for (std::sregex_iterator at(text.begin(), text.end(), colour), end; at != end; ++at) {
    const std::string name = (*at)[1];
    if (name.starts_with("rgba(255,0,255")) continue;  // exemplars: the exporter has none
    EXPECT_THAT(known, Contains(name));
  }
  // That one gives a series the colour of its place: who is new would recolour the others.
  EXPECT_THAT(text, Not(HasSubstr("\"palette-classic\"")));
}

// The titles of a table's columns, and the names of fields that they are made of.
std::map<std::string, std::string> Columns(const Json& panel) {
  std::map<std::string, std::string> names;
  for (const Json& transformation : panel.at("transformations")) {
    if (transformation.at("id") != "organize") continue;
    for (const auto& [name, title] : transformation.at("options").at("renameByName").items()) {
      names[title] = name;
    }
  }
  return names;
}

// What names something that is not there does nothing, and Grafana does not say so.
TEST_P(Conventions, WhatIsSaidOfColumnsAndQueriesIsOfThoseThatAreThere) {
  for (const Json& panel : Panels(json())) {
    std::set<std::string> queries;
    for (const Json& target : panel.at("targets")) queries.insert(target.at("refId"));
    for (const Json& override : panel.at("fieldConfig").at("overrides")) {
      const Json& matcher = override.at("matcher");
      if (matcher.at("id") != "byFrameRefID") continue;
      EXPECT_THAT(queries, Contains(matcher.at("options")));
    }
    if (panel.at("type") != "table") continue;
    const std::map<std::string, std::string> columns = Columns(panel);
    for (const Json& override : panel.at("fieldConfig").at("overrides")) {
      EXPECT_TRUE(columns.contains(override.at("matcher").at("options"))) << override.at("matcher");
    }
    for (const Json& order : panel.at("options").at("sortBy")) {
      EXPECT_TRUE(columns.contains(order.at("displayName"))) << order;
    }
    for (const auto& [title, name] : columns) {
      if (!name.starts_with("Value #")) continue;
      EXPECT_THAT(queries, Contains(name.substr(7))) << panel.at("title") << ": " << title;
    }
  }
}

// Of Kubernetes, where a ServiceMonitor puts them on everything. `endpoint` is a port's name there.
TEST_P(Conventions, TablesHaveNoColumnOfTheScrapesLabels) {
  for (const Json& panel : Panels(json())) {
    if (panel.at("type") != "table") continue;
    const Json& left_out = panel.at("transformations").back().at("options").at("excludeByName");
    for (const char* label : {"endpoint", "namespace", "service", "pod", "container", "node"}) {
      EXPECT_TRUE(left_out.value(label, false)) << panel.at("title") << ": " << label;
    }
  }
}

TEST_P(Conventions, TheFileIsWrittenAsGrafanaWritesIt) {
  EXPECT_TRUE(GetParam().text == json().dump(2) + "\n")
      << "two spaces a level, one item a line: python3 -m json.tool --indent 2 --no-ensure-ascii";
}

INSTANTIATE_TEST_SUITE_P(Dashboards, Conventions,
                         ::testing::ValuesIn(ReadDashboards(kRoot / "dashboards")),
                         [](const auto& dashboard) {
                           std::string name = dashboard.param.file;
                           name.resize(name.find('.'));
                           return std::regex_replace(name, std::regex("-"), "_");
                         });

// Addresses that people have in their bookmarks.
TEST(Dashboards, KeepTheirUids) {
  std::map<std::string, std::string> uids;
  for (const Dashboard& one : ReadDashboards(kRoot / "dashboards")) uids[one.file] = one.uid();
  const std::map<std::string, std::string> known = {
      {"exporter-health.json", "registry-backend-exporter-health"},
      {"reachability.json", "registry-backend-reachability"},
      {"registry-backends.json", "registry-backends"}};
  EXPECT_EQ(uids, known);
}

}  // namespace
}  // namespace registry_backend::testing
