#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "exporter/report/report.h"
#include "tests/integration/scan_client.h"
#include "tests/simulator/simulator.h"
#include "tests/support/raw_server.h"

// What repositories hold besides plain images, and what is asked of one that has not changed; over
// real sockets.
namespace registry_backend {
namespace {

namespace sim = simulator;
using Json = nlohmann::ordered_json;
using testing::ReportText;
using testing::ScanClient;

constexpr const char* kRepository = "team/app";
constexpr const char* kHost = "cdn.example";

sim::Options Plain() {
  sim::Options options;
  options.backend = kHost;
  return options;
}

sim::Catalog MakeCatalog(std::size_t tags, std::size_t layers) {
  return sim::Generate({.repository = kRepository, .tags = tags, .layers_per_tag = layers});
}

// Tags `image` as 1.0.0 and scans.
struct Scanned {
  ScanResult result;
  sim::Stats stats;
  Json report;
};
Scanned ScanOf(const sim::Catalog& catalog) {
  sim::Simulator registry(Plain(), catalog);
  ScanResult result = ScanClient(registry.base_url(), kRepository).Scan();
  Json report = Json::parse(ReportText({*Url::Parse(registry.base_url()), kRepository}, result));
  return {std::move(result), registry.GetStats(), std::move(report)};
}
Scanned ScanOf(const sim::Image& image) {
  sim::Catalog catalog;
  catalog.Tag(kRepository, "1.0.0", catalog.AddImage(kRepository, image));
  return ScanOf(catalog);
}

const SeenEndpoint* BlobsAt(const ScanResult& result, const std::string& host) {
  const auto found = result.endpoints.find({Serves::kBlobs, *Host::Parse(host)});
  return found == result.endpoints.end() ? nullptr : &found->second;
}

TEST(RegistryContent, AForeignLayersHostsAreEndpointsAndItIsNotAskedFor) {
  const sim::Image image{
      .layers = {{.bytes = "own"},
                 {.bytes = "windows",
                  .urls = {"https://mcr.example/layer", "https://go.microsoft.example/fwlink?id=1",
                           "ftp://old.example/layer"}}}};
  const Scanned scanned = ScanOf(image);
  EXPECT_EQ(scanned.result.outcome, ScanOutcome::kComplete) << scanned.report.dump(1);
  for (const char* host : {"mcr.example", "go.microsoft.example"}) {
    const SeenEndpoint* endpoint = BlobsAt(scanned.result, host);
    ASSERT_NE(endpoint, nullptr) << host;
    EXPECT_EQ(endpoint->blobs, 1U);
    EXPECT_EQ(endpoint->info.delivery, "");
  }
  EXPECT_EQ(BlobsAt(scanned.result, kHost)->blobs, 2U) << "the config and the other layer";
  EXPECT_EQ(scanned.stats.CountOf(sim::Operation::kBlob, sim::Sha256Digest("windows")), 0U);
  EXPECT_EQ(scanned.report.dump().find("fwlink"), std::string::npos);
}

TEST(RegistryContent, AForeignLayersHostIsNotContacted) {
  const testing::RawServer foreign([](testing::RawConnection&) {});
  const Scanned scanned =
      ScanOf(sim::Image{.layers = {{.bytes = "windows", .urls = {foreign.url() + "/layer"}}}});
  EXPECT_EQ(scanned.result.outcome, ScanOutcome::kComplete) << scanned.report.dump(1);
  EXPECT_NE(BlobsAt(scanned.result, foreign.host()), nullptr);
  EXPECT_EQ(foreign.accepted(), 0);
}

TEST(RegistryContent, ZstdLayersAndManifestsWithoutATypeAreAsAny) {
  const sim::Image image{
      .layers = {{.bytes = "z", .media_type = std::string(sim::kZstdLayerMediaType)}},
      .own = sim::OwnMediaType::kOmitted};
  const Scanned scanned = ScanOf(image);
  EXPECT_EQ(scanned.result.outcome, ScanOutcome::kComplete) << scanned.report.dump(1);
  EXPECT_EQ(BlobsAt(scanned.result, kHost)->blobs, 2U);
  EXPECT_EQ(scanned.report["tags"]["1.0.0"]["platforms"].size(), 1U);
}

TEST(RegistryContent, AnArtifactsBlobsAreAskedForButItIsNoPlatform) {
  const Scanned scanned =
      ScanOf(sim::Artifact("application/vnd.example.sbom", "application/spdx+json", "{\"a\":1}"));
  EXPECT_EQ(scanned.result.outcome, ScanOutcome::kComplete) << scanned.report.dump(1);
  EXPECT_EQ(scanned.stats.CountOf(sim::Operation::kBlob, sim::Sha256Digest("{\"a\":1}")), 1U);
  EXPECT_TRUE(scanned.report["tags"]["1.0.0"]["platforms"].empty());
  EXPECT_EQ(scanned.report["tags"]["1.0.0"]["layers"].size(), 1U);
}

TEST(RegistryContent, AnAttestationIsNoPlatformEither) {
  const sim::Catalog catalog = sim::Generate({.repository = kRepository,
                                              .tags = 1,
                                              .layers_per_tag = 3,
                                              .kinds = {sim::TagKind::kOciIndex}});
  const Scanned scanned = ScanOf(catalog);
  const auto& tag = *scanned.report["tags"].begin();
  std::set<std::string> platforms;
  for (const auto& platform : tag["platforms"]) platforms.insert(platform["platform"]);
  EXPECT_EQ(platforms, (std::set<std::string>{"linux/amd64", "linux/arm64"}));
  EXPECT_EQ(scanned.result.asked.manifests, 4U) << "the index, two images, the attestation";
}

TEST(RegistryContent, AnIndexOfIndexesIsWalked) {
  sim::Catalog catalog;
  const std::string image =
      catalog.AddImage(kRepository, sim::Image{.layers = {{.bytes = "deep"}}});
  const auto describe = [&](const std::string& digest, const std::string& os = "") {
    return catalog.DescribeManifest(kRepository, digest, os, os.empty() ? "" : "amd64");
  };
  std::string index = catalog.AddIndex(kRepository, sim::Format::kOci, {describe(image, "linux")});
  index = catalog.AddIndex(kRepository, sim::Format::kOci, {describe(index)});
  catalog.Tag(kRepository, "1.0.0", index);
  const Scanned scanned = ScanOf(catalog);
  EXPECT_EQ(scanned.result.outcome, ScanOutcome::kComplete) << scanned.report.dump(1);
  EXPECT_EQ(scanned.report["tags"]["1.0.0"]["platforms"][0]["platform"], "linux/amd64");
}

TEST(RegistryContent, ASchema1TagIsUnpullableAndSaysWhy) {
  sim::Catalog catalog = MakeCatalog(2, 2);
  catalog.Tag(kRepository, "old", catalog.AddSchema1Image(kRepository, "old", {"layer"}));
  const Scanned scanned = ScanOf(catalog);
  EXPECT_EQ(scanned.result.outcome, ScanOutcome::kComplete) << scanned.report.dump(1);
  EXPECT_EQ(scanned.result.unpullable, (ScanCounts{1, 0, 0}));
  EXPECT_EQ(scanned.result.coverage(), 1);
  EXPECT_EQ(scanned.report["unpullable"][0]["tag"], "old");
  EXPECT_NE(scanned.report["unpullable"][0]["message"].get<std::string>().find("schema 1"),
            std::string::npos);
}

TEST(RegistryContent, ALostBlobIsAskedForTwiceAndThenUnpullable) {
  sim::Catalog catalog = MakeCatalog(4, 5);
  const std::string lost = "sha256:" + std::string(64, 'a');
  const sim::Descriptor config = sim::Describe("application/vnd.oci.image.config.v1+json", "{}");
  sim::Descriptor layer = sim::Describe("application/vnd.oci.image.layer.v1.tar+gzip", "gone");
  layer.digest = lost;
  catalog.AddBlob(kRepository, "{}");
  catalog.Tag(
      kRepository, "9.9.9",
      catalog.AddManifest(kRepository, sim::ImageManifest(sim::Format::kOci, config, {layer}),
                          sim::ImageMediaType(sim::Format::kOci)));
  const Scanned scanned = ScanOf(catalog);
  EXPECT_EQ(scanned.result.outcome, ScanOutcome::kComplete) << scanned.report.dump(1);
  EXPECT_EQ(scanned.result.unpullable, (ScanCounts{0, 0, 1}));
  EXPECT_EQ(scanned.result.coverage(), 1);
  EXPECT_EQ(scanned.stats.CountOf(sim::Operation::kBlob, lost, "GET", 404), 2U);
  EXPECT_EQ(scanned.report["unpullable"][0]["digest"], lost);
}

class UnchangedRepository : public ::testing::Test {
 protected:
  static constexpr std::size_t kTags = 8;

