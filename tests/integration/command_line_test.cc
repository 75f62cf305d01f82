#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "tests/integration/exporter_process.h"
#include "tests/integration/server_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/http_get.h"
#include "tests/support/raw_server.h"
#include "tests/support/sanitizer.h"
#include "tests/support/temp_dir.h"

// The program as a user runs it, on the simulated registry.
namespace registry_backend {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
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

// The same with these variables set.
RunResult RunWith(const std::map<std::string, std::string>& environment,
                  const std::vector<std::string>& arguments) {
  testing::SubprocessOptions options = testing::HermeticOptions();
  options.env = environment;
  std::erase_if(options.unset_env,
                [&](const std::string& name) { return environment.contains(name); });
  std::vector<std::string> argv = {REGISTRY_BACKEND_EXPORTER};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return testing::RunToEnd(argv, options);
}

// `scan` of a simulated registry's team/app.
std::vector<std::string> ScanOf(const sim::Simulator& registry,
                                const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"scan", "--registry", registry.base_url(), "--repo",
                                        "team/app"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

sim::Options WithTokens() {
  sim::Options options = WithPassword();
  options.authentication = sim::Authentication::kBearer;
  return options;
}

// One that the registry takes for pulls.
std::string TokenOf(const sim::Simulator& registry) {
  const testing::HttpAnswer answer = testing::HttpGet(
      registry.base_url() + "/token?service=registry-simulator&scope=repository:team/app:pull",
      {.username = "user", .password = "secret"});
  EXPECT_EQ(answer.status, 200) << answer.error;
  return Json::parse(answer.body).at("token");
}

// A docker config file with the password of `host`.
std::string DockerConfigFor(const std::string& host) {
  return R"({"auths":{")" + host + R"(":{"auth":"dXNlcjpzZWNyZXQ="}}})";  // user:secret
}

std::string Output(const RunResult& result) { return result.out + result.err; }

TEST(CommandLine, SaysItsVersionAndItsUsage) {
  const RunResult version = RunProgram({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("registry_backend_exporter, version 0.")) << version.out;
  EXPECT_EQ(RunProgram({"--help"}).exit_code, 0);
  EXPECT_NE(RunProgram({"serve", "--help"}).out.find("--web.listen-address"), std::string::npos);
}

TEST(CommandLine, AReportThatCannotBeWrittenIsNoSuccess) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  for (const std::string output : {"json", "summary", "detailed", "html"}) {
    const RunResult run = testing::RunToEnd(
        {"sh", "-c",
         std::string(REGISTRY_BACKEND_EXPORTER) + " scan --registry " + registry.base_url() +
             " --repository team/app --output " + output + " >/dev/full"},
        testing::HermeticOptions());
    EXPECT_EQ(run.exit_code, 1) << output;
    EXPECT_NE(run.err.find("the report cannot be written: No space left"), std::string::npos)
        << run.err;
  }
}

TEST(CommandLine, WhatItCannotUseIsAUsageErrorThatNamesIt) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"scan", "--nonsense"}, "--nonsense"},
      {{"scan", "--registry", "ftp://x.example", "--repo", "a"}, "--registry"},
      {{"scan", "--registry", "https://u:p@x.example", "--repo", "a"}, "user name"},
      {{"scan", "--repository", "Upper/Case"}, "Upper/Case"},
      {{"scan", "--registry", "https://x.example"}, "--repository"},
      {{"scan", "--config.file", "/nonexistent.yml"}, "/nonexistent.yml"},
      {{"scan", "--password-file", "/nonexistent"}, "/nonexistent"},
      {{"explode"}, "explode"},
      {{"--config.file", "/nonexistent.yml"}, "/nonexistent.yml"},
      {{"--web.listen-address", "nowhere"}, "nowhere"},
      {{"--web.telemetry-path", "metrics"}, "metrics"},
      {{"--web.external-url", "ftp://ops.example/"}, "--web.external-url: "},
      {{"--web.external-url", "https://ops.example/a?b=c"},
       "--web.external-url: https://ops.example/a"},
  };
  for (const auto& [arguments, named] : cases) {
    const RunResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_NE(result.err.find(named), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  }
}

