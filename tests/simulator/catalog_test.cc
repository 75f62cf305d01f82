#include "tests/simulator/catalog.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace registry_backend::simulator {
namespace {

using nlohmann::json;

json ManifestJson(const Catalog& catalog, const std::string& repository,
                  const std::string& reference) {
  return json::parse(*catalog.FindManifest(repository, reference)->bytes);
}

TEST(Sha256DigestTest, KnownVector) {
  EXPECT_EQ(Sha256Digest("abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ManifestTest, OwnMediaTypeCanBeOmitted) {
  const Descriptor config = Describe(ConfigMediaType(Format::kOci), "{}");
  const auto with = json::parse(ImageManifest(Format::kOci, config, {}));
  const auto without = json::parse(ImageManifest(Format::kOci, config, {}, OwnMediaType::kOmitted));
  EXPECT_EQ(with["mediaType"], "application/vnd.oci.image.manifest.v1+json");
  EXPECT_FALSE(without.contains("mediaType"));
  EXPECT_EQ(without["config"]["size"], 2);
  EXPECT_FALSE(without["config"].contains("platform"));
}

TEST(ManifestTest, WritesPlatformAndUrls) {
  Descriptor descriptor = Describe("application/x", "bytes");
  descriptor.os = "linux";
  descriptor.architecture = "arm";
  descriptor.variant = "v7";
  descriptor.urls = {"https://foreign.example/layer"};
  const auto entry = json::parse(IndexManifest(Format::kDocker, {descriptor}))["manifests"][0];
  EXPECT_EQ(entry["platform"], (json{{"os", "linux"}, {"architecture", "arm"}, {"variant", "v7"}}));
  EXPECT_EQ(entry["urls"][0], "https://foreign.example/layer");
}

TEST(GenerateTest, TagNames) {
  const auto names = GeneratedTagNames(21);
  ASSERT_EQ(names.size(), 21u);
  EXPECT_EQ(names.front(), "v202401-1");
  EXPECT_EQ(names[12], "v202501-1");
  EXPECT_EQ(names[14], "1.0.0");
  EXPECT_EQ(names.back(), "1.0.6");
}

TEST(GenerateTest, SameOptionsSameBytes) {
  GenerateOptions options;
  options.tags = 4;
  options.layers_per_tag = 3;
  const Catalog first = Generate(options);
  const Catalog second = Generate(options);
  options.seed = 2;
  const Catalog other = Generate(options);
  const auto& tags = first.Find(options.repository)->tags;
  EXPECT_EQ(tags, second.Find(options.repository)->tags);
  EXPECT_NE(tags, other.Find(options.repository)->tags);
}

TEST(GenerateTest, BareImagesHaveExactlyTheirLayersAndOneConfig) {
  GenerateOptions options;
  options.tags = 4;
  options.layers_per_tag = 10;
  options.kinds = {TagKind::kDockerImage};
  options.shared_ratio = 0;
  const Catalog apart = Generate(options);
  EXPECT_EQ(apart.Find(options.repository)->blobs.size(), 4u * 10 + 4);
  EXPECT_EQ(apart.Find(options.repository)->manifests.size(), 4u);
  options.shared_ratio = 0.5;
  const Catalog shared = Generate(options);
  EXPECT_EQ(shared.Find(options.repository)->blobs.size(), 5u + 4 * 5 + 4);
  EXPECT_EQ(shared.BlobsOf(options.repository, "1.0.0").size(), 11u);
  EXPECT_EQ(shared.OwnBlobsOf(options.repository, "1.0.0").size(), 6u);
}

TEST(GenerateTest, KindsTakeTurns) {
  GenerateOptions options;
  options.tags = 4;
  options.layers_per_tag = 2;
  const Catalog catalog = Generate(options);
  std::vector<std::string> types;
  for (const auto& tag : GeneratedTagNames(4)) {
    types.push_back(catalog.FindManifest(options.repository, tag)->media_type);
  }
  EXPECT_EQ(types, (std::vector<std::string>{std::string(IndexMediaType(Format::kDocker)),
                                             std::string(ImageMediaType(Format::kDocker)),
                                             std::string(IndexMediaType(Format::kOci)),
                                             std::string(ImageMediaType(Format::kOci))}));
  const auto index = ManifestJson(catalog, options.repository, "v202403-1")["manifests"];
  ASSERT_EQ(index.size(), 3u);
  EXPECT_EQ(index[1]["platform"]["architecture"], "arm64");
  EXPECT_EQ(index[2]["platform"], (json{{"os", "unknown"}, {"architecture", "unknown"}}));
}

TEST(GenerateTest, DescriptorsTellTheTruth) {
  GenerateOptions options;
  options.tags = 8;
  options.layers_per_tag = 3;
  const Catalog catalog = Generate(options);
  const Repository& repository = *catalog.Find(options.repository);
  std::size_t checked = 0;
  const auto check = [&](const json& descriptor) {
    const std::string digest = descriptor["digest"];
    const auto* const manifest = catalog.FindManifest(options.repository, digest);
    const auto* const blob = catalog.FindBlob(options.repository, digest);
    ASSERT_TRUE((manifest != nullptr) != (blob != nullptr)) << digest;
    const std::string& bytes = manifest != nullptr ? *manifest->bytes : *blob->bytes;
    EXPECT_EQ(Sha256Digest(bytes), digest);
    EXPECT_EQ(descriptor["size"], bytes.size());
    ++checked;
  };
  for (const auto& [digest, manifest] : repository.manifests) {
    const json content = json::parse(*manifest.bytes);
    if (content.contains("config")) check(content["config"]);
    for (const char* key : {"layers", "manifests"}) {
      for (const json& descriptor : content.value(key, json::array())) check(descriptor);
    }
  }
  EXPECT_GE(checked, repository.blobs.size());
}

TEST(CatalogTest, ForeignLayersAreDescribedButNotHeld) {
  for (const Format format : {Format::kDocker, Format::kOci}) {
    Catalog catalog;
    const std::string digest = catalog.AddImage(
        "r", {.format = format,
              .layers = {{.bytes = "windows", .urls = {"https://foreign.example/layer"}},
                         {.bytes = "own"}}});
    const json layers = ManifestJson(catalog, "r", digest)["layers"];
    EXPECT_EQ(layers[0]["mediaType"], ForeignLayerMediaType(format));
    EXPECT_EQ(layers[0]["digest"], Sha256Digest("windows"));
    EXPECT_EQ(layers[0]["size"], 7);
    EXPECT_EQ(layers[0]["urls"], json::array({"https://foreign.example/layer"}));
    EXPECT_EQ(catalog.FindBlob("r", Sha256Digest("windows")), nullptr);
    EXPECT_EQ(layers[1]["mediaType"], LayerMediaType(format));
    EXPECT_FALSE(layers[1].contains("urls"));
    EXPECT_NE(catalog.FindBlob("r", Sha256Digest("own")), nullptr);
  }
}

TEST(CatalogTest, LayersOfOtherTypesAndManifestsWithoutTheirs) {
  Catalog catalog;
  const std::string digest = catalog.AddImage(
      "r", {.layers = {{.bytes = "zstd", .media_type = std::string(kZstdLayerMediaType)}},
            .own = OwnMediaType::kOmitted});
  const json manifest = ManifestJson(catalog, "r", digest);
  EXPECT_FALSE(manifest.contains("mediaType"));
  EXPECT_EQ(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
  EXPECT_EQ(catalog.FindManifest("r", digest)->media_type, ImageMediaType(Format::kOci));
}

TEST(CatalogTest, Artifacts) {
  Catalog catalog;
  const std::string digest = catalog.AddImage(
      "r", Artifact("application/vnd.example.policy", "application/vnd.example.rego", "allow"));
  const json manifest = ManifestJson(catalog, "r", digest);
  EXPECT_EQ(manifest["artifactType"], "application/vnd.example.policy");
  EXPECT_EQ(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
  EXPECT_EQ(manifest["config"]["size"], 2);
  ASSERT_EQ(manifest["layers"].size(), 1u);
  EXPECT_EQ(manifest["layers"][0]["mediaType"], "application/vnd.example.rego");
  EXPECT_EQ(catalog.Find("r")->blobs.size(), 2u);
}

TEST(CatalogTest, Schema1IsHashedWithoutItsSignatures) {
  Catalog catalog;
  const std::string digest = catalog.AddSchema1Image("r", "old", {"bottom", "top"});
  catalog.Tag("r", "old", digest);
  const StoredManifest& stored = *catalog.FindManifest("r", "old");
  EXPECT_EQ(stored.layers, (std::vector{Sha256Digest("bottom"), Sha256Digest("top")}));
  EXPECT_EQ(catalog.BlobsOf("r", "old").size(), 2u);
  const json manifest = json::parse(*stored.bytes);
  EXPECT_EQ(manifest["schemaVersion"], 1);
  EXPECT_EQ(manifest["fsLayers"][0]["blobSum"], Sha256Digest("top"));
  EXPECT_EQ(manifest["history"].size(), 2u);
  EXPECT_EQ(manifest["signatures"].size(), 1u);
  EXPECT_NE(Sha256Digest(*stored.bytes), digest);
  const Schema1Manifest text = MakeSchema1Manifest("r", "old", stored.layers);
  EXPECT_EQ(text.bytes, *stored.bytes);
  EXPECT_EQ(Sha256Digest(text.payload), digest);
  EXPECT_FALSE(json::parse(text.payload).contains("signatures"));
}

TEST(CatalogTest, IndexesNestAndShareTheirChildren) {
  Catalog catalog;
  const std::string image = catalog.AddImage("r", {.config = "one", .layers = {{.bytes = "a"}}});
  const std::string other = catalog.AddImage("r", {.config = "two", .layers = {{.bytes = "b"}}});
  const Descriptor shared = catalog.DescribeManifest("r", image, "linux", "arm", "v7");
  const std::string inner = catalog.AddIndex("r", Format::kOci, {shared});
  catalog.Tag("r", "inner", inner);
  catalog.Tag("r", "outer",
              catalog.AddIndex("r", Format::kOci,
                               {catalog.DescribeManifest("r", "inner"),
                                catalog.DescribeManifest("r", other, "linux", "amd64")}));
  const json outer = ManifestJson(catalog, "r", "outer")["manifests"];
  EXPECT_EQ(outer[0]["digest"], inner);
  EXPECT_EQ(outer[0]["mediaType"], IndexMediaType(Format::kOci));
  EXPECT_EQ(outer[0]["size"], catalog.FindManifest("r", inner)->bytes->size());
  EXPECT_FALSE(outer[0].contains("platform"));
  EXPECT_EQ(outer[1]["platform"]["architecture"], "amd64");
  EXPECT_EQ(ManifestJson(catalog, "r", inner)["manifests"][0]["platform"]["variant"], "v7");
  EXPECT_EQ(catalog.BlobsOf("r", "inner").size(), 2u);
  EXPECT_EQ(catalog.BlobsOf("r", "outer").size(), 4u);
  EXPECT_EQ(catalog.OwnBlobsOf("r", "outer").size(), 2u);
  EXPECT_THROW((void)catalog.DescribeManifest("r", "none"), std::out_of_range);
}

TEST(CatalogTest, HandMadeContent) {
  Catalog catalog;
  const std::string digest = catalog.AddManifest("r", "no JSON at all", "text/plain");
  catalog.Tag("r", "odd", digest);
  catalog.Tag("r", "dangling", "sha256:none");
  EXPECT_EQ(catalog.FindManifest("r", "odd")->media_type, "text/plain");
  EXPECT_EQ(catalog.FindManifest("r", digest), catalog.FindManifest("r", "odd"));
  EXPECT_EQ(catalog.FindManifest("r", "dangling"), nullptr);
  EXPECT_TRUE(catalog.BlobsOf("r", "dangling").empty());
  EXPECT_TRUE(catalog.RemoveTag("r", "odd"));
  EXPECT_FALSE(catalog.RemoveTag("r", "odd"));
  EXPECT_EQ(catalog.FindManifest("r", "odd"), nullptr);
}

}  // namespace
}  // namespace registry_backend::simulator
