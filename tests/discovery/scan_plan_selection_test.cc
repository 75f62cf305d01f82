#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/discovery/plan_test.h"

// Which part of a repository a plan walks, and what it takes the parts of an index to be.
namespace registry_backend {
namespace {

using testing::D;
using testing::Fetched;
using testing::Image;
using testing::Index;
using testing::Missing;
using testing::On;
using testing::PlanTest;
using testing::PlatformIndex;

class SelectionTest : public PlanTest {
 protected:
  void Select(const std::vector<std::string>& include, const std::vector<std::string>& exclude) {
    options_.tags = *TagFilter::Make(include, exclude);
  }

  // All tags lead to one image.
  void PutImageAt(const std::vector<std::string>& tags) {
    for (const std::string& tag : tags) Put(tag, Answer(Image("m", {"b"})));
    Put(D("b"), Answer(On("one.example")));
  }

  static std::vector<std::string> TagsOf(const ScanResult& result) {
    std::vector<std::string> names;
    for (const ScannedTag& tag : result.tags) names.emplace_back(tag.name);
    return names;
  }
};

TEST_F(SelectionTest, TagsThatDoNotPassTheFilterAreNoPartOfTheScan) {
  Select({"v.*", "latest"}, {".*-rc[0-9]+"});
  PutTags({"v1", "v2-rc1", "nightly", "latest", "v2"});
  PutImageAt({"v1", "v2", "latest"});
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(TagsOf(result), (std::vector<std::string>{"latest", "v2", "v1"}));
  EXPECT_EQ(result.asked.tags, 3U);
  EXPECT_EQ(result.coverage(), 1);
}

TEST_F(SelectionTest, TheNewestAreCountedAfterTheFilter) {
  Select({}, {"3[.].*"});
  options_.newest_tags = 2;
  Put("",
      Answer(TagPage{{"1.0.0", "3.0.0", "3.1.0"}, {}, Url::Parse("https://r.example/2").value()}));
  Put("https://r.example/2", Answer(TagPage{{"2.1.0", "2.0.0"}, {}, {}}));
  PutImageAt({"2.1.0", "2.0.0"});
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(TagsOf(result), (std::vector<std::string>{"2.1.0", "2.0.0"}));
}

TEST_F(SelectionTest, WhereNoTagIsSelectedTheScanHasFailedAndSaysThatItIsForTheSelection) {
  Select({"v.*"}, {});
  PutTags({"latest", "1.0.0"});
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kFailed);
  EXPECT_EQ(result.coverage(), 0);
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kProtocol);
  EXPECT_EQ(result.main_error()->message, "the repository has no tag that is selected");
  EXPECT_EQ(asked_, std::vector<std::string>{""});
}

TEST_F(SelectionTest, ANameThatIsNoTagCountsOnlyWhereItIsSelected) {
  Select({}, {"no/.*"});
  Put("", Answer(TagPage{{"t"}, {"no/tag", "nor this"}, {}}));
  PutImageAt({"t"});
  const ScanResult result = Run();
  EXPECT_EQ(result.asked.tags, 2U);
  EXPECT_EQ(result.unpullable.tags, 1U);
  EXPECT_EQ(result.unpullable_things.at(0).tag, "nor this");
}

TEST_F(SelectionTest, OfAnIndexOnlyWhatIsForThePlatformsIsAskedFor) {
  const std::map<std::string, std::string> children = {
      {"amd64", "linux/amd64"},          {"arm64", "linux/arm64"}, {"armv8", "linux/arm64/v8"},
      {"armv7", "linux/arm/v7"},         {"win", "windows/amd64"}, {"unnamed", "unknown"},
      {"attestation", "unknown/unknown"}};
  using Names = std::set<std::string>;
  const struct {
    std::vector<std::string> platforms;
    Names asked;
  } kCases[] = {
      {{}, {"amd64", "arm64", "armv8", "armv7", "win", "unnamed", "attestation"}},
      {{"linux/amd64"}, {"amd64", "unnamed"}},
      {{"linux/arm64"}, {"arm64", "armv8", "unnamed"}},
      {{"linux/arm64/v8"}, {"armv8", "unnamed"}},
      {{"linux/arm"}, {"armv7", "unnamed"}},
      {{"linux/amd64", "windows/amd64"}, {"amd64", "win", "unnamed"}},
      {{"unknown/unknown"}, {"attestation", "unnamed"}},
      {{"plan9/386"}, {"unnamed"}},
  };
  PutTags({"t"});
  Put("t", Answer(PlatformIndex("i", {children.begin(), children.end()})));
  for (const auto& [child, platform] : children) {
    Put(D(child), Answer(Image(child, {"blob of " + child})));
    Put(D("blob of " + child), Answer(On(child + ".example")));
  }
  for (const auto& c : kCases) {
    asked_.clear();
    options_.platforms = c.platforms;
    const ScanResult result = Run();
    EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
    for (const auto& [child, platform] : children) {
      EXPECT_EQ(std::ranges::count(asked_, D(child)), c.asked.contains(child) ? 1 : 0)
          << child << " for " << ::testing::PrintToString(c.platforms);
      EXPECT_EQ(std::ranges::count(asked_, D("blob of " + child)), c.asked.contains(child) ? 1 : 0);
    }
    EXPECT_EQ(result.asked, (ScanCounts{1, c.asked.size() + 1, c.asked.size()}));
    EXPECT_EQ(result.manifests.at(D("i")).manifests.size(), c.asked.size())
        << "the report shows what was selected";
  }
}

