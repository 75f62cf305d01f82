#include <gtest/gtest.h>

#include <set>
#include <string>

#include "exporter/config/config.h"
#include "exporter/inventory/apply.h"

// The keys `tags` and `platforms` of a scan.
namespace registry_backend {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kTarget =
    "targets:\n"
    "  - registry: https://registry.example\n"
    "    repository: team/app\n";

// The one target of a file whose `scan` has these keys, and itself has those in its own `scan`.
TargetOptions Target(const std::string& defaults, const std::string& own = "") {
  const Result<Config> config = ParseConfig(
      "scan: {" + defaults + "}\n" + std::string(kTarget) + "    scan: {" + own + "}\n", "f.yml");
  EXPECT_TRUE(config) << config.error().message;
  return config ? config->targets.at(0)
                : TargetOptions{.registry = {*Url::Parse("https://none.example"), "", nullptr}};
}

// Those of a few tags that it lets pass.
Texts Passing(const TargetOptions& target) {
  Texts passing;
  for (const std::string tag : {"v1", "v2", "v2-rc1", "latest"}) {
    if (target.scan.tags.Matches(tag)) passing.push_back(tag);
  }
  return passing;
}

std::string Selection(const std::string& defaults, const std::string& own = "") {
  return Target(defaults, own).inventory.selection;
}

TEST(SelectionKeys, AreRead) {
  const TargetOptions target = Target(
      "tags: {include: ['v.*', latest], exclude: ['.*-rc[0-9]+'], newest: 5}, "
      "platforms: [linux/amd64, linux/arm/v7]");
  EXPECT_EQ(Passing(target), (Texts{"v1", "v2", "latest"}));
  EXPECT_EQ(target.scan.newest_tags, 5U);
  EXPECT_EQ(target.scan.platforms, (Texts{"linux/amd64", "linux/arm/v7"}));
}

TEST(SelectionKeys, WithoutThemAllOfTheRepositoryCounts) {
  const TargetOptions target = Target("");
  EXPECT_EQ(Passing(target).size(), 4U);
  EXPECT_EQ(target.scan.newest_tags, 0U);
  EXPECT_TRUE(target.scan.platforms.empty());
}

TEST(SelectionKeys, ATargetOverridesEachOnItsOwn) {
  const std::string defaults =
      "tags: {include: ['v.*'], exclude: ['.*-rc.*'], newest: 9}, platforms: [linux/amd64]";
  const TargetOptions inheriting = Target(defaults);
  EXPECT_EQ(Passing(inheriting), (Texts{"v1", "v2"}));

  const TargetOptions other = Target(defaults, "tags: {exclude: [v1]}, platforms: [linux/arm64]");
  EXPECT_EQ(Passing(other), (Texts{"v2", "v2-rc1"})) << "include is the defaults'";
  EXPECT_EQ(other.scan.newest_tags, 9U);
  EXPECT_EQ(other.scan.platforms, Texts{"linux/arm64"});

  const TargetOptions all =
      Target(defaults, "tags: {include: [], exclude: [], newest: 0}, platforms: []");
  EXPECT_EQ(Passing(all).size(), 4U) << "an empty list is one as well";
  EXPECT_EQ(all.scan.newest_tags, 0U);
  EXPECT_TRUE(all.scan.platforms.empty());
}

TEST(SelectionKeys, SelectNothingSpecialByDefaultInWhateverWayThatIsWritten) {
  EXPECT_EQ(Selection(""), "");
  EXPECT_EQ(Selection("tags: {include: [\".*\"], exclude: [], newest: 0}, platforms: []"), "");
  EXPECT_EQ(Selection("tags: {include: []}"), "");
  EXPECT_EQ(Selection("tags: {include: [x], newest: 3}", "tags: {include: ['.*'], newest: 0}"), "");
}

TEST(SelectionKeys, TheSameSelectionIsTheSameTextAndAnotherOneAnother) {
  const Texts different = {"tags: {include: [a]}",
                           "tags: {exclude: [a]}",
                           "tags: {include: [a, b]}",
                           "tags: {newest: 1}",
                           "tags: {newest: 2}",
                           "platforms: [linux/amd64]",
                           "platforms: [linux/arm64]",
                           "platforms: [linux/amd64, linux/arm64]",
                           "tags: {include: [a], newest: 1}"};
  std::set<std::string> texts = {""};
  for (const std::string& keys : different) {
    EXPECT_EQ(Selection(keys), Selection(keys));
    EXPECT_EQ(Selection(keys), Selection("interval: 1h", keys)) << "it does not matter from where";
    EXPECT_TRUE(texts.insert(Selection(keys)).second) << keys;
  }
}

// It selects the same in any order; that one more edit raises no change does not matter.
TEST(SelectionKeys, AnotherOrderIsAnotherText) {
  EXPECT_NE(Selection("tags: {include: [a, b]}"), Selection("tags: {include: [b, a]}"));
  EXPECT_NE(Selection("platforms: [linux/amd64, linux/arm64]"),
            Selection("platforms: [linux/arm64, linux/amd64]"));
}

TEST(SelectionKeys, OtherKeysAreNoPartOfTheText) {
  EXPECT_EQ(Selection("interval: 1h, timeout: 5m, absent_after: 3, max_requests_per_second: 0"),
            "");
}

// A complete scan that met blobs on hosts of these names.
ScanResult Scan(const Texts& hosts) {
  static int hour = 0;
  ScanResult result;
  result.outcome = ScanOutcome::kComplete;
  result.finished = WallTime(std::chrono::hours(480'000 + ++hour));
  result.asked = {1, 1, 1};
  for (const std::string& host : hosts) {
    result.endpoints[{Serves::kBlobs, *Host::Parse(host + ".example")}] = {};
  }
  return result;
}

TEST(SelectionKeys, TheFirstCompleteScanAfterAnEditOfThemRaisesNoChange) {
  TargetState state;
  const TargetOptions before = Target("tags: {newest: 5}");
  registry_backend::Apply(Scan({"a", "b"}), before.inventory, state);
  for (const std::string edit : {"tags: {newest: 6}", "tags: {newest: 6, exclude: [x]}",
                                 "tags: {include: [x]}", "platforms: [linux/amd64]", ""}) {
    const TargetOptions after = Target(edit);
    registry_backend::Apply(Scan({"a"}), after.inventory, state);
    EXPECT_TRUE(state.journal.empty()) << edit;
    registry_backend::Apply(Scan({"a"}), after.inventory, state);
    EXPECT_TRUE(state.journal.empty()) << edit;
    registry_backend::Apply(Scan({"a", "b"}), Target("tags: {newest: 5}").inventory, state);
    EXPECT_TRUE(state.journal.empty()) << "nor does the edit back";
  }
  registry_backend::Apply(Scan({"a"}), before.inventory, state);
  EXPECT_EQ(state.journal.size(), 1U) << "the second one does";
}

}  // namespace
}  // namespace registry_backend
