// The dashboards as Grafana's UI libraries draw them in Chromium, over the scripted week:
// render.mjs says what is wrong. With DASHBOARD_SCREENSHOTS=DIR, by day and by night at two widths,
// and the pictures stay there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/dashboards/dashboard.h"
#include "tests/dashboards/history_prometheus.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::filesystem::path kDashboards = REGISTRY_BACKEND_SOURCE_DIR "/dashboards";
const std::filesystem::path kRender = REGISTRY_BACKEND_SOURCE_DIR "/tests/dashboards/render";

class Render : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kRender / "node_modules")) {
      GTEST_SKIP() << kRender << "/node_modules is not there; scripts/test makes it";
    }
  }

  static RunResult Draw(const std::string& prometheus, const std::string& out,
                        const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {
        "node", (kRender / "render.mjs").string(), "--prometheus", prometheus, "--out", out};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunToEnd(argv, {}, std::chrono::minutes(4));
  }
};

TEST_F(Render, EveryPanelShowsTheWeek) {
  const TempDir directory("dashboards");
  const char* const kept = std::getenv("DASHBOARD_SCREENSHOTS");
  std::vector<std::string> arguments;
  if (kept == nullptr) arguments = {"--schemes", "light", "--widths", "1280"};
  for (const Dashboard& dashboard : ReadDashboards(kDashboards)) {
    arguments.push_back((kDashboards / dashboard.file).string());
  }
  const HistoryPrometheus prometheus;
  const RunResult run =
      Draw(prometheus.url(), kept == nullptr ? directory.path().string() : kept, arguments);
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
}

json Panel(int id, const std::string& type, const std::string& expression) {
  return {{"id", id},
          {"type", type},
          {"title", "Panel " + std::to_string(id)},
          {"gridPos", {{"x", 0}, {"y", id * 8}, {"w", 24}, {"h", 8}}},
          {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}},
          {"targets", json::array({{{"refId", "A"}, {"expr", expression}}})}};
}

TEST_F(Render, WhatIsWrongIsSaid) {
  const TempDir directory("dashboards");
  const json variable = {{"name", "datasource"}, {"type", "datasource"}, {"query", "prometheus"}};
  json nothing = {{"name", "nothing"},
                  {"type", "query"},
                  {"query", "label_values(not_there, job)"},
                  {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}}};
  const json dashboard = {
      {"title", "Wrong"},
      {"time", {{"from", "now-1h"}, {"to", "now"}}},
      {"templating", {{"list", {variable, nothing}}}},
      {"panels",
       {Panel(1, "timeseries", "sum(vector(1)"), Panel(2, "stat", "not_there"),
        Panel(3, "no-such-panel", "vector(1)"), Panel(4, "timeseries", "vector(1)")}}};
  WriteFile(directory / "wrong.json", dashboard.dump());
  const PrometheusServer prometheus("");
  const RunResult run =
      Draw(prometheus.url(), directory.path().string(),
           {"--schemes", "dark", "--widths", "1280", (directory / "wrong.json").string()});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.out, HasSubstr("panel Panel 1: "));
  EXPECT_THAT(run.out, HasSubstr("parse error"));
  EXPECT_THAT(run.out, HasSubstr("panel Panel 2: No data"));
  EXPECT_THAT(run.out, HasSubstr("panel Panel 3: no panel of type no-such-panel"));
  EXPECT_THAT(run.out, ::testing::Not(HasSubstr("Panel 4")));
  EXPECT_THAT(run.out, HasSubstr("variable nothing has no values"));
}

}  // namespace
}  // namespace registry_backend::testing
