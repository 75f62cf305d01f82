#include <gtest/gtest.h>

#include "exporter/discovery/scan_plan.h"
#include "tests/discovery/plan_test.h"

// What a registry may make a scan keep.
namespace registry_backend {
namespace {

using testing::D;
using testing::Fetched;
using testing::On;

using BoundsTest = testing::PlanTest;

TEST_F(BoundsTest, BlobsMayBeReachedInSoManyWaysOnly) {
  constexpr std::size_t kHosts = 70;
  Manifest manifest{.media_type = std::string(kOciManifest)};
  manifest.blobs.push_back({D("config"), "", {}});
  const auto url = [](std::size_t host) {
    return *Url::Parse("https://h" + std::to_string(host) + ".example/");
  };
  for (std::size_t i = 0; i < kHosts * kHosts; ++i) {
    manifest.blobs.push_back({D(std::to_string(i)), "", {url(i / kHosts), url(i % kHosts)}});
  }
  PutTags({"t"});
  Put("t", Answer(Fetched("m", std::move(manifest))));
  Put(D("config"), Answer(On("storage.example")));

  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.routes.size(), 4000U);
  // All but the 4,000; the config has an answer, but no way of its own any more.
  EXPECT_EQ(result.unresolved.blobs, kHosts * kHosts + 1 - 4000);
  EXPECT_EQ(result.blobs.size(), 4000U);
  const SeenEndpoint* host = Find(result, Serves::kBlobs, "h69.example");
  ASSERT_NE(host, nullptr);
  EXPECT_EQ(host->blobs, 57U) << "counts what has a way there";
}

class SameLayersTest : public testing::PlanTest {
 protected:
  static constexpr std::size_t kLayers = 10'000;

  // Tags with a manifest each, all of the same config and layers.
  ScanResult RunWith(std::size_t tags) {
    Manifest manifest{.media_type = std::string(kOciManifest)};
    for (std::size_t i = 0; i < kLayers; ++i) {
      manifest.blobs.push_back({D(std::to_string(i)), "", {}});
      Put(manifest.blobs.back().digest, Answer(On("storage.example")));
    }
    const auto shared = std::make_shared<const Manifest>(std::move(manifest));
    std::vector<std::string> names;
    for (std::size_t i = 0; i < tags; ++i) {
      names.push_back("t" + std::to_string(i));
      Put(names.back(), Answer(FetchedManifest{shared, D(names.back()), 100}));
    }
    PutTags(std::move(names));
    return Run(2 * kLayers);
  }
};

TEST_F(SameLayersTest, MayBeNamedAMillionTimes) {
  EXPECT_EQ(RunWith(100).outcome, ScanOutcome::kComplete);
}

TEST_F(SameLayersTest, AreLeftOutWhereTheyAreNamedTooOftenForTheirNumber) {
  const ScanResult result = RunWith(130);
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  ASSERT_NE(result.main_error(), nullptr);
  EXPECT_EQ(result.main_error()->message, "the repository names more layers than can be");
  EXPECT_EQ(result.manifests.size(), 130U);
  std::size_t references = 0;
  for (const auto& [digest, scanned] : result.manifests) references += scanned.layers.size();
  EXPECT_GT(references, 1'100'000U);
  EXPECT_LT(references, 1'210'000U);
}

TEST_F(BoundsTest, MoreTagsThanTwoHundredThousandAreNotKept) {
  const std::string second = "https://r.example/v2/a/tags/list?last=a";
  const auto tags = [](const std::string& prefix) {
    std::vector<std::string> names;
    for (int i = 0; i < 150'000; ++i) names.push_back(prefix + std::to_string(i));
    return names;
  };
  Put("", Answer(TagPage{tags("a"), {}, *Url::Parse(second)}));
  Put(second, Answer(TagPage{tags("b"), {}, {}}));
  const ScanResult result = Run(400'000);
  EXPECT_EQ(result.asked.tags, 200'000U);
  EXPECT_EQ(result.tags.size(), 200'000U);
}

}  // namespace
}  // namespace registry_backend
