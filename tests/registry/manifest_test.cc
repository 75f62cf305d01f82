#include "exporter/registry/manifest.h"

#include <gtest/gtest.h>

#include "exporter/registry/digest.h"

namespace registry_backend {
namespace {

const std::string kA = Sha256Of("a");
const std::string kB = Sha256Of("b");
const std::string kC = Sha256Of("c");

std::string Image(const std::string& media_type) {
  const std::string own = media_type.empty() ? "" : R"("mediaType":")" + media_type + R"(",)";
  return R"({"schemaVersion":2,)" + own +
         R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" + kA +
         R"(","size":7},"layers":[{"mediaType":"x","digest":")" + kB +
         R"(","size":9},{"digest":")" + kC + R"(","size":11}]})";
}

std::string Index(const std::string& media_type) {
  const std::string own = media_type.empty() ? "" : R"("mediaType":")" + media_type + R"(",)";
  return R"({"schemaVersion":2,)" + own + R"("manifests":[{"digest":")" + kA +
         R"(","platform":{"os":"linux","architecture":"arm","variant":"v7"}},{"digest":")" + kB +
         R"(","platform":{"os":"unknown","architecture":"unknown"}},{"digest":")" + kC + R"("}]})";
}

TEST(Manifest, ReadsImagesOfBothForms) {
  for (const std::string_view type : {kDockerManifest, kOciManifest}) {
    const auto manifest = ParseManifest(Image(std::string(type)), "text/plain");
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(manifest->media_type, type);
    EXPECT_FALSE(manifest->is_index);
    ASSERT_EQ(manifest->blobs.size(), 3U);
    EXPECT_EQ(manifest->blobs[0].digest, kA);
    EXPECT_EQ(manifest->blobs[2].digest, kC);
  }
}

TEST(Manifest, ReadsIndexesOfBothFormsWithTheirPlatforms) {
  for (const std::string_view type : {kDockerManifestList, kOciIndex}) {
    const auto manifest = ParseManifest(Index(std::string(type)), "");
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_TRUE(manifest->is_index);
    ASSERT_EQ(manifest->manifests.size(), 3U);
    EXPECT_EQ(manifest->manifests[0].platform, "linux/arm/v7");
    EXPECT_EQ(manifest->manifests[1].platform, "unknown/unknown");
    EXPECT_EQ(manifest->manifests[2].platform, "unknown");
  }
}

TEST(Manifest, WithoutMediaTypeTheHeaderDecidesThenTheShape) {
  EXPECT_EQ(ParseManifest(Image(""), std::string(kDockerManifest) + "; charset=utf-8")->media_type,
            kDockerManifest);
  EXPECT_EQ(ParseManifest(Image(""), "application/json")->media_type, kOciManifest);
  EXPECT_EQ(ParseManifest(Index(""), "")->media_type, kOciIndex);
}

TEST(Manifest, RefusesWhatItCannotTrust) {
  const std::string descriptor = R"({"digest":")" + kA + R"("})";
  const struct {
    std::string bytes;
    std::string_view says;
  } kCases[] = {
      {"", "no JSON object"},
      {"[]", "no JSON object"},
      {"{\"a\":1", "no JSON object"},
      {"{}", "neither layers nor manifests"},
      {R"({"schemaVersion":1,"fsLayers":[]})", "schema 1"},
      {R"({"mediaType":"application/vnd.docker.plugin.v1+json","config":{}})", "not supported"},
      {R"({"mediaType":")" + std::string(kOciIndex) + R"(","config":)" + descriptor + "}",
       "contradicts"},
      {R"({"config":)" + descriptor + R"(,"manifests":[]})", "both layers and manifests"},
      {R"({"config":{"digest":"sha256:short"}})", "valid digest"},
      {R"({"config":)" + descriptor + R"(,"layers":[1]})", "no descriptor"},
      {R"({"config":)" + descriptor + R"(,"layers":{}})", "no array"},
      {R"({"layers":[]})", "no config"},
      {R"({"manifests":[{"digest":"../../etc"}]})", "valid digest"},
      {R"({"config":)" + descriptor + R"(,"layers":[[]]})", "no descriptor"},
      {R"({"config":)" + descriptor + R"(,"layers":[)" + descriptor + R"(,null]})",
       "no descriptor"},
      {R"({"config":)" + descriptor + R"(,"layers":"x"})", "no array"},
      {R"({"config":[]})", "`config` is no descriptor"},
      {R"({"config":"x"})", "`config` is no descriptor"},
      {R"({"config":null})", "`config` is no descriptor"},
      {R"({"manifests":[{"digest":{"digest":")" + kA + R"("}}]})", "valid digest"},
      {R"({"schemaVersion":1})", "schema 1"},
      // Readers that take the first of two and those that take the last see two images.
      {R"({"config":)" + descriptor + R"(,"config":)" + descriptor + "}", "`config` twice"},
      {R"({"config":)" + descriptor + R"(,"layers":[],"layers":[]})", "`layers` twice"},
      {R"({"config":)" + descriptor + R"(,"layers":null,"layers":[]})", "`layers` twice"},
      {R"({"manifests":[],"manifests":[]})", "`manifests` twice"},
      {R"({"config":{"digest":")" + kA + R"(","digest":")" + kA + R"("}})", "two digests"},
      {R"({"config":{"digest":")" + kA + R"(","digest":null}})", "two digests"},
      {R"({"mediaType":")" + std::string(kOciIndex) + R"(","mediaType":")" +
           std::string(kOciManifest) + R"(","config":)" + descriptor + "}",
       "`mediaType` twice"},
  };
  for (const auto& c : kCases) {
    const auto manifest = ParseManifest(c.bytes, "");
    ASSERT_FALSE(manifest) << c.bytes;
    EXPECT_EQ(manifest.error().kind, ErrorKind::kProtocol);
    EXPECT_NE(manifest.error().message.find(c.says), std::string::npos)
        << c.bytes << ": " << manifest.error().message;
  }
}

