#include "exporter/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TempDir;
using testing::WriteFile;

constexpr std::string_view kTarget =
    "targets:\n"
    "  - registry: https://registry.example\n"
    "    repository: team/app\n";

Config Parse(std::string_view text, const std::string& path = "f.yml") {
  Result<Config> config = ParseConfig(text, path);
  EXPECT_TRUE(config) << config.error().message;
  return config ? *std::move(config) : Config{};
}

std::string Fault(std::string_view text) {
  const Result<Config> config = ParseConfig(text, "f.yml");
  return config ? "no error" : config.error().message;
}

// One target with these credentials; `value` is written as in a file.
std::string WithPassword(const std::string& value) {
  return std::string(kTarget) +
         "    basic_auth:\n      username: terraform\n      password: " + value + "\n";
}

TEST(Config, ReadsEveryKey) {
  const Config config = Parse(R"(
scan:
  interval: 12h
  retry_interval: 1m
  absent_after: 2
  forget_after: 7d
  timeout: 30m
  max_concurrency: 4
  max_requests_per_second: 2.5
metrics: {max_endpoints: 50}
targets:
  - name: terraform-enterprise
    registry: https://images.releases.hashicorp.com
    repository: hashicorp/terraform-enterprise
    team: platform
    basic_auth: {username: terraform, password_file: license.txt}
    tls_config: {ca_file: tls/ca.pem}
    scan: {interval: 6h, timeout: 10m, max_concurrency: 2, max_requests_per_second: 0}
  - registry: http://localhost:5000
    repository: team/app
    basic_auth:
      username: reader
      password: "pass word"
)",
                              "/etc/exporter/config.yml");
  ASSERT_EQ(config.targets.size(), 2U);

  const TargetOptions& first = config.targets[0];
  EXPECT_EQ(first.name, "terraform-enterprise");
  EXPECT_EQ(first.team, "platform");
  EXPECT_EQ(first.registry.registry.text(), "https://images.releases.hashicorp.com/");
  EXPECT_EQ(first.registry.repository, "hashicorp/terraform-enterprise");
  EXPECT_EQ(first.credentials.kind, CredentialsSource::Kind::kBasic);
  EXPECT_EQ(first.credentials.username, "terraform");
  EXPECT_EQ(first.credentials.password, "");
  EXPECT_EQ(first.credentials.password_file, "/etc/exporter/license.txt");
  ASSERT_NE(first.registry.connection, nullptr);
  EXPECT_EQ(*first.registry.connection, (ConnectionOptions{.ca_file = "/etc/exporter/tls/ca.pem"}));
  EXPECT_EQ(first.schedule.interval, hours(6));
  EXPECT_EQ(first.scan.timeout, minutes(10));
  EXPECT_EQ(first.scan.max_concurrency, 2U);
  EXPECT_EQ(first.scan.max_requests_per_second, 0);

  const TargetOptions& second = config.targets[1];
  EXPECT_EQ(second.name, "localhost:5000/team/app");
  EXPECT_EQ(second.team, "");
  EXPECT_EQ(second.registry.registry.text(), "http://localhost:5000/");
  EXPECT_EQ(second.credentials.password, "pass word");
  EXPECT_EQ(second.credentials.password_file, "");
  EXPECT_EQ(second.schedule.interval, hours(12));
  EXPECT_EQ(second.schedule.retry_interval, minutes(1));
  EXPECT_EQ(second.inventory.absent_after, 2U);
  EXPECT_EQ(second.inventory.forget_after, hours(24 * 7));
  EXPECT_EQ(second.inventory.max_endpoints, 50U);
  EXPECT_EQ(second.scan.timeout, minutes(30));
  EXPECT_EQ(second.scan.max_concurrency, 4U);
  EXPECT_EQ(second.scan.max_requests_per_second, 2.5);
}

