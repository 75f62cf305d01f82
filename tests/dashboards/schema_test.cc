// The dashboards as programs of TypeScript see them, typed by Grafana's own library: check.mjs says
// what does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/dashboards/dashboard.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text.h"

namespace registry_backend::testing {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kDashboards = REGISTRY_BACKEND_SOURCE_DIR "/dashboards";
const std::filesystem::path kSchema = REGISTRY_BACKEND_SOURCE_DIR "/tests/dashboards/schema";

class Schema : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kSchema / "node_modules")) {
      GTEST_SKIP() << kSchema << "/node_modules is not there; scripts/test makes it";
    }
  }

  static RunResult Check(const std::vector<std::string>& files) {
    std::vector<std::string> argv = {"node", (kSchema / "check.mjs").string()};
    argv.insert(argv.end(), files.begin(), files.end());
    return RunToEnd(argv, {}, std::chrono::minutes(2));
  }
};

TEST_F(Schema, EachDashboardFits) {
  std::vector<std::string> files;
  for (const Dashboard& dashboard : ReadDashboards(kDashboards)) {
    files.push_back((kDashboards / dashboard.file).string());
  }
  ASSERT_EQ(files.size(), 3U);
  const RunResult result = Check(files);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST_F(Schema, WhatDoesNotFitIsSeen) {
  const std::vector<std::pair<std::string, std::string>> edits = {
      {R"("schemaVersion": 39)", R"("schemaVersion": "39")"},
      {R"("colorMode": "background_solid")", R"("colorMode": "solid")"},
      {R"("graphTooltip": 1)", R"("graphTooltip": 7)"},
      {R"("showHeader": true)", R"("showheader": true)"},
      {R"("type": "state-timeline")", R"("type": "graph")"}};
  for (const auto& [from, to] : edits) {
    std::string text = ReadFile(kDashboards / "registry-backends.json");
    Replace(text, from, to);
    const TempDir directory("schema");
    WriteFile(directory / "edited.json", text);
    const RunResult result = Check({(directory / "edited.json").string()});
    EXPECT_EQ(result.exit_code, 1) << to;
    EXPECT_THAT(result.out, HasSubstr("edited.json:")) << to;
  }
}

}  // namespace
}  // namespace registry_backend::testing