TEST(CommandLine, APathForMetricsThatSomethingElseHasIsAUsageError) {
  const TempDir dir("taken");
  testing::WriteFile(dir / "c.yml",
                     "targets: [{registry: \"http://127.0.0.1:1\", repository: a/b}]\n");
  for (const std::string path : {"/config", "/api/v1/sd", "/-/scan", "/-/healthy"}) {
    const RunResult run =
        testing::RunToEnd({REGISTRY_BACKEND_EXPORTER, "--config.file", (dir / "c.yml").string(),
                           "--storage.path", (dir / "data").string(), "--web.listen-address",
                           "127.0.0.1:0", "--web.telemetry-path", path},
                          testing::HermeticOptions(), std::chrono::seconds(10));
    EXPECT_EQ(run.exit_code, 2) << path;
    EXPECT_THAT(run.err, HasSubstr("--web.telemetry-path: " + path + " "));
  }
}

// Here that no more memory is to be had: the report never ends.
TEST(CommandLine, WhatALibraryThrowsIsSaidAndIsNoCrash) {
  if (testing::kHasSanitizer) GTEST_SKIP() << "it ends the program itself";
  constexpr const char* kScript = R"(ulimit -c 0 -v 400000
tags() {
  printf '{"format_version":1,"tags":{'
  yes "\"$(printf %080d 0)\":{},"
}
tags | "$0" allowlist --report -
)";
  const RunResult run = testing::RunToEnd({"bash", "-c", kScript, REGISTRY_BACKEND_EXPORTER},
                                          testing::HermeticOptions());
  EXPECT_EQ(run.exit_code, 2) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr("registry_backend_exporter: "));
}

TEST(CommandLine, AValueThatIsNotAllowedIsToldWithWhatIs) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"scan", "--output", "xml"}, "--output: expected detailed|html|json|summary, not 'xml'"},
      {{"scan", "--output", "0"}, "--output: expected detailed|html|json|summary, not '0'"},
      {{"scan", "--num-tags", "-1"}, "--num-tags: expected a whole number of at least 0, not '-1'"},
      {{"scan", "--num-tags", "many"},
       "--num-tags: expected a whole number of at least 0, not 'many'"},
      {{"scan", "--num-tags", "99999999999999999999"},
       "--num-tags: expected a whole number of at least 0, not '99999999999999999999'"},
      {{"--shard.total", "0"}, "--shard.total: expected a whole number of at least 1, not '0'"},
      {{"--log.level", "loud"}, "--log.level: expected debug|error|info|warn, not 'loud'"},
      {{"--log.format", "xml"}, "--log.format: expected json|logfmt, not 'xml'"},
      {{"scan", "--registry", "https://x.example/team", "--repo", "a"},
       "--registry: registry 'https://x.example' has a path: move it to the beginning of the "
       "repository, as in team/app "},
  };
  for (const auto& [arguments, message] : cases) {
    const RunResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(result.out, "");
  }
}

TEST(CommandLine, TheDemoSaysThatItsAddressIsTaken) {
  testing::RawServer other([](testing::RawConnection& /*connection*/) {});
  const TempDir dir("demo");  // where there is nothing to install and to build
  std::filesystem::create_directory(dir / "scripts");
  std::filesystem::copy(REGISTRY_BACKEND_SOURCE_DIR "/scripts/demo", dir / "scripts" / "demo");
  testing::SubprocessOptions options = testing::HermeticOptions();
  options.env["DEMO_ADDRESS"] = other.host();
  const RunResult demo = testing::RunToEnd({(dir / "scripts" / "demo").string()}, options);
  EXPECT_EQ(demo.exit_code, 1);
  EXPECT_THAT(demo.err, HasSubstr("something listens at " + other.host() + " already"));
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
  const std::string file = (dir / "c.yml").string();
  const RunResult one = RunProgram({"--config.file", file, "--config.check"});
  EXPECT_EQ(one.exit_code, 0);
  EXPECT_EQ(one.out, file + " is valid: 1 target\n");
  testing::WriteFile(file, "targets: [{registry: r.example, repositories: [a/b, c]}]\n");
  EXPECT_EQ(RunProgram({"--config.file", file, "--config.check"}).out,
            file + " is valid: 2 targets\n");
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

TEST(CommandLine, ATokenIsShownToTheRegistryAsItIs) {
  sim::Simulator registry(WithTokens(), TeamApp());
  const std::string token = TokenOf(registry);
  registry.ResetStats();
  for (const RunResult& result : {RunProgram(ScanOf(registry, {"--token", token})),
                                  RunWith({{"REGISTRY_TOKEN", token}}, ScanOf(registry))}) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(Output(result), Not(HasSubstr(token)));
  }
  EXPECT_EQ(registry.GetStats().Count(sim::Operation::kToken), 0U) << "it needs no other";
}

