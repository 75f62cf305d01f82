// The keys of schedule, policy, repositories and metrics: what a target's life goes by.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "exporter/config/config.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::WriteFile;

const std::string kTarget =
    "targets:\n"
    "  - registry: https://registry.example\n"
    "    repository: team/app\n";

Config Parse(const std::string& text, const std::string& path = "f.yml") {
  Result<Config> config = ParseConfig(text, path);
  EXPECT_TRUE(config) << config.error().message;
  return config ? *std::move(config) : Config{};
}

std::string Fault(const std::string& text, const std::string& path = "f.yml") {
  const Result<Config> config = ParseConfig(text, path);
  return config ? "no error" : config.error().message;
}

// The cron schedule's text, or the interval in hours.
std::string When(const std::string& text) {
  const ScheduleOptions schedule = Parse(text).targets.at(0).schedule;
  if (schedule.cron) return std::string(schedule.cron->text());
  return std::to_string(schedule.interval / hours(1)) + "h";
}

TEST(ScheduleKeys, TheNearerOneOfIntervalAndScheduleHolds) {
  const std::string cron = "    scan: {schedule: \"0 6 * * *\"}\n";
  EXPECT_EQ(When(kTarget), "24h");
  EXPECT_EQ(When(kTarget + cron), "0 6 * * *");
  EXPECT_EQ(When("scan: {interval: 12h}\n" + kTarget + cron), "0 6 * * *");
  EXPECT_EQ(When("scan: {schedule: \"*/5 * * * *\"}\n" + kTarget), "*/5 * * * *");
  EXPECT_EQ(When("scan: {schedule: \"*/5 * * * *\"}\n" + kTarget + cron), "0 6 * * *");
  EXPECT_EQ(When("scan: {schedule: \"*/5 * * * *\"}\n" + kTarget + "    scan: {interval: 6h}\n"),
            "6h");
}

TEST(RepositoriesKey, MakesATargetOfEach) {
  const Config config = Parse(
      "targets:\n"
      "  - registry: https://registry.example\n"
      "    repositories: [a/b, c/d]\n"
      "    team: platform\n"
      "    scan: {interval: 6h, tags: {newest: 3}}\n"
      "    policy: {allowed_regions: [eu-west-1]}\n");
  ASSERT_EQ(config.targets.size(), 2U);
  EXPECT_EQ(config.targets[0].name, "registry.example/a/b");
  EXPECT_EQ(config.targets[1].name, "registry.example/c/d");
  for (const TargetOptions& target : config.targets) {
    EXPECT_EQ(target.team, "platform");
    EXPECT_EQ(target.schedule.interval, hours(6));
    EXPECT_EQ(target.scan.newest_tags, 3U);
    EXPECT_EQ(target.policy->allowed_regions, std::vector<std::string>{"eu-west-1"});
  }
  EXPECT_EQ(config.targets[1].registry.repository, "c/d");
}

std::vector<std::string> Approved(const Config& config, std::size_t target = 0) {
  std::vector<std::string> texts;
  if (!config.targets.at(target).policy) return texts;
  for (const HostPattern& host : config.targets[target].policy->approved_hosts) {
    texts.push_back(host.text());
  }
  return texts;
}

TEST(PolicyKeys, EachKeyIsInheritedUnlessItIsSet) {
  const std::string defaults = "policy: {approved_hosts: [a.example], allowed_regions: [x-1]}\n";
  EXPECT_EQ(Parse(kTarget).targets[0].policy, nullptr);
  EXPECT_THAT(Approved(Parse(defaults + kTarget)), ElementsAre("a.example"));
  const Config config =
      Parse(defaults + kTarget + "    policy: {approved_hosts: [B.example., \"*.c.example\"]}\n");
  EXPECT_THAT(Approved(config), ElementsAre("b.example", "*.c.example"));
  EXPECT_THAT(config.targets[0].policy->allowed_regions, ElementsAre("x-1"));
  EXPECT_EQ(Approved(Parse("policy: {approved_hosts: [a.example]}\n" + kTarget +
                           "    policy: {approved_hosts: []}\n"))
                .size(),
            0U);
}

TEST(PolicyKeys, AFileOfHostsIsReadFromBesideTheConfiguration) {
  const TempDir directory;
  WriteFile(directory / "hosts.txt", "# ours\na.example\n\n*.b.example  # all of b\n");
  const std::string path = (directory / "f.yml").string();
  const std::string policy =
      "policy: {approved_hosts: [c.example], approved_hosts_file: hosts.txt}\n";
  EXPECT_THAT(Approved(Parse(policy + kTarget, path)),
              ElementsAre("c.example", "a.example", "*.b.example"));
  WriteFile(directory / "hosts.txt", "# nothing\n");
  EXPECT_THAT(Fault(policy + kTarget, path), HasSubstr("hosts.txt: it names no host"));
  WriteFile(directory / "hosts.txt", "a.example\nhttps://b.example\n");
  EXPECT_THAT(Fault(policy + kTarget, path), HasSubstr("hosts.txt: line 2"));
}

TEST(PolicyKeys, WholeCloudsAreWarnedOf) {
  const Config config =
      Parse(kTarget + "    policy: {approved_hosts: [\"*.amazonaws.com\", a.example]}\n");
  ASSERT_EQ(config.warnings.size(), 1U);
  EXPECT_EQ(config.warnings[0],
            "f.yml:4:30: targets[0].policy.approved_hosts: '*.amazonaws.com' approves whatever "
            "anybody keeps at that cloud");
}

TEST(MetricsKeys, BoundTheTagsToo) {
  EXPECT_EQ(Parse(kTarget).targets[0].inventory.max_tags, 20U);
  EXPECT_EQ(Parse("metrics: {max_tags: 0}\n" + kTarget).targets[0].inventory.max_tags, 0U);
}

}  // namespace
}  // namespace registry_backend
