#include "exporter/inventory/tag_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/inventory/apply.h"

namespace registry_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Newest first: an index, an image, a tag without an answer, a chart.
ScanResult Scan(ScanOutcome outcome = ScanOutcome::kComplete) {
  ScanResult result;
  result.outcome = outcome;
  result.tags = {
      {"v4", "sha256:index"}, {"v3", "sha256:amd64"}, {"v2", ""}, {"v1", "sha256:chart"}};
  result.manifests["sha256:index"] = {.media_type = "type/index",
                                      .is_index = true,
                                      .manifests = {{"linux/arm64", "sha256:arm64"},
                                                    {"linux/amd64", "sha256:amd64"},
                                                    {"unknown/unknown", "sha256:attestation"},
                                                    {"linux/s390x", "sha256:unresolved"}}};
  result.manifests["sha256:amd64"] = {
      .media_type = "type/image", .config = "c1", .layers = {"base", "l1", "l1"}};
  result.manifests["sha256:arm64"] = {
      .media_type = "type/image", .config = "c2", .layers = {"base", "l2"}};
  result.manifests["sha256:attestation"] = {
      .media_type = "type/image", .config = "c3", .layers = {"proof"}};
  result.manifests["sha256:chart"] = {
      .media_type = "type/image", .is_artifact = true, .layers = {"chart"}};
  return result;
}

const TagSummary kIndex = {"v4", "type/index", "linux/amd64,linux/arm64", 7, "sha256:index", 4};
const TagSummary kImage = {"v3", "type/image", "", 3, "sha256:amd64", 2};
const TagSummary kChart = {"v1", "type/image", "", 1, "sha256:chart", 1};

TEST(TagSummary, SaysWhatIsBelowATag) {
  EXPECT_THAT(SummariseTags(Scan(), 20), ElementsAre(kIndex, kImage, kChart));
}

TEST(TagSummary, AttestationsArtifactsAndUnnamedOnesAreNoPlatforms) {
  ScanResult scan = Scan();
  ScannedManifest& index = scan.manifests["sha256:index"];
  index.manifests = {{"unknown", "sha256:amd64"},
                     {"unknown/unknown", "sha256:attestation"},
                     {"linux/amd64", "sha256:chart"}};
  EXPECT_EQ(SummariseTags(scan, 1).at(0).platforms, "");
  index.manifests.push_back({"windows/amd64", "sha256:arm64"});
  EXPECT_EQ(SummariseTags(scan, 1).at(0).platforms, "windows/amd64");
}

TEST(TagSummary, APlatformIsNamedOnce) {
  ScanResult scan = Scan();
  scan.manifests["sha256:index"].manifests = {{"linux/amd64", "sha256:arm64"},
                                              {"linux/amd64", "sha256:amd64"}};
  EXPECT_EQ(SummariseTags(scan, 1).at(0).platforms, "linux/amd64");
}

TEST(TagSummary, AreOfTheNewestTagsOnly) {
  EXPECT_THAT(SummariseTags(Scan(), 0), IsEmpty());
  EXPECT_THAT(SummariseTags(Scan(), 1), ElementsAre(kIndex));
  EXPECT_THAT(SummariseTags(Scan(), 3), ElementsAre(kIndex, kImage))
      << "an older one does not take the place of one without an answer";
}

TEST(TagSummary, ManyPlatformsAreCutShort) {
  ScanResult scan = Scan();
  std::vector<std::string> names;
  for (int i = 1000; i < 1300; ++i) names.push_back("linux/a" + std::to_string(i));
  ScannedManifest& index = scan.manifests["sha256:index"];
  index.manifests.clear();
  for (const std::string& name : names) {
    scan.manifests[name] = {.media_type = "type/image"};
    index.manifests.push_back({name, name});
  }
  const std::string platforms = SummariseTags(scan, 1).at(0).platforms;
  EXPECT_LE(platforms.size(), TagSummary::kMaxPlatforms);
  EXPECT_GT(platforms.size(), TagSummary::kMaxPlatforms - 20);
  EXPECT_TRUE(platforms.starts_with("linux/a1000,linux/a1001,")) << platforms;
  EXPECT_TRUE(platforms.ends_with(",...")) << platforms;
}

TEST(TagSummary, WhatManyTagsMakeOfOneLargeManifestIsLeftOut) {
  ScanResult scan = Scan();
  scan.manifests["sha256:amd64"].layers.assign(300'000, "l");
  scan.tags = {{"v3", "sha256:amd64"}, {"v2", "sha256:amd64"}, {"v1", "sha256:chart"}};
  EXPECT_THAT(SummariseTags(scan, 20),
              ElementsAre(TagSummary{"v3", "type/image", "", 2, "sha256:amd64", 1}));
}

TEST(TagSummary, AnIndexThatNamesOneManifestManyTimesIsWalkedForSoLongOnly) {
  ScanResult scan = Scan();
  scan.manifests["sha256:index"].manifests.assign(500'000, {"linux/amd64", "sha256:amd64"});
  EXPECT_THAT(SummariseTags(scan, 1), IsEmpty());
  scan.manifests["sha256:index"].manifests.resize(1000);
  EXPECT_EQ(SummariseTags(scan, 1).at(0).blobs, 3U);
}

TEST(Apply, KeepsTheTagsOfTheNewestScanThatDidNotFail) {
  TargetState state;
  Apply(Scan(), {}, state);
  EXPECT_THAT(state.tags, ElementsAre(kIndex, kImage, kChart));
  Apply(Scan(ScanOutcome::kFailed), {.max_tags = 1}, state);
  EXPECT_EQ(state.tags.size(), 3U) << "a failed scan says nothing of them";
  Apply(Scan(ScanOutcome::kPartial), {.max_tags = 1}, state);
  EXPECT_THAT(state.tags, ElementsAre(kIndex));
}

TEST(Apply, KeepsSoManyTagsAtMost) {
  ScanResult scan = Scan();
  std::vector<std::string> names(2000);
  scan.tags.clear();
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = std::to_string(i);
    scan.tags.push_back({names[i], "sha256:chart"});
  }
  TargetState state;
  Apply(scan, {}, state);
  EXPECT_EQ(state.tags.size(), 20U);
  Apply(scan, {.max_tags = 5000}, state);
  EXPECT_EQ(state.tags.size(), TargetState::kMaxTags);
}

}  // namespace
}  // namespace registry_backend