TEST(CommandLine, AWrongTokenExitsOneAndIsNotShown) {
  sim::Simulator registry(WithTokens(), TeamApp());
  const RunResult result = RunProgram(ScanOf(registry, {"--token", "SECRET"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(Json::parse(result.out)["error"], "Authentication failed");
  EXPECT_THAT(Output(result), Not(HasSubstr("SECRET")));
  const RunResult broken = RunProgram(ScanOf(registry, {"--token", "SEC\nRET"}));
  EXPECT_EQ(broken.exit_code, 2);
  EXPECT_THAT(Output(broken), AllOf(HasSubstr("token: it holds a character that no token may have"),
                                    Not(HasSubstr("RET"))));
}

TEST(CommandLine, ADockerConfigFileHasTheCredentialsOfItsHostsOnly) {
  sim::Simulator registry(WithPassword(), TeamApp());
  const TempDir dir("docker");
  const std::string file = (dir / "config.json").string();
  testing::WriteFile(file, DockerConfigFor(registry.authority()));
  const std::map<std::string, std::string> folder = {{"DOCKER_CONFIG", dir.path().string()}};
  EXPECT_EQ(RunProgram(ScanOf(registry, {"--docker-config", file})).exit_code, 0);
  EXPECT_EQ(RunWith(folder, ScanOf(registry)).exit_code, 0);

  testing::WriteFile(file, DockerConfigFor("other.example"));
  registry.ResetStats();
  EXPECT_EQ(RunProgram(ScanOf(registry, {"--docker-config", file})).exit_code, 1);
  EXPECT_EQ(RunWith(folder, ScanOf(registry)).exit_code, 1);
  const sim::Stats stats = registry.GetStats();
  for (const auto& [request, count] : stats.counts) EXPECT_EQ(request.authorization, "");
}

TEST(CommandLine, ADockerConfigFileThatCannotBeUsedIsAnErrorThatNamesIt) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  const TempDir dir("docker");
  const std::string file = (dir / "config.json").string();
  const RunResult missing = RunProgram(ScanOf(registry, {"--docker-config", file}));
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("docker config file " + file + ": No such file or directory"));

  testing::WriteFile(file, R"({"auths":{"r.example":{"auth":"SECRET)");
  for (const RunResult& broken :
       {RunProgram(ScanOf(registry, {"--docker-config", file})),
        RunWith({{"DOCKER_CONFIG", dir.path().string()}}, ScanOf(registry))}) {
    EXPECT_EQ(broken.exit_code, 2);
    EXPECT_THAT(broken.err, AllOf(HasSubstr(file), Not(HasSubstr("SECRET"))));
  }
  EXPECT_EQ(registry.GetStats().total, 0U);
}

TEST(CommandLine, AFolderOfDockersWithoutAFileIsAsGoodAsNone) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  const TempDir dir("docker");
  EXPECT_EQ(RunWith({{"DOCKER_CONFIG", dir.path().string()}}, ScanOf(registry)).exit_code, 0);
}

TEST(CommandLine, TokensAndDockersFilesOfTheEnvironmentDoNotGoToAFilesTarget) {
  sim::Simulator registry(WithPassword(), TeamApp());
  const TempDir dir("config");
  testing::WriteFile(dir / "config.json", DockerConfigFor(registry.authority()));
  testing::WriteFile(dir / "c.yml", "targets: [{registry: \"" + registry.base_url() +
                                        "\", repository: team/app}]\n");
  for (const auto& [name, value] : {std::pair("REGISTRY_TOKEN", std::string("SECRET")),
                                    std::pair("DOCKER_CONFIG", dir.path().string())}) {
    const RunResult result =
        RunWith({{name, value}}, {"scan", "--config.file", (dir / "c.yml").string()});
    EXPECT_EQ(result.exit_code, 1) << name;
  }
  const sim::Stats stats = registry.GetStats();
  for (const auto& [request, count] : stats.counts) EXPECT_EQ(request.authorization, "");
}

