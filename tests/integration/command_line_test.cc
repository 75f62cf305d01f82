#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/integration/exporter_process.h"
#include "tests/integration/server_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/temp_dir.h"

// The program as a user runs it, on the simulated registry.
namespace registry_backend {
namespace {

using Json = nlohmann::json;
using testing::RunResult;
using testing::TempDir;
namespace sim = simulator;

RunResult RunProgram(const std::vector<std::string>& arguments) {
  return testing::RunExporter(REGISTRY_BACKEND_EXPORTER, arguments);
}

sim::Catalog TeamApp() {
  return sim::Generate({.repository = "team/app", .tags = 4, .layers_per_tag = 5});
}

sim::Options WithPassword() {
  sim::Options options;
  options.authentication = sim::Authentication::kBasic;
  options.username = "user";
  options.password = "secret";
  return options;
}

TEST(CommandLine, SaysItsVersionAndItsUsage) {
  const RunResult version = RunProgram({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("registry_backend_exporter, version 0.")) << version.out;
  EXPECT_EQ(RunProgram({"--help"}).exit_code, 0);
  EXPECT_NE(RunProgram({"serve", "--help"}).out.find("--web.listen-address"), std::string::npos);
}

TEST(CommandLine, WhatItCannotUseIsAUsageErrorThatNamesIt) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"scan", "--nonsense"}, "--nonsense"},
      {{"scan", "--output", "xml"}, "xml"},
      {{"scan", "--registry", "ftp://x.example", "--repo", "a"}, "--registry"},
      {{"scan", "--registry", "https://u:p@x.example", "--repo", "a"}, "user name"},
      {{"scan", "--repository", "Upper/Case"}, "Upper/Case"},
      {{"scan", "--num-tags", "many"}, "many"},
      {{"scan", "--num-tags", "-1"}, "--num-tags"},
      {{"scan", "--registry", "https://x.example"}, "--repository"},
      {{"scan", "--config.file", "/nonexistent.yml"}, "/nonexistent.yml"},
      {{"scan", "--password-file", "/nonexistent"}, "/nonexistent"},
      {{"explode"}, "explode"},
      {{"--config.file", "/nonexistent.yml"}, "/nonexistent.yml"},
      {{"--web.listen-address", "nowhere"}, "nowhere"},
      {{"--web.telemetry-path", "metrics"}, "metrics"},
      {{"--log.level", "loud"}, "loud"},
  };
  for (const auto& [arguments, named] : cases) {
    const RunResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_NE(result.err.find(named), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  }
}

TEST(CommandLine, ScanPrintsAReport) {
  sim::Simulator registry(WithPassword(), TeamApp());
  const RunResult result = RunProgram({"scan", "--registry", registry.base_url(), "--repo",
                                       "team/app", "--username", "user", "--password", "secret"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["outcome"], "complete");
  EXPECT_EQ(report["tags"].size(), 4U);
  EXPECT_EQ(result.out.find(sim::kSignatureSecret), std::string::npos);
}

TEST(CommandLine, ScanTakesItsPasswordFromStandardInput) {
  sim::Simulator registry(WithPassword(), TeamApp());
  testing::SubprocessOptions options = testing::HermeticOptions();
  options.stdin_text = "secret\n";
  const RunResult result = testing::RunToEnd(
      {REGISTRY_BACKEND_EXPORTER, "scan", "--registry", registry.base_url(), "--repo", "team/app",
       "--username", "user", "--password-file", "-", "--output", "summary"},
      options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("team/app: complete"), std::string::npos) << result.out;
}

TEST(CommandLine, ScanOfTheNewestTagsOnly) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  const RunResult result = RunProgram(
      {"scan", "--registry", registry.base_url(), "--repo", "team/app", "--num-tags", "1"});
  EXPECT_EQ(Json::parse(result.out)["tag_order"].size(), 1U);
}

TEST(CommandLine, AWrongPasswordExitsOneAndSaysSo) {
  sim::Simulator registry(WithPassword(), TeamApp());
  const RunResult result =
      RunProgram({"scan", "--registry", registry.base_url(), "--repo", "team/app", "--username",
                  "user", "--password", "wrong-secret"});
  EXPECT_EQ(result.exit_code, 1);
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["error"], "Authentication failed");
  EXPECT_EQ(report["outcome"], "failed");
  EXPECT_NE(result.err.find("auth"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find(registry.authority()), std::string::npos) << result.err;
  EXPECT_EQ((result.out + result.err).find("wrong-secret"), std::string::npos);
}

