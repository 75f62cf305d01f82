// What brings the dashboards into Grafana: its provisioning files, and ConfigMaps for its sidecar.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/dashboards/dashboard.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kRoot = REGISTRY_BACKEND_SOURCE_DIR;
const std::filesystem::path kConfigMaps =
    kRoot / "deploy/kubernetes/components/grafana/dashboards.yaml";

std::string Text(const YAML::Node& node) { return node ? node.as<std::string>() : ""; }

TEST(DashboardProvisioning, TheDataSourceScrapesAsOftenAsTheExample) {
  const YAML::Node file =
      YAML::LoadFile(kRoot / "dashboards/provisioning/datasources/prometheus.yml");
  EXPECT_EQ(Text(file["apiVersion"]), "1");
  ASSERT_EQ(file["datasources"].size(), 1U);
  const YAML::Node& source = file["datasources"][0];
  EXPECT_EQ(Text(source["type"]), "prometheus");
  EXPECT_EQ(Text(source["access"]), "proxy");
  const YAML::Node example = YAML::LoadFile(kRoot / "deploy/prometheus/prometheus.yml");
  EXPECT_EQ(Text(source["jsonData"]["timeInterval"]), Text(example["global"]["scrape_interval"]));
}

TEST(DashboardProvisioning, TheDashboardsAreReadFromAFolder) {
  const YAML::Node file =
      YAML::LoadFile(kRoot / "dashboards/provisioning/dashboards/registry-backend.yml");
  EXPECT_EQ(Text(file["apiVersion"]), "1");
  ASSERT_EQ(file["providers"].size(), 1U);
  const YAML::Node& provider = file["providers"][0];
  EXPECT_EQ(Text(provider["type"]), "file");
  EXPECT_EQ(Text(provider["allowUiUpdates"]), "false") << "the dashboards are not editable";
  EXPECT_THAT(ReadFile(kRoot / "docs/dashboards.md"),
              HasSubstr(Text(provider["options"]["path"]).substr(1)));
}

TEST(DashboardProvisioning, TheConfigMapsAreWhatTheGeneratorPrints) {
  const RunResult made = RunToEnd({"python3", (kRoot / "dashboards/configmaps.py").string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_TRUE(ReadFile(kConfigMaps) == made.out) << "run dashboards/configmaps.py >" << kConfigMaps;
}

TEST(DashboardProvisioning, EachDashboardIsAConfigMapThatTheSidecarFinds) {
  const std::vector<Dashboard> dashboards = ReadDashboards(kRoot / "dashboards");
  const std::vector<YAML::Node> maps = YAML::LoadAllFromFile(kConfigMaps);
  ASSERT_EQ(maps.size(), dashboards.size());
  for (std::size_t i = 0; i < maps.size(); ++i) {
    EXPECT_EQ(Text(maps[i]["kind"]), "ConfigMap");
    EXPECT_EQ(Text(maps[i]["metadata"]["labels"]["grafana_dashboard"]), "1");
    EXPECT_TRUE(Text(maps[i]["data"][dashboards[i].file]) == dashboards[i].text)
        << dashboards[i].file;
    EXPECT_LT(dashboards[i].text.size(), 1'000'000U) << "a ConfigMap holds 1 MiB";
  }
}

}  // namespace
}  // namespace registry_backend::testing