  explicit UnchangedRepository(const sim::Options& options = Plain())
      : registry_(options, MakeCatalog(kTags, 6)), client_(registry_.base_url(), kRepository) {}

  // Scans once more and says what that took.
  sim::Stats Rescan() {
    registry_.ResetStats();
    result_ = client_.Scan();
    EXPECT_EQ(result_.outcome, ScanOutcome::kComplete);
    return registry_.GetStats();
  }

  // Answers with the body of a manifest.
  static std::uint64_t Bodies(const sim::Stats& stats) {
    return stats.Count(sim::Operation::kManifest, "GET", 200);
  }

  sim::Simulator registry_;
  ScanClient client_;
  ScanResult result_;
};

TEST_F(UnchangedRepository, CostsOneRequestATagAndABlobAndNoManifest) {
  const ScanResult first = client_.Scan();
  const sim::Stats stats = Rescan();
  EXPECT_EQ(stats.total, 1 + kTags + first.asked.blobs);
  EXPECT_EQ(Bodies(stats), 0U);
  EXPECT_EQ(stats.Count(sim::Operation::kManifest, "HEAD", 200), kTags - 1);
  EXPECT_EQ(stats.Count(sim::Operation::kManifest, "GET", 304), 1U)
      << "one goes the way of a pull, to see where that leads";
  EXPECT_EQ(result_.asked, first.asked);
  EXPECT_EQ(result_.endpoints.size(), first.endpoints.size());
}

TEST_F(UnchangedRepository, OnlyWhatHasChangedIsFetched) {
  client_.Scan();
  registry_.EditCatalog([](sim::Catalog& catalog) {
    catalog.Tag(kRepository, "1.0.0",
                catalog.AddImage(kRepository, sim::Image{.layers = {{.bytes = "new"}}}));
  });
  EXPECT_EQ(Bodies(Rescan()), 1U);
  EXPECT_EQ(registry_.GetStats().CountOf(sim::Operation::kBlob, sim::Sha256Digest("new")), 1U);
  EXPECT_EQ(Bodies(Rescan()), 0U);
}

class WithoutHead : public UnchangedRepository {
 protected:
  WithoutHead() : UnchangedRepository(Options()) {}
  static sim::Options Options() {
    sim::Options options = Plain();
    options.head_manifests = false;
    return options;
  }
};

TEST_F(WithoutHead, ConditionalGetsTell) {
  client_.Scan();
  const sim::Stats stats = Rescan();
  EXPECT_EQ(Bodies(stats), 0U);
  EXPECT_EQ(stats.Count(sim::Operation::kManifest, "GET", 304), kTags);
}

class WithoutDigestHeader : public UnchangedRepository {
 protected:
  WithoutDigestHeader() : UnchangedRepository(Options()) {}
  static sim::Options Options() {
    sim::Options options = Plain();
    options.manifest_digest_header = false;
    return options;
  }
};

TEST_F(WithoutDigestHeader, ConditionalGetsTellToo) {
  client_.Scan();
  const sim::Stats stats = Rescan();
  EXPECT_EQ(Bodies(stats), 0U);
  EXPECT_EQ(stats.Count(sim::Operation::kManifest, "GET", 304), kTags);
}

}  // namespace
}  // namespace registry_backend