TEST_F(SelectionTest, WhereNothingIsForThePlatformsTheScanIsPartialAndSaysSo) {
  options_.platforms = {"linux/x86_64"};
  PutTags({"t"});
  Put("t", Answer(PlatformIndex("i", {{"m", "linux/amd64"}, {"n", "linux/arm64"}})));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial) << "nothing follows about hosts";
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kProtocol);
  EXPECT_EQ(result.main_error()->message,
            "the repository has nothing for the platforms that are selected");
}

TEST_F(SelectionTest, AnImageThatIsInNoIndexIsForAnyPlatform) {
  options_.platforms = {"linux/s390x"};
  PutTags({"t"});
  PutImageAt({"t"});
  EXPECT_EQ(Run().asked, (ScanCounts{1, 1, 1}));
}

TEST_F(SelectionTest, ANestedIndexIsWalkedForItsOwnPlatforms) {
  options_.platforms = {"linux/amd64"};
  PutTags({"t"});
  Put("t", Answer(PlatformIndex("outer", {{"inner", "unknown"}, {"arm", "linux/arm64"}})));
  Put(D("inner"), Answer(PlatformIndex("inner", {{"m", "linux/amd64"}, {"n", "linux/arm64"}})));
  Put(D("m"), Answer(Image("m", {"b"})));
  Put(D("b"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(asked_, (std::vector<std::string>{"", "t", D("inner"), D("m"), D("b")}));
}

TEST_F(SelectionTest, IndexesThatShareChildrenAskForThemOnce) {
  PutTags({"2.0.0", "1.0.0"});
  Put("2.0.0", Answer(Index("i", {"m", "n", "m"})));
  Put("1.0.0", Answer(Index("j", {"n", "inner"})));
  Put(D("inner"), Answer(Index("inner", {"m", "n"})));
  Put(D("m"), Answer(Image("m", {"c", "a", "a"})));
  Put(D("n"), Answer(Image("n", {"c", "a"})));
  for (const std::string blob : {"a", "c"}) Put(D(blob), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.asked, (ScanCounts{2, 5, 2}));
  EXPECT_EQ(Find(result, Serves::kBlobs, "one.example")->blobs, 2U);
  std::ranges::sort(asked_);
  EXPECT_EQ(std::ranges::adjacent_find(asked_), asked_.end()) << "something was asked for twice";
}

// No digest can name itself, but a registry can say so.
TEST_F(SelectionTest, IndexesThatNameEachOtherAreCut) {
  PutTags({"t"});
  Put("t", Answer(Index("i", {"j", "i"})));
  Put(D("j"), Answer(Index("j", {"i", "j", "m"})));
  Put(D("m"), Answer(Image("m", {"b"})));
  Put(D("b"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(asked_, (std::vector<std::string>{"", "t", D("j"), D("m"), D("b")}));
}

TEST_F(SelectionTest, BlobsOfArtifactsAreProbedAsAnyOthers) {
  Manifest artifact{.media_type = std::string(kOciManifest), .is_artifact = true};
  artifact.blobs = {{D("config"), "", {}}, {D("chart"), "", {}}};
  PutTags({"t"});
  Put("t", Answer(Fetched("m", artifact)));
  for (const std::string blob : {"config", "chart"}) Put(D(blob), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(Find(result, Serves::kBlobs, "one.example")->blobs, 2U);
  EXPECT_TRUE(result.manifests.at(D("m")).is_artifact);
}

TEST_F(SelectionTest, AForeignLayersHostsAreReportedAndTheRegistryIsNotAskedForIt) {
  Manifest image{.media_type = std::string(kDockerManifest)};
  const Url first = *Url::Parse("https://first.example/l");
  const Url second = *Url::Parse("http://second.example:8080/l");
  image.blobs = {{D("config"), "", {}}, {D("foreign"), "", {first, second}}, {D("own"), "", {}}};
  PutTags({"t"});
  Put("t", Answer(Fetched("m", image)));
  Put(D("config"), Answer(On("one.example")));
  Put(D("own"), Answer(On("first.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(std::ranges::count(asked_, D("foreign")), 0);
  EXPECT_EQ(result.asked.blobs, 3U);
  EXPECT_EQ(result.unresolved, ScanCounts{});
  const SeenEndpoint* only_foreign = Find(result, Serves::kBlobs, "second.example:8080");
  ASSERT_NE(only_foreign, nullptr);
  EXPECT_EQ(only_foreign->blobs, 1U);
  EXPECT_EQ(only_foreign->info.delivery, "") << "the registry sends nobody there";
  const SeenEndpoint* both = Find(result, Serves::kBlobs, "first.example");
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(both->blobs, 2U);
  EXPECT_EQ(both->info.delivery, "") << "differing values are empty";
  EXPECT_EQ(Find(result, Serves::kBlobs, "one.example")->info.delivery, "redirect");
}

TEST_F(SelectionTest, WhereAllLayersAreForeignThatIsNoMissingStore) {
  Manifest image{.media_type = std::string(kDockerManifest)};
  image.blobs = {{D("config"), "", {*Url::Parse("https://first.example/c")}}};
  PutTags({"t"});
  Put("t", Answer(Fetched("m", image)));
  EXPECT_EQ(Run().outcome, ScanOutcome::kComplete);
}

}  // namespace
}  // namespace registry_backend