TEST(Config, HasDefaults) {
  const TargetOptions target = Parse(kTarget).targets.at(0);
  EXPECT_EQ(target.name, "registry.example/team/app");
  EXPECT_EQ(target.credentials.kind, CredentialsSource::Kind::kAnonymous);
  EXPECT_EQ(target.schedule.interval, hours(24));
  EXPECT_EQ(target.scan.timeout, hours(1));
  EXPECT_EQ(target.scan.max_concurrency, 8U);
  EXPECT_EQ(target.scan.max_requests_per_second, 20);
  EXPECT_EQ(target.scan.newest_tags, 0U);
  ASSERT_NE(target.registry.connection, nullptr);
  EXPECT_EQ(*target.registry.connection, ConnectionOptions());
}

TEST(Config, AnEmptyValueIsAsGoodAsNone) {
  const TargetOptions target =
      Parse("scan:\n" + std::string(kTarget) +
            "    name:\n    team:\n    basic_auth:\n    tls_config: {ca_file: }\n    scan: {}\n")
          .targets.at(0);
  EXPECT_EQ(target.name, "registry.example/team/app");
  EXPECT_EQ(target.credentials.kind, CredentialsSource::Kind::kAnonymous);
  EXPECT_EQ(target.registry.connection->ca_file, "");
  EXPECT_EQ(Parse(std::string(kTarget) + "    name: ''\n").targets.at(0).name,
            "registry.example/team/app");
}

TEST(Config, ATargetOverridesOnlyWhatItNames) {
  const Config config = Parse(
      "scan: {interval: 2h, timeout: 5m, max_concurrency: 3, max_requests_per_second: 7}\n"
      "targets:\n"
      "  - {registry: a.example, repository: x, scan: {timeout: 90s}}\n"
      "  - {registry: b.example, repository: x}\n");
  ASSERT_EQ(config.targets.size(), 2U);
  EXPECT_EQ(config.targets[0].scan.timeout, seconds(90));
  EXPECT_EQ(config.targets[1].scan.timeout, minutes(5)) << "the first one's stay its own";
  for (const TargetOptions& target : config.targets) {
    EXPECT_EQ(target.schedule.interval, hours(2));
    EXPECT_EQ(target.scan.max_concurrency, 3U);
    EXPECT_EQ(target.scan.max_requests_per_second, 7);
  }
}

TEST(Config, TheDefaultsMayStandBelowTheTargets) {
  EXPECT_EQ(Parse(std::string(kTarget) + "scan: {interval: 2h}\n").targets.at(0).schedule.interval,
            hours(2));
}

TEST(Config, ABareHostMeansHttps) {
  EXPECT_EQ(Parse("targets: [{registry: 'a.example:8443', repository: x}]")
                .targets.at(0)
                .registry.registry.text(),
            "https://a.example:8443/");
}

TEST(Config, RelativePathsStartAtTheFile) {
  const struct {
    std::string file;
    std::string path;
    std::string expected;
  } kCases[] = {
      {"/etc/exporter/f.yml", "license.txt", "/etc/exporter/license.txt"},
      {"/etc/exporter/f.yml", "/run/secrets/license", "/run/secrets/license"},
      {"conf/f.yml", "license.txt", "conf/license.txt"},
      {"f.yml", "license.txt", "./license.txt"},
      {"f.yml", "-", "./-"},
  };
  for (const auto& c : kCases) {
    const Config config =
        Parse(std::string(kTarget) + "    basic_auth: {username: u, password_file: " + c.path +
                  "}\n    tls_config: {ca_file: " + c.path + "}\n",
              c.file);
    EXPECT_EQ(config.targets.at(0).credentials.password_file, c.expected);
    EXPECT_EQ(config.targets.at(0).registry.connection->ca_file, c.expected);
  }
}

TEST(Config, APasswordIsTextWhateverItLooksLike) {
  const struct {
    std::string written;
    std::string password;
  } kCases[] = {
      {"0123", "0123"},
      {"1e3", "1e3"},
      {"0x1F", "0x1F"},
      {"true", "true"},
      {"2026-11-23", "2026-11-23"},
      {"a:b#c", "a:b#c"},
      {"'null'", "null"},
      {"\"~\"", "~"},
      {"'*star'", "*star"},
      {"'&and'", "&and"},
      {"'!bang'", "!bang"},
      {"'@at'", "@at"},
      {"'%percent'", "%percent"},
      {"'`tick'", "`tick"},
      {"'{brace'", "{brace"},
      {"'[bracket'", "[bracket"},
      {"'#hash'", "#hash"},
      {"'- dash'", "- dash"},
      {"'it''s'", "it's"},
      {R"("\\ and \"")", "\\ and \""},
      {"$dollar", "$dollar"},
      {"pässwörd", "pässwörd"},
  };
  for (const auto& c : kCases) {
    const Config config = Parse(WithPassword(c.written));
    EXPECT_EQ(config.targets.at(0).credentials.password, c.password) << c.written;
  }
}