TEST(CommandLine, ATokenBesideAPasswordInTheEnvironmentIsAUsageError) {
  sim::Simulator registry(WithPassword(), TeamApp());
  for (const char* name : {"REGISTRY_PASSWORD", "REGISTRY_USERNAME"}) {
    const std::map<std::string, std::string> both = {{"REGISTRY_TOKEN", "SECRET1"},
                                                     {name, "SECRET2"}};
    for (const RunResult& result : {RunWith(both, ScanOf(registry)), RunWith(both, {"scan"}),
                                    RunWith(both, {"serve", "--config.check"})}) {
      EXPECT_EQ(result.exit_code, 2);
      EXPECT_THAT(Output(result), AllOf(HasSubstr("REGISTRY_TOKEN is set beside "), HasSubstr(name),
                                        Not(HasSubstr("SECRET"))));
    }
    const RunResult flags =
        RunWith(both, ScanOf(registry, {"--username", "user", "--password", "secret"}));
    EXPECT_EQ(flags.exit_code, 0) << "flags stand for themselves: " << flags.err;
  }
}

TEST(CommandLine, WhatBelongsToNoOptionIsNotRepeatedSinceItMayBeAPassword) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"scan", "--pasword", "SECRET"}, {"scan", "--pasword=SECRET"}}) {
    const RunResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.err.find("there is no option --pasword;"), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("SECRET"), std::string::npos) << result.err;
  }
  const RunResult stray = RunProgram({"scan", "SECRET"});
  EXPECT_EQ(stray.exit_code, 2);
  EXPECT_NE(stray.err.find("belongs to no option"), std::string::npos) << stray.err;
  EXPECT_EQ(stray.err.find("SECRET"), std::string::npos) << stray.err;
}

TEST(CommandLine, FlagsThatContradictEachOtherAreUsageErrors) {
  const std::vector<std::string> pairs[] = {
      {"--token", "SECRET", "--username", "u"},
      {"--token", "SECRET", "--password", "SECRET"},
      {"--token", "SECRET", "--password-file", "f"},
      {"--token", "SECRET", "--docker-config", "f"},
      {"--docker-config", "f", "--username", "u"},
      {"--docker-config", "f", "--password", "SECRET"},
      {"--docker-config", "f", "--password-file", "f"},
      {"--password", "SECRET", "--password-file", "f"},
      {"--config.file", "c.yml", "--token", "SECRET"},
      {"--config.file", "c.yml", "--docker-config", "f"},
      {"--config.file", "c.yml", "--proxy-url", "http://u:SECRET@proxy"},
  };
  for (const std::vector<std::string>& flags : pairs) {
    std::vector<std::string> arguments = {"scan"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const RunResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 2) << ::testing::PrintToString(flags);
    EXPECT_THAT(result.err,
                AllOf(HasSubstr(flags[0]), HasSubstr(flags[2]), Not(HasSubstr("SECRET"))));
    EXPECT_EQ(result.out, "");
  }
}

TEST(CommandLine, AProxyThatIsNoneIsAUsageErrorWithoutItsPassword) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  const std::string wrong = "http://u:SECRET@proxy:99999";
  const std::pair<std::string, RunResult> results[] = {
      {"--proxy-url: 'proxy:99999' is not a usable proxy",
       RunProgram(ScanOf(registry, {"--proxy-url", wrong}))},
      {"HTTPS_PROXY: 'proxy:99999' is not a usable proxy",
       RunWith({{"HTTPS_PROXY", wrong}}, ScanOf(registry))},
      {"HTTP_PROXY: 'proxy:99999' is not a usable proxy",
       RunWith({{"http_proxy", wrong}}, {"serve", "--config.check"})},
  };
  for (const auto& [error, result] : results) {
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(Output(result), AllOf(HasSubstr(error), Not(HasSubstr("SECRET"))));
  }
  EXPECT_EQ(registry.GetStats().total, 0U);
}