TEST(Manifest, WhatIsBesideTheDescriptorsIsPassedOver) {
  const std::string junk =
      R"("x":[[],{"config":{},"layers":[1],"manifests":[{}],"digest":"no"}],"y":{"z":[1.5,true,null]})";
  const std::string layer = R"({"annotations":{"digest":"no","platform":{"os":"no"}},"urls":7,)" +
                            junk + R"(,"digest":")" + kA + R"("})";
  const auto manifest = ParseManifest(
      "{" + junk + R"(,"config":{"digest":")" + kA + R"(","data":"e30="},"layers":[)" + layer +
          R"(,{"digest":")" + kA + R"("}],"subject":{"digest":"no"},"annotations":null})",
      "");
  ASSERT_TRUE(manifest) << manifest.error().message;
  ASSERT_EQ(manifest->blobs.size(), 3U);
  for (const Descriptor& blob : manifest->blobs) {
    EXPECT_EQ(blob, (Descriptor{kA, std::string(kUnnamedPlatform), {}}));
  }
}

TEST(Manifest, ListsThatAreNullAreEmpty) {
  EXPECT_TRUE(ParseManifest(R"({"manifests":null})", "")->manifests.empty());
  EXPECT_EQ(
      ParseManifest(R"({"config":{"digest":")" + kA + R"("},"layers":null})", "")->blobs.size(),
      1U);
}

TEST(Manifest, SurvivesDeepNesting) {
  EXPECT_FALSE(ParseManifest(std::string(1'000'000, '['), ""));
  const std::string nested = std::string(300'000, '[') + std::string(300'000, ']');
  EXPECT_FALSE(ParseManifest(R"({"schemaVersion":)" + nested + "}", ""));
  EXPECT_TRUE(ParseManifest(Image("").insert(1, R"("annotations":{"a":"]]]][[[[{{{{"},)"), ""))
      << "brackets in text are none";
}

TEST(Manifest, APlatformIsAShortNameOrUnknown) {
  const auto platform = [](const std::string& architecture) {
    const auto manifest = ParseManifest(R"({"manifests":[{"digest":")" + kA +
                                            R"(","platform":{"os":"linux","architecture":")" +
                                            architecture + R"("}}]})",
                                        "");
    return manifest->manifests.at(0).platform;
  };
  EXPECT_EQ(platform("arm64"), "linux/arm64");
  EXPECT_EQ(platform(std::string(100, 'x')), "unknown");
  EXPECT_EQ(platform("<b>"), "unknown");
  EXPECT_EQ(platform("\\u001b[31m"), "unknown");
}

TEST(Manifest, AMediaTypeInAMessageIsPrintable) {
  const auto manifest = ParseManifest(R"({"mediaType":"\u001b[31mx"})", "");
  ASSERT_FALSE(manifest);
  EXPECT_NE(manifest.error().message.find("'?[31mx'"), std::string::npos)
      << manifest.error().message;
}

// An image whose only layer has these members besides its digest.
std::string ImageWithLayer(const std::string& members) {
  return R"({"config":{"digest":")" + kA + R"("},"layers":[{)" + members + R"("digest":")" + kB +
         R"("}]})";
}