TEST(Config, NoPasswordGetsIntoAnErrorOrIsCutShort) {
  for (const std::string value : {"*SECRET",      "*SECRET more",
                                  "&SECRET",      "!SECRET",
                                  "!!str SECRET", "@SECRET",
                                  "`SECRET",      "%SECRET: x",
                                  "{SECRET",      "{SECRET}",
                                  "{SECRET: x}",  "[SECRET",
                                  "[SECRET]",     "\"SECRET",
                                  "'SECRET",      "'a'SECRET",
                                  "\"\\SECRET\"", "|SECRET",
                                  ">SECRET",      "#SECRET",
                                  "a: SECRET",    "- SECRET",
                                  "? SECRET",     "\tSECRET: x",
                                  "x\n  SECRET",  "x\n        y: SECRET"}) {
    const Result<Config> config = ParseConfig(WithPassword(value), "f.yml");
    if (config) {
      EXPECT_THAT(config->targets.at(0).credentials.password, HasSubstr("SECRET")) << value;
    } else {
      EXPECT_THAT(config.error().message, Not(HasSubstr("SECRET"))) << value;
    }
  }
  // In braces a comma ends the value.
  EXPECT_EQ(Fault(std::string(kTarget) + "    basic_auth: {username: u, password: TOP,SECRET}\n"),
            "f.yml:4:45: targets[0].basic_auth: unknown key without a value (a value with a "
            "comma needs quotes)");
  for (const std::string text :
       {"targets: [{registry: 'https://u:SECRET@a.example', repository: x}]",
        "targets: [{registry: 'u:SECRET@a.example', repository: x}]",
        "targets: [{registry: 'https://u:SECRET@a..example', repository: x}]",
        "targets: [{registry: 'https://a.example/?token=SECRET', repository: x}]",
        "targets: [{registry: a.example, repository: 'https://u:SECRET@a.example/x'}]"}) {
    EXPECT_FALSE(ParseConfig(text, "f.yml")) << text;
    EXPECT_THAT(Fault(text), Not(HasSubstr("SECRET")));
  }
}

TEST(Config, ReadsAFile) {
  const TempDir directory;
  WriteFile(directory / "f.yml",
            std::string(kTarget) + "    basic_auth: {username: u, password_file: p.txt}\n");
  const Result<Config> config = LoadConfig((directory / "f.yml").string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->targets.at(0).credentials.password_file, (directory / "p.txt").string());
}

TEST(Config, SaysWhyAFileCannotBeRead) {
  const TempDir directory;
  const std::string missing = (directory / "missing.yml").string();
  EXPECT_EQ(LoadConfig(missing).error().message,
            "configuration file " + missing + ": No such file or directory");
  const std::string folder = directory.path().string();
  EXPECT_EQ(LoadConfig(folder).error().message,
            "configuration file " + folder + ": Is a directory");
  const std::string huge = (directory / "huge.yml").string();
  WriteFile(huge, "# ");
  std::filesystem::resize_file(huge, 17U * 1024 * 1024);
  EXPECT_EQ(LoadConfig(huge).error().message,
            "configuration file " + huge + ": it is larger than 16 MiB");
}

TEST(Config, WithoutAFileTheTargetIsTerraformEnterprise) {
  const TargetOptions target =
      DefaultTarget({.kind = CredentialsSource::Kind::kBasic, .username = "terraform"});
  EXPECT_EQ(target.name, "terraform-enterprise");
  EXPECT_EQ(target.registry.registry.text(), "https://images.releases.hashicorp.com/");
  EXPECT_EQ(target.registry.repository, "hashicorp/terraform-enterprise");
  EXPECT_EQ(target.credentials.username, "terraform");
}

}  // namespace
}  // namespace registry_backend