TEST(CommandLine, AProxyIsAskedWithItsPasswordWhichIsNotShown) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  std::atomic<int> asked = 0;
  testing::RawServer proxy([&](testing::RawConnection& connection) {
    const std::string request = connection.ReadRequest();
    // u:SECRET
    if (request.find("GET " + registry.base_url() + "/v2/") != std::string::npos &&
        request.find("Basic dTpTRUNSRVQ=") != std::string::npos) {
      ++asked;
    }
    (void)connection.Send(testing::HttpText(403, "", ""));
  });
  const std::string url = "http://u:SECRET@" + proxy.url().substr(7);
  for (const RunResult& result : {RunProgram(ScanOf(registry, {"--proxy-url", url})),
                                  RunWith({{"HTTP_PROXY", url}}, ScanOf(registry))}) {
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(Output(result), AllOf(HasSubstr("403"), Not(HasSubstr("SECRET"))));
  }
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(registry.GetStats().total, 0U);
  const RunResult around =
      RunWith({{"HTTP_PROXY", url}, {"NO_PROXY", "127.0.0.1"}}, ScanOf(registry));
  EXPECT_EQ(around.exit_code, 0) << around.err;
  EXPECT_EQ(asked, 2);
}

TEST(CommandLine, WhatIsConfiguredDangerouslyIsWarnedOf) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  const TempDir dir("config");
  const std::string file = (dir / "c.yml").string();
  testing::WriteFile(file, "targets:\n- registry: " + registry.base_url() +
                               "\n  repository: team/app\n"
                               "  tls_config: {insecure_skip_verify: true}\n");
  const std::string warning =
      file +
      ":4:38: targets[0].tls_config.insecure_skip_verify: the certificates of the registry "
      "and its token service are not verified";
  const RunResult check = RunProgram({"--config.file", file, "--config.check"});
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_THAT(check.err, HasSubstr(warning));
  EXPECT_THAT(check.out, HasSubstr("is valid"));
  const RunResult scan = RunProgram({"scan", "--config.file", file});
  EXPECT_EQ(scan.exit_code, 0);
  EXPECT_THAT(scan.err, HasSubstr("warning: " + warning));
  EXPECT_EQ(Json::parse(scan.out)["outcome"], "complete");
}

TEST(CommandLine, ScanOfTheTagsThatAFileSelects) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  const TempDir dir("config");
  const std::string file = (dir / "c.yml").string();
  const auto scan = [&](const std::string& tags) {
    testing::WriteFile(file, "scan: {tags: " + tags + "}\ntargets: [{registry: \"" +
                                 registry.base_url() + "\", repository: team/app}]\n");
    return RunProgram({"scan", "--config.file", file});
  };
  const RunResult one = scan("{include: ['v2024.*'], exclude: ['v20240[2-9].*']}");
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(Json::parse(one.out)["tag_order"].dump(), R"(["v202401-1"])");
  const RunResult none = scan("{include: [nothing]}");
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("failed (protocol): the repository has no tag that is selected"));
}

TEST(CommandLine, WhatTheRegistryHasNotDoesNotKeepAScanFromBeingComplete) {
  sim::Simulator registry(sim::Options{}, TeamApp());
  std::string blob;
  registry.EditCatalog(
      [&](sim::Catalog& catalog) { blob = catalog.BlobsOf("team/app", "v202401-1").back(); });
  registry.AddFault({sim::Operation::kBlob, blob, "", 2, sim::StatusFault{404, {}, {}}});
  const RunResult lost = RunProgram(ScanOf(registry));
  EXPECT_EQ(lost.exit_code, 0) << lost.err;
  EXPECT_EQ(lost.err, "");
  const Json report = Json::parse(lost.out);
  EXPECT_EQ(report["outcome"], "complete");
  EXPECT_EQ(report["coverage"]["unpullable"], 1);
  ASSERT_EQ(report["unpullable"].size(), 1U);
  EXPECT_EQ(report["unpullable"][0]["digest"], blob);
  EXPECT_EQ(registry.GetStats().CountOf(sim::Operation::kBlob, blob), 2U);

  registry.AddFault({sim::Operation::kBlob, blob, "", 1, sim::StatusFault{404, {}, {}}});
  const RunResult back = RunProgram(ScanOf(registry));
  EXPECT_EQ(Json::parse(back.out)["coverage"]["unpullable"], 0) << "it was there the second time";
}

}  // namespace
}  // namespace registry_backend
