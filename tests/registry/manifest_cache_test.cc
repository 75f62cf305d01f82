#include "exporter/registry/manifest_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "exporter/registry/digest.h"

namespace registry_backend {
namespace {

constexpr std::size_t kPlenty = std::size_t{1024} * 1024;

// A manifest of so many blobs, whose digest is that of `name`.
FetchedManifest Fetched(const std::string& name, std::size_t blobs = 1) {
  auto manifest = std::make_shared<Manifest>();
  manifest->blobs.resize(blobs);
  return {manifest, Sha256Of(name), 100};
}

TEST(ManifestCache, FindsByDigestAndByTag) {
  ManifestCache cache(kPlenty);
  const FetchedManifest fetched = Fetched("a");
  cache.Put(fetched);
  cache.PutTag("v1", fetched.digest, "\"etag\"");
  ASSERT_NE(cache.Find(fetched.digest), nullptr);
  EXPECT_EQ(cache.Find(fetched.digest)->manifest, fetched.manifest);
  ASSERT_NE(cache.FindTag("v1"), nullptr);
  EXPECT_EQ(cache.FindTag("v1")->digest, fetched.digest);
  EXPECT_EQ(cache.FindTag("v1")->etag, "\"etag\"");
  EXPECT_EQ(cache.Find(Sha256Of("b")), nullptr);
  EXPECT_EQ(cache.FindTag("v2"), nullptr);
}

TEST(ManifestCache, ATagThatMovesIsKnownByItsNewManifest) {
  ManifestCache cache(kPlenty);
  cache.Put(Fetched("a"));
  cache.Put(Fetched("b"));
  cache.PutTag("v1", Sha256Of("a"), "\"a\"");
  cache.PutTag("v1", Sha256Of("b"), "");
  EXPECT_EQ(cache.FindTag("v1")->digest, Sha256Of("b"));
  EXPECT_EQ(cache.FindTag("v1")->etag, "");
  cache.PutTag("v1", Sha256Of("not there"), "");
  EXPECT_EQ(cache.FindTag("v1"), nullptr);
}

TEST(ManifestCache, WhatTwoScansInARowDidNotUseGoes) {
  ManifestCache cache(kPlenty);
  for (const char* name : {"used", "by tag", "twice unused"}) cache.Put(Fetched(name));
  cache.PutTag("v1", Sha256Of("by tag"), "");
  cache.PutTag("v2", Sha256Of("twice unused"), "");
  cache.BeginScan();
  cache.BeginScan();
  EXPECT_NE(cache.Find(Sha256Of("used")), nullptr) << "one scan that failed is no reason";
  EXPECT_NE(cache.FindTag("v1"), nullptr);
  cache.BeginScan();
  EXPECT_NE(cache.Find(Sha256Of("used")), nullptr);
  EXPECT_NE(cache.Find(Sha256Of("by tag")), nullptr);
  EXPECT_NE(cache.FindTag("v1"), nullptr);
  EXPECT_EQ(cache.Find(Sha256Of("twice unused")), nullptr);
  EXPECT_EQ(cache.FindTag("v2"), nullptr);

  for (int scan = 0; scan < 3; ++scan) cache.BeginScan();
  EXPECT_EQ(cache.Find(Sha256Of("used")), nullptr);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(ManifestCache, WhatIsFetchedAnewHasBeenUsed) {
  ManifestCache cache(kPlenty);
  const FetchedManifest first = Fetched("a");
  cache.Put(first);
  for (int scan = 0; scan < 4; ++scan) {
    cache.BeginScan();
    cache.Put(Fetched("a"));
  }
  EXPECT_EQ(cache.Find(first.digest)->manifest, first.manifest) << "it has never gone";
}

TEST(ManifestCache, AFullOneTakesInNothingAndPushesNothingOut) {
  const std::size_t each = [] {
    ManifestCache cache(kPlenty);
    cache.Put(Fetched("a", 10));
    return cache.bytes();
  }();
  EXPECT_GT(each, 10 * sizeof(Descriptor));
  ManifestCache cache(3 * each);
  for (const char* name : {"a", "b", "a", "c", "d", "e"}) {
    cache.Put(Fetched(name, 10));
    cache.PutTag(name, Sha256Of(name), "");
  }
  EXPECT_EQ(cache.bytes(), 3 * each);
  for (const char* name : {"a", "b", "c"}) EXPECT_NE(cache.FindTag(name), nullptr) << name;
  for (const char* name : {"d", "e"}) {
    EXPECT_EQ(cache.Find(Sha256Of(name)), nullptr) << name;
    EXPECT_EQ(cache.FindTag(name), nullptr) << name;
  }
  for (int scan = 0; scan < 3; ++scan) {
    cache.BeginScan();
    cache.FindTag("a");
  }
  cache.Put(Fetched("d", 10));
  EXPECT_NE(cache.Find(Sha256Of("d")), nullptr) << "what went makes room";
}

TEST(ManifestCache, CountsWhatAManifestTakes) {
  ManifestCache small(kPlenty);
  small.Put(Fetched("a", 1));
  ManifestCache large(kPlenty);
  large.Put(Fetched("a", 1000));
  EXPECT_GT(large.bytes(), small.bytes() + 999 * sizeof(Descriptor));

  auto foreign = std::make_shared<Manifest>();
  foreign->blobs.resize(1);
  foreign->blobs[0].urls.assign(8, *Url::Parse("https://r.example/"));
  ManifestCache with_urls(kPlenty);
  with_urls.Put({foreign, Sha256Of("a"), 100});
  EXPECT_GT(with_urls.bytes(), small.bytes() + 8 * sizeof(Url));

  auto index = std::make_shared<Manifest>();
  index->manifests.resize(1000);
  ManifestCache with_index(kPlenty);
  with_index.Put({index, Sha256Of("a"), 100});
  EXPECT_GT(with_index.bytes(), 1000 * sizeof(Descriptor));
}

}  // namespace
}  // namespace registry_backend
