#include "exporter/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Config, ErrorsNameFileLineColumnAndKey) {
  const std::string target(kTarget);
  const struct {
    std::string text;
    std::string error;
  } kCases[] = {
      // Keys
      {target + "scans: {}\n",
       "f.yml:4:1: scans: unknown key (did you mean scan? expected one of metrics, policy, scan, "
       "targets)"},
      {target + "    tam: x\n",
       "f.yml:4:5: targets[0].tam: unknown key (did you mean team? expected one of authorization, "
       "basic_auth, docker_config_file, name, no_proxy, policy, proxy_from_environment, "
       "proxy_password_file, proxy_url, registry, repositories, repository, scan, team, "
       "tls_config, token_realms)"},
      {target + "    basic_auth:\n      user: x\n      username: x\n      password: y\n",
       "f.yml:5:7: targets[0].basic_auth.user: unknown key (did you mean username? expected one of "
       "password, "
       "password_file, username, username_file)"},
      {target + "    tls_config: {insecure: true}\n",
       "f.yml:4:18: targets[0].tls_config.insecure: unknown key (did you mean "
       "insecure_skip_verify? expected one of ca_file, "
       "cert_file, insecure_skip_verify, key_file, server_name)"},
      {"scan:\n  intervall: 1h\n" + target,
       "f.yml:2:3: scan.intervall: unknown key (did you mean interval? expected one of "
       "absent_after, "
       "forget_after, interval, max_concurrency, max_requests_per_second, platforms, "
       "retry_interval, schedule, tags, timeout)"},
      {target + "scan: {absent_after: 0}\n",
       "f.yml:4:22: scan.absent_after: expected a whole number of at least 1, not '0'"},
      {target + "metrics: {max_endpoints: 0}\n",
       "f.yml:4:26: metrics.max_endpoints: expected a whole number of at least 1, not '0'"},
      {target + "    team: a\n    team: b\n", "f.yml:5:5: targets[0].team: the key is there twice"},
      {target + "scan: {timeout: 1s, timeout: 2s}\n",
       "f.yml:4:21: scan.timeout: the key is there twice"},
      {target + target, "f.yml:4:1: targets: the key is there twice"},
      {target + "? [a]\n: b\n", "f.yml:4:3: expected a key that is plain text"},
      // Types
      {"- registry: a.example\n", "f.yml:1:1: expected a mapping of keys to values"},
      {"just text\n", "f.yml:1:1: expected a mapping of keys to values"},
      {target + "scan: [1h]\n", "f.yml:4:7: scan: expected a mapping of keys to values"},
      {target + "    basic_auth: [terraform, x]\n",
       "f.yml:4:17: targets[0].basic_auth: expected a mapping of keys to values"},
      {"targets: {registry: a.example}\n", "f.yml:1:10: targets: expected a list"},
      {"targets: [a.example]\n", "f.yml:1:11: targets[0]: expected a mapping of keys to values"},
      {target + "    name: [a]\n", "f.yml:4:11: targets[0].name: expected a single value"},
      {target + "    team: {a: b}\n", "f.yml:4:11: targets[0].team: expected a single value"},
      // Values
      {target + "scan: {interval: 1 day}\n",
       "f.yml:4:18: scan.interval: '1 day' is not a duration (expected one like 90s, 1h30m or "
       "30d)"},
      {target + "    scan: {timeout: 60}\n",
       "f.yml:4:21: targets[0].scan.timeout: '60' is not a duration (expected one like 90s, 1h30m "
       "or 30d)"},
      {target + "scan: {interval: 0}\n", "f.yml:4:18: scan.interval: expected a duration above 0"},
      {target + "scan: {max_concurrency: 0}\n",
       "f.yml:4:25: scan.max_concurrency: expected a whole number of at least 1, not '0'"},
      {target + "scan: {max_concurrency: -1}\n",
       "f.yml:4:25: scan.max_concurrency: expected a whole number of at least 1, not '-1'"},
      {target + "scan: {max_concurrency: 2.5}\n",
       "f.yml:4:25: scan.max_concurrency: expected a whole number of at least 1, not '2.5'"},
      {target + "scan: {max_concurrency: 99999999999999999999}\n",
       "f.yml:4:25: scan.max_concurrency: expected a whole number of at least 1, not "
       "'99999999999999999999'"},
      {target + "scan: {max_requests_per_second: -1}\n",
       "f.yml:4:33: scan.max_requests_per_second: expected 0 or a number of at least 0.001, not "
       "'-1'"},
      {target + "scan: {max_requests_per_second: inf}\n",
       "f.yml:4:33: scan.max_requests_per_second: expected 0 or a number of at least 0.001, not "
       "'inf'"},
      {target + "scan: {max_requests_per_second: nan}\n",
       "f.yml:4:33: scan.max_requests_per_second: expected 0 or a number of at least 0.001, not "
       "'nan'"},
      {target + "scan: {max_requests_per_second: 5/s}\n",
       "f.yml:4:33: scan.max_requests_per_second: expected 0 or a number of at least 0.001, not "
       "'5/s'"},
      {target + "    name: \"a\xff\"\n", "f.yml:4:11: targets[0].name: is not UTF-8"},
      {target + "    team: \"a\xff\"\n", "f.yml:4:11: targets[0].team: is not UTF-8"},
      // Registry and repository
      {"targets: [{repository: x}]\n", "f.yml:1:11: targets[0].registry: is required"},
      {"targets: [{registry: a.example}]\n", "f.yml:1:11: targets[0].repository: is required"},
      {"targets: [{registry: '', repository: x}]\n",
       "f.yml:1:22: targets[0].registry: is required"},
      {"targets:\n  -\n", "f.yml:3:1: targets[0].registry: is required"},
      {"targets: [{registry: 'ftp://a.example', repository: x}]\n",
       "f.yml:1:22: targets[0].registry: 'ftp://a.example' is not a usable URL: its scheme is "
       "neither https nor http"},
      {"targets: [{registry: 'https://u:p@a.example', repository: x}]\n",
       "f.yml:1:22: targets[0].registry: registry 'https://a.example' holds a user name; set "
       "basic_auth or --username (expected one like https://registry.example.com)"},
      {"targets: [{registry: 'https://a.example/v2/', repository: x}]\n",
       "f.yml:1:22: targets[0].registry: registry 'https://a.example' has a path or a query "
       "(expected one like https://registry.example.com)"},
      {"targets: [{registry: 'https://a.example?x=1', repository: x}]\n",
       "f.yml:1:22: targets[0].registry: registry 'https://a.example' has a path or a query "
       "(expected one like https://registry.example.com)"},
      {"targets: [{registry: a.example, repository: Team/App}]\n",
       "f.yml:1:45: targets[0].repository: 'Team/App' is not a repository (expected a path in "
       "lower case like team/app)"},
      {"targets: [{registry: a.example, repository: 'team/app:v1'}]\n",
       "f.yml:1:45: targets[0].repository: 'team/app:v1' is not a repository (expected a path in "
       "lower case like team/app)"},
      // Credentials
      {target + "    basic_auth: {password: SECRET}\n",
       "f.yml:4:17: targets[0].basic_auth.username_file: expected either username or "
       "username_file"},
      {target + "    basic_auth: {username: u}\n",
       "f.yml:4:17: targets[0].basic_auth.password_file: expected either password or "
       "password_file"},
      {target + "    basic_auth: {username: u, password: ''}\n",
       "f.yml:4:17: targets[0].basic_auth.password_file: expected either password or "
       "password_file"},
      {target + "    basic_auth: {username: u, password: SECRET, password_file: f}\n",
       "f.yml:4:64: targets[0].basic_auth.password_file: expected either password or "
       "password_file"},
      // What must be unique
      {"targets:\n"
       "  - {name: one, registry: a.example, repository: x}\n"
       "  - {name: one, registry: b.example, repository: x}\n",
       "f.yml:3:12: targets[1].name: another target has the name 'one' too"},
      {"targets:\n"
       "  - {registry: a.example, repository: x}\n"
       "  - {name: a.example/x, registry: b.example, repository: x}\n",
       "f.yml:3:12: targets[1].name: another target has the name 'a.example/x' too"},
      {"targets:\n"
       "  - {name: one, registry: a.example, repository: x}\n"
       "  - {name: two, registry: 'https://A.example:443/', repository: x}\n",
       "f.yml:3:65: targets[1].repository: target 'one' is the same repository, a.example/x"},
      {"targets:\n"
       "  - {name: one, registry: 'https://a.example', repository: x}\n"
       "  - {name: two, registry: 'http://a.example', repository: x}\n",
       "f.yml:3:59: targets[1].repository: target 'one' is the same repository, a.example/x"},
      // No targets
      {"", "f.yml: targets: expected at least one target"},
      {"# nothing but a comment\n", "f.yml: targets: expected at least one target"},
      {"targets: []\n", "f.yml:1:10: targets: expected at least one target"},
      {"scan: {interval: 1h}\n", "f.yml:1:1: targets: expected at least one target"},
      // No YAML
      {"targets: [\n", "f.yml:2:1: not valid YAML: end of sequence flow not found"},
      {"targets:\n  - a: b: c\n", "f.yml:2:9: not valid YAML: illegal map value"},
  };
  for (const auto& c : kCases) EXPECT_EQ(Fault(c.text), c.error) << c.text;
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
