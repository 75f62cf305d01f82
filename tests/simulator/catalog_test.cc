#include "tests/simulator/catalog.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
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
