// The shipped alerts, judged by Prometheus' and Alertmanager's own tools.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/subprocess.h"

namespace registry_backend::testing {
namespace {

const std::string kAlerts = REGISTRY_BACKEND_SOURCE_DIR "/alerts/";

class RulesTest : public ::testing::Test {
 protected:
  // The output of a tool that must accept what it is given.
  static std::string Accept(const std::vector<std::string>& argv) {
    const RunResult result = RunToEnd(argv);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return result.out;
  }

  // The receiver that the shipped example sends an alert with these labels to.
  static std::string Receiver(const std::vector<std::string>& labels) {
    std::vector<std::string> argv = {"amtool", "config", "routes", "test",
                                     "--config.file=" + kAlerts + "alertmanager.yml"};
    argv.insert(argv.end(), labels.begin(), labels.end());
    return Accept(argv);
  }
};

TEST_F(RulesTest, PromtoolFindsNothingToSay) {
  const std::string out =
      Accept({"promtool", "check", "rules", kAlerts + "registry-backend.rules.yml"});
  EXPECT_NE(out.find("SUCCESS"), std::string::npos) << out;
  EXPECT_EQ(out.find("FAILED"), std::string::npos) << out;
}

TEST_F(RulesTest, AlertsFireAndStaySilentAsTheirTestsSay) {
  const std::string out =
      Accept({"promtool", "test", "rules", kAlerts + "tests/registry-backend.test.yml"});
  EXPECT_NE(out.find("SUCCESS"), std::string::npos) << out;
}

TEST_F(RulesTest, AmtoolAcceptsTheExampleAndItRoutesByTeam) {
  const std::string out = Accept({"amtool", "check-config", kAlerts + "alertmanager.yml"});
  EXPECT_NE(out.find("SUCCESS"), std::string::npos) << out;
  const std::string name = "alertname=RegistryBackendEndpointAdded";
  EXPECT_EQ(Receiver({name, "team=platform"}), "registry-backend-platform\n");
  EXPECT_EQ(Receiver({name, "team=unheard-of"}), "registry-backend\n");
  EXPECT_EQ(Receiver({name}), "registry-backend\n");
}

}  // namespace
}  // namespace registry_backend::testing