TEST(Manifest, AForeignLayersUrlsAreKeptWhereTheyAreUsable) {
  const auto urls = [](const std::string& array) {
    std::vector<std::string> texts;
    const auto manifest = ParseManifest(ImageWithLayer(R"("urls":)" + array + ","), "");
    if (!manifest) return std::vector{manifest.error().message};
    EXPECT_TRUE(manifest->blobs.at(0).urls.empty());
    for (const Url& url : manifest->blobs.at(1).urls) texts.push_back(url.text());
    return texts;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(urls(R"(["https://mcr.example/a?b=c","http://mirror.example:8080/a"])"),
            (Texts{"https://mcr.example/a?b=c", "http://mirror.example:8080/a"}));
  EXPECT_EQ(urls(R"(["ftp://x.example/","file:///etc/passwd","/a","",7,null,
                     "https://u:p@x.example/","https://u@x.example/","https://x y/","https://"])"),
            Texts());
  EXPECT_EQ(urls(R"([])"), Texts());
  EXPECT_EQ(urls(R"("https://x.example/")"), Texts());
  EXPECT_EQ(urls("null"), Texts());
  std::string many = R"(["ftp://x.example/")";
  for (int i = 0; i < 20; ++i) many += R"(,"https://x.example/)" + std::to_string(i) + '"';
  EXPECT_EQ(urls(many + "]").size(), 8U);
  EXPECT_EQ(urls(many + "]").back(), "https://x.example/7");
}

TEST(Manifest, WhatIsNoImageIsAnArtifact) {
  const auto is_artifact = [](const std::string& members, const std::string& config) {
    const auto manifest = ParseManifest(
        "{" + members + R"("config":{)" + config + R"("digest":")" + kA + R"("}})", "");
    EXPECT_TRUE(manifest) << manifest.error().message;
    return manifest && manifest->is_artifact;
  };
  EXPECT_FALSE(is_artifact("", ""));
  EXPECT_FALSE(is_artifact("", R"("mediaType":"application/vnd.oci.image.config.v1+json",)"));
  EXPECT_FALSE(is_artifact("", R"("mediaType":"application/vnd.docker.container.image.v1+json",)"));
  EXPECT_FALSE(is_artifact(R"("artifactType":"",)", ""));
  EXPECT_TRUE(is_artifact("", R"("mediaType":"application/vnd.oci.empty.v1+json",)"));
  EXPECT_TRUE(is_artifact("", R"("mediaType":"application/vnd.cncf.helm.config.v1+json",)"));
  EXPECT_TRUE(is_artifact(R"("artifactType":"application/spdx+json",)",
                          R"("mediaType":"application/vnd.oci.image.config.v1+json",)"));
  EXPECT_FALSE(ParseManifest(Index(""), "")->is_artifact);
}

TEST(Manifest, ItsContentTypeMayNotContradictItsKind) {
  const struct {
    std::string bytes;
    std::string_view content_type;
    bool good;
  } kCases[] = {
      {Image(std::string(kOciManifest)), kOciManifest, true},
      {Image(std::string(kOciManifest)), kDockerManifest, true},  // both are images
      {Image(std::string(kOciManifest)), kOciIndex, false},
      {Image(std::string(kDockerManifest)), kDockerManifestList, false},
      {Index(std::string(kOciIndex)), kDockerManifestList, true},
      {Index(std::string(kOciIndex)), kOciManifest, false},
      {Index(std::string(kDockerManifestList)), kDockerManifest, false},
      {Image(""), kOciIndex, false},
      {Index(""), kDockerManifest, false},
      {Index(std::string(kOciIndex)), "text/plain", true},
  };
  for (const auto& c : kCases) {
    const auto manifest = ParseManifest(c.bytes, c.content_type);
    EXPECT_EQ(manifest.ok(), c.good) << c.bytes << c.content_type;
    if (!manifest) {
      EXPECT_NE(manifest.error().message.find("contradicts"), std::string::npos)
          << manifest.error().message;
    }
  }
}

TEST(Manifest, LayersOfAnyTypeAreOrdinaryOnes) {
  for (const std::string type : {"application/vnd.oci.image.layer.v1.tar+zstd",
                                 "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                                 "application/vnd.example.unheard-of", ""}) {
    const auto manifest = ParseManifest(ImageWithLayer(R"("mediaType":")" + type + R"(",)"), "");
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(manifest->blobs.size(), 2U) << type;
    EXPECT_EQ(manifest->blobs.back().digest, kB);
    EXPECT_FALSE(manifest->is_artifact) << type;
  }
}

TEST(Manifest, Schema1IsKnownByItsContentType) {
  EXPECT_TRUE(IsSchema1("application/vnd.docker.distribution.manifest.v1+json"));
  EXPECT_TRUE(IsSchema1("Application/vnd.docker.distribution.manifest.v1+prettyjws ; charset=x"));
  EXPECT_FALSE(IsSchema1("application/vnd.docker.distribution.manifest.v1"));
  for (const std::string_view type :
       {kDockerManifest, kDockerManifestList, kOciManifest, kOciIndex, std::string_view()}) {
    EXPECT_FALSE(IsSchema1(type)) << type;
  }
}

}  // namespace
}  // namespace registry_backend