TEST(CommandLine, APartialScanExitsThree) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  registry.AddFault(
      {sim::Operation::kManifest, "v202401-1", "", -1, sim::StatusFault{403, {}, {}}});
  const RunResult result =
      RunProgram({"scan", "--registry", registry.base_url(), "--repo", "team/app"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_NE(result.err.find("partial"), std::string::npos) << result.err;
}

TEST(CommandLine, ScanOfAFilesTargets) {
  sim::Simulator good(sim::Options{}, TeamApp());
  sim::Simulator bad(WithPassword(), TeamApp());
  const TempDir dir("config");
  testing::WriteFile(dir / "c.yml", "targets:\n- {name: good, registry: \"" + good.base_url() +
                                        "\", repository: team/app}\n- {name: bad, registry: \"" +
                                        bad.base_url() + "\", repository: team/app}\n");
  const RunResult both = RunProgram({"scan", "--config.file", (dir / "c.yml").string()});
  EXPECT_EQ(both.exit_code, 1);
  const Json reports = Json::parse(both.out);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0]["outcome"], "complete");
  EXPECT_EQ(reports[1]["outcome"], "failed");
  const RunResult one =
      RunProgram({"scan", "--config.file", (dir / "c.yml").string(), "--target", "good"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(Json::parse(one.out)["outcome"], "complete");
}

TEST(CommandLine, CredentialsThatCannotBeReadFailTheirTargetAlone) {
  sim::Simulator registry(WithPassword(), TeamApp());
  const TempDir dir("config");
  testing::WriteFile(dir / "password", "secret");
  testing::WriteFile(dir / "c.yml",
                     "targets:\n"
                     "- {name: bad, registry: \"https://r.example\", repository: a/b, "
                     "basic_auth: {username: user, password_file: missing}}\n"
                     "- {name: good, registry: \"" +
                         registry.base_url() +
                         "\", repository: team/app, "
                         "basic_auth: {username: user, password_file: password}}\n");
  const RunResult both = RunProgram({"scan", "--config.file", (dir / "c.yml").string()});
  EXPECT_EQ(both.exit_code, 1);
  EXPECT_NE(both.err.find("bad: the scan failed (credentials): password file " +
                          (dir / "missing").string()),
            std::string::npos)
      << both.err;
  const Json reports = Json::parse(both.out);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0]["outcome"], "failed");
  EXPECT_EQ(reports[0]["errors"][0]["reason"], "credentials");
  EXPECT_EQ(reports[1]["outcome"], "complete");
  const RunResult alone =
      RunProgram({"scan", "--config.file", (dir / "c.yml").string(), "--target", "bad"});
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_EQ(Json::parse(alone.out)["error"], "Credentials could not be read");
}

TEST(CommandLine, ConfigCheckOnlyChecks) {
  const TempDir dir("config");
  testing::WriteFile(dir / "c.yml",
                     "targets: [{registry: \"https://r.example\", repository: a/b}]\n");
  EXPECT_EQ(RunProgram({"--config.file", (dir / "c.yml").string(), "--config.check"}).exit_code, 0);
  testing::WriteFile(dir / "c.yml",
                     "targets: [{registry: \"https://r.example\", repositry: a/b}]\n");
  const RunResult bad = RunProgram({"--config.file", (dir / "c.yml").string(), "--config.check"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_NE(bad.err.find("c.yml:1:43: targets[0].repositry: unknown key"), std::string::npos)
      << bad.err;
}

TEST(CommandLine, CredentialsOfTheEnvironmentDoNotGoToAFilesTarget) {
  sim::Simulator registry(WithPassword(), TeamApp());
  const TempDir dir("config");
  testing::WriteFile(dir / "c.yml", "targets: [{registry: \"" + registry.base_url() +
                                        "\", repository: team/app}]\n");
  testing::SubprocessOptions options = testing::HermeticOptions();
  std::erase_if(options.unset_env,
                [](const std::string& name) { return name.starts_with("REGISTRY_"); });
  options.env["REGISTRY_USERNAME"] = "user";
  options.env["REGISTRY_PASSWORD"] = "secret";
  const RunResult file = testing::RunToEnd(
      {REGISTRY_BACKEND_EXPORTER, "scan", "--config.file", (dir / "c.yml").string()}, options);
  EXPECT_EQ(file.exit_code, 1);
  const sim::Stats stats = registry.GetStats();
  for (const auto& [request, count] : stats.counts) EXPECT_EQ(request.authorization, "");
  const RunResult beside = testing::RunToEnd(
      {REGISTRY_BACKEND_EXPORTER, "scan", "--registry", registry.base_url(), "--repo", "team/app"},
      options);
  EXPECT_EQ(beside.exit_code, 0) << beside.err;
}

}  // namespace
}  // namespace registry_backend
