#include "exporter/discovery/classify.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

namespace registry_backend {
namespace {

struct Case {
  std::string_view url;
  std::string_view provider;
  std::string_view bucket;
  std::string_view region;
};

void Check(std::span<const Case> cases) {
  for (const Case& c : cases) {
    const auto url = Url::Parse(c.url);
    ASSERT_TRUE(url) << c.url << ": " << url.error().message;
    const EndpointInfo info = Classify(*url);
    EXPECT_EQ(info.provider, c.provider) << c.url;
    EXPECT_EQ(info.bucket, c.bucket) << c.url;
    EXPECT_EQ(info.storage_region, c.region) << c.url;
    EXPECT_EQ(info.delivery, "") << c.url;
  }
}

// A query signed for S3.
#define SIGNED_FOR(region)                                                              \
  "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260131%2F" region \
  "%2Fs3%2Faws4_request&X-Amz-Signature=5eed"

#define R2_ACCOUNT_TAIL "aa30f8b08e16409b46e0173d6de2f56"
#define R2_ACCOUNT "6" R2_ACCOUNT_TAIL

TEST(Classify, KnowsS3InAllItsForms) {
  constexpr Case kCases[] = {
      {"https://prod-us-east-1-starport-layer-bucket.s3.dualstack.us-east-1.amazonaws.com/x", "s3",
       "prod-us-east-1-starport-layer-bucket", "us-east-1"},
      {"https://b.s3.us-west-2.amazonaws.com/k", "s3", "b", "us-west-2"},
      {"https://B.S3.US-West-2.AmazonAWS.com./k", "s3", "b", "us-west-2"},
      {"https://b.s3.us-west-2.amazonaws.com:8443/k", "s3", "b", "us-west-2"},
      {"https://dotted.bucket.s3.eu-central-1.amazonaws.com/k", "s3", "dotted.bucket",
       "eu-central-1"},
      {"https://s3.b.s3.us-west-2.amazonaws.com/k", "s3", "s3.b", "us-west-2"},
      {"https://b.s3-fips.us-gov-west-1.amazonaws.com/k", "s3", "b", "us-gov-west-1"},
      {"https://b.s3-fips.dualstack.us-east-1.amazonaws.com/k", "s3", "b", "us-east-1"},
      {"https://b.s3-fips-us-gov-west-1.amazonaws.com/k", "s3", "b", "us-gov-west-1"},
      {"https://b.s3-eu-west-1.amazonaws.com/k", "s3", "b", "eu-west-1"},
      {"https://b.s3.amazonaws.com/k", "s3", "b", ""},
      {"https://old_bucket.s3.amazonaws.com/k", "s3", "old_bucket", ""},
      {"https://b.s3-accelerate.amazonaws.com/k", "s3", "b", ""},
      {"https://b.s3-accelerate.dualstack.amazonaws.com/k", "s3", "b", ""},
      {"http://b.s3-website-us-east-1.amazonaws.com/", "s3", "b", "us-east-1"},
      {"http://b.s3-website.eu-central-1.amazonaws.com/", "s3", "b", "eu-central-1"},
      {"https://ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com/k", "s3", "ap-123456789012",
       "us-east-1"},
      {"https://ap-123456789012.s3-accesspoint.dualstack.us-east-1.amazonaws.com/k", "s3",
       "ap-123456789012", "us-east-1"},
      {"https://ap-123456789012.s3-accesspoint-fips.us-east-1.amazonaws.com/k", "s3",
       "ap-123456789012", "us-east-1"},
      {"https://ap-123456789012.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com/k", "s3",
       "ap-123456789012", "us-east-1"},
      {"https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/k", "s3",
       "mfzwi23gnjvgw.mrap", ""},
      {"https://b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/k", "s3",
       "b--use1-az4--x-s3", "us-east-1"},
      {"https://b--use1-az4--x-s3.s3express-use1-az4.dualstack.us-east-1.amazonaws.com/k", "s3",
       "b--use1-az4--x-s3", "us-east-1"},
      {"https://b--use1-az4--x-s3.s3express-fips-use1-az4.us-east-1.amazonaws.com/k", "s3",
       "b--use1-az4--x-s3", "us-east-1"},
      {"https://s3.us-west-2.amazonaws.com/bucket/k", "s3", "bucket", "us-west-2"},
      {"https://s3.us-west-2.amazonaws.com:8443/bucket/k", "s3", "bucket", "us-west-2"},
      {"https://s3.us-west-2.amazonaws.com/Old_Bucket/k", "s3", "Old_Bucket", "us-west-2"},
      {"https://s3.us-west-2.amazonaws.com/dotted.bucket", "s3", "dotted.bucket", "us-west-2"},
      {"https://s3.dualstack.us-west-2.amazonaws.com/bucket/k", "s3", "bucket", "us-west-2"},
      {"https://s3-fips.us-west-2.amazonaws.com/bucket/k", "s3", "bucket", "us-west-2"},
      {"https://s3-fips.dualstack.us-west-2.amazonaws.com/bucket/k", "s3", "bucket", "us-west-2"},
      {"https://s3-fips-us-gov-west-1.amazonaws.com/bucket/k", "s3", "bucket", "us-gov-west-1"},
      {"https://s3-us-west-2.amazonaws.com/bucket/k", "s3", "bucket", "us-west-2"},
      {"https://s3.amazonaws.com/bucket/k", "s3", "bucket", ""},
      {"https://s3.us-west-2.amazonaws.com/", "s3", "", "us-west-2"},
  };
  Check(kCases);
}

TEST(Classify, KnowsAmazonsPartitions) {
  constexpr Case kCases[] = {
      {"https://b.s3.cn-north-1.amazonaws.com.cn/k", "s3", "b", "cn-north-1"},
      {"https://b.s3.dualstack.cn-northwest-1.amazonaws.com.cn/k", "s3", "b", "cn-northwest-1"},
      {"https://s3.cn-north-1.amazonaws.com.cn/bucket/k", "s3", "bucket", "cn-north-1"},
      {"http://b.s3-website.cn-north-1.amazonaws.com.cn/", "s3", "b", "cn-north-1"},
      {"https://123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/v2/", "ecr", "", "cn-north-1"},
      {"https://b.s3.eusc-de-east-1.amazonaws.eu/k", "s3", "b", "eusc-de-east-1"},
      {"https://s3.eusc-de-east-1.amazonaws.eu/bucket/k", "s3", "bucket", "eusc-de-east-1"},
      {"https://123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/v2/", "ecr", "", "eusc-de-east-1"},
      {"https://b.s3.us-isob-east-1.amazonaws.com/k", "s3", "b", "us-isob-east-1"},
      {"https://b.s3.ap-southeast-7.amazonaws.com/k", "s3", "b", "ap-southeast-7"},
      {"https://d111111abcdef8.cloudfront.cn/k", "cloudfront", "", ""},
  };
  Check(kCases);
}

TEST(Classify, KnowsAmazonsRegistriesAndEdges) {
  constexpr Case kCases[] = {
      {"https://123456789012.dkr.ecr.us-west-2.amazonaws.com/v2/", "ecr", "", "us-west-2"},
      {"https://123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/v2/", "ecr", "",
       "us-gov-west-1"},
      {"https://123456789012.dkr-ecr.eu-west-1.on.aws/v2/", "ecr", "", "eu-west-1"},
      {"https://123456789012.dkr-ecr-fips.us-east-1.on.aws/v2/", "ecr", "", "us-east-1"},
      {"https://public.ecr.aws/v2/", "ecr", "", ""},
      {"https://d2glxqk2uabbnd.cloudfront.net/bucket/k", "cloudfront", "", ""},
      {"https://d2glxqk2uabbnd.cloudfront.net/k" SIGNED_FOR("us-east-1"), "cloudfront", "", ""},
      // Accounts have twelve digits, distributions begin with a d.
      {"https://12345678901.dkr.ecr.us-west-2.amazonaws.com/v2/", "", "", ""},
      {"https://1234567890123.dkr.ecr.us-west-2.amazonaws.com/v2/", "", "", ""},
      {"https://12345678901a.dkr-ecr.us-west-2.on.aws/v2/", "", "", ""},
      {"https://b.123456789012.dkr.ecr.us-west-2.amazonaws.com/v2/", "", "", ""},
      {"https://dkr.ecr.us-west-2.amazonaws.com/v2/", "", "", ""},
      {"https://evil.public.ecr.aws/v2/", "", "", ""},
      {"https://cloudfront.net/k", "", "", ""},
      {"https://d.cloudfront.net/k", "", "", ""},
      {"https://e2glxqk2uabbnd.cloudfront.net/k", "", "", ""},
      {"https://d-evil.cloudfront.net/k", "", "", ""},
      {"https://d.evil.cloudfront.net/k", "", "", ""},
  };
  Check(kCases);
}

TEST(Classify, KnowsGoogle) {
  constexpr Case kCases[] = {
      {"https://storage.googleapis.com/artifacts.project.appspot.com/containers/images/x", "gcs",
       "artifacts.project.appspot.com", ""},
      {"https://storage.googleapis.com/my_bucket/k", "gcs", "my_bucket", ""},
      {"https://storage.googleapis.com/My-Bucket/k", "gcs", "", ""},
      {"https://storage.googleapis.com/download/storage/v1/b/bucket/o/k?alt=media", "gcs", "bucket",
       ""},
      {"https://storage.googleapis.com/storage/v1/b/bucket/o/k?alt=media", "gcs", "bucket", ""},
      {"https://bucket.storage.googleapis.com/k", "gcs", "bucket", ""},
      {"https://dotted.bucket.storage.googleapis.com/k", "gcs", "dotted.bucket", ""},
      {"https://storage.me-central2.rep.googleapis.com/bucket/k", "gcs", "bucket", "me-central2"},
      {"https://us-docker.pkg.dev/artifacts-downloads/k", "artifact-registry", "", "us"},
      {"https://europe-west1-docker.pkg.dev/v2/", "artifact-registry", "", "europe-west1"},
      // Interoperable clients sign for any region.
      {"https://storage.googleapis.com/bucket/k" SIGNED_FOR("us-east-1"), "gcs", "bucket", ""},
      {"https://googleapis.com/bucket/k", "", "", ""},
      {"https://xstorage.googleapis.com/bucket/k", "", "", ""},
      {"https://us-docker.pkg.dev.evil.example/k", "", "", ""},
      {"https://docker.pkg.dev/k", "", "", ""},
      {"https://europe-west1-npm.pkg.dev/k", "", "", ""},
      {"https://evil.us-docker.pkg.dev/k", "", "", ""},
  };
  Check(kCases);
}

TEST(Classify, KnowsMicrosoft) {
  constexpr Case kCases[] = {
      {"https://account.blob.core.windows.net/container/k", "azure-blob", "container", ""},
      {"https://account-secondary.blob.core.windows.net/container/k", "azure-blob", "container",
       ""},
      {"https://account.blob.core.windows.net/0123456789abcdef-0123456789//docker/k", "azure-blob",
       "0123456789abcdef-0123456789", ""},
      {"https://account.blob.core.windows.net/in-the-root-container", "azure-blob", "", ""},
      {"https://account.blob.core.windows.net/$root/k", "azure-blob", "", ""},
      {"https://account.blob.core.windows.net/Upper/k", "azure-blob", "", ""},
      {"https://account.blob.core.chinacloudapi.cn/container/k", "azure-blob", "container", ""},
      {"https://account.blob.core.usgovcloudapi.net/container/k", "azure-blob", "container", ""},
      {"https://account.z01.blob.storage.azure.net/container/k", "azure-blob", "container", ""},
      {"https://mcr.microsoft.com/v2/", "mcr", "", ""},
      {"https://westeurope.data.mcr.microsoft.com/k", "mcr", "", "westeurope"},
      {"https://name.azurecr.io/v2/", "acr", "", ""},
      {"https://name.westeurope.data.azurecr.io/k", "acr", "", "westeurope"},
      {"https://name.azurecr.cn/v2/", "acr", "", ""},
      {"https://name.chinaeast2.data.azurecr.cn/k", "acr", "", "chinaeast2"},
      {"https://name.azurecr.us/v2/", "acr", "", ""},
      {"https://name.usgovvirginia.data.azurecr.us/k", "acr", "", "usgovvirginia"},
      {"https://blob.core.windows.net/container/k", "", "", ""},
      {"https://evil.account.blob.core.windows.net/container/k", "", "", ""},
      {"https://account.zone.blob.storage.azure.net/container/k", "", "", ""},
      {"https://evil.mcr.microsoft.com/k", "", "", ""},
      {"https://azurecr.io/v2/", "", "", ""},
      {"https://name.data.azurecr.io/k", "", "", ""},
  };
  Check(kCases);
}

TEST(Classify, KnowsOtherStorage) {
  constexpr Case kCases[] = {
      {"https://docker-images-prod." R2_ACCOUNT ".r2.cloudflarestorage.com/k", "r2",
       "docker-images-prod", ""},
      {"https://" R2_ACCOUNT ".r2.cloudflarestorage.com/bucket/k", "r2", "bucket", ""},
      {"https://" R2_ACCOUNT ".eu.r2.cloudflarestorage.com/bucket/k", "r2", "bucket", "eu"},
      {"https://bucket." R2_ACCOUNT ".us.r2.cloudflarestorage.com/k", "r2", "bucket", "us"},
      {"https://bucket." R2_ACCOUNT ".fedramp.r2.cloudflarestorage.com/k", "r2", "bucket",
       "fedramp"},
      {"https://pub-" R2_ACCOUNT ".r2.dev/k", "r2", "", ""},
      // R2 takes us-east-1 for auto.
      {"https://" R2_ACCOUNT ".r2.cloudflarestorage.com/bucket/k" SIGNED_FOR("us-east-1"), "r2",
       "bucket", ""},
      {"https://" R2_ACCOUNT "0.r2.cloudflarestorage.com/bucket/k", "", "", ""},
      {"https://" R2_ACCOUNT ".mars.r2.cloudflarestorage.com/bucket/k", "", "", ""},
      {"https://g" R2_ACCOUNT_TAIL ".r2.cloudflarestorage.com/bucket/k", "", "", ""},
      {"https://evil.r2.dev/k", "", "", ""},
      {"https://s3.us-west-004.backblazeb2.com/bucket/k", "backblaze-b2", "bucket", "us-west-004"},
      {"https://b.s3.us-west-004.backblazeb2.com/k", "backblaze-b2", "b", "us-west-004"},
      {"https://f004.backblazeb2.com/file/bucket/k", "backblaze-b2", "bucket", ""},
      {"https://f004.backblazeb2.com/b2api/v1/b2_download_file_by_id", "backblaze-b2", "", ""},
      {"https://f004.backblazeb2.com/file/short/k", "backblaze-b2", "", ""},
      {"https://evil.backblazeb2.com/file/bucket/k", "", "", ""},
      {"https://s3.eu-central-1.wasabisys.com/bucket/k", "wasabi", "bucket", "eu-central-1"},
      {"https://b.s3.eu-central-1.wasabisys.com/k", "wasabi", "b", "eu-central-1"},
      {"https://s3.wasabisys.com/bucket/k", "wasabi", "bucket", ""},
      {"https://b.s3.wasabisys.com/k", "wasabi", "b", ""},
      {"https://wasabisys.com/bucket/k", "", "", ""},
      {"https://nyc3.digitaloceanspaces.com/bucket/k", "digitalocean-spaces", "bucket", "nyc3"},
      {"https://b.nyc3.digitaloceanspaces.com/k", "digitalocean-spaces", "b", "nyc3"},
      {"https://evil.digitaloceanspaces.com/bucket/k", "", "", ""},
      {"https://nyc33.digitaloceanspaces.com/bucket/k", "", "", ""},
  };
  Check(kCases);
}

TEST(Classify, AnEdgeHasNeitherBucketNorRegion) {
  constexpr Case kCases[] = {
      {"https://b.nyc3.cdn.digitaloceanspaces.com/bucket/k" SIGNED_FOR("nyc3"),
       "digitalocean-spaces", "", ""},
      {"https://example.akamaized.net/bucket/k" SIGNED_FOR("us-east-1"), "akamai", "", ""},
      {"https://e1234.a.akamaiedge.net/k", "akamai", "", ""},
      {"https://example-a.akamaihd.net/k", "akamai", "", ""},
      {"https://a1.g.akamai.net/k", "akamai", "", ""},
      {"https://cdn.example.com.edgesuite.net/k", "akamai", "", ""},
      {"https://cdn.example.com.edgekey.net/k", "akamai", "", ""},
      {"https://dualstack.m.sni.global.fastly.net/k", "fastly", "", ""},
      {"https://example.map.fastly.net/k" SIGNED_FOR("us-east-1"), "fastly", "", ""},
      {"https://example.fastlylb.net/k", "fastly", "", ""},
      {"https://fastly.net/k", "", "", ""},
      {"https://evilfastly.net/k", "", "", ""},
      {"https://evil-akamai.net/k", "", "", ""},
      {"https://cdn.digitaloceanspaces.com/bucket/k", "", "", ""},
  };
  Check(kCases);
}

TEST(Classify, IsNotFooledByNamesThatOnlyLookAlike) {
  for (const std::string_view url : {"https://b.s3.us-east-1.amazonaws.com.evil.example/k",
                                     "https://evilamazonaws.com/b",
                                     "https://s3.evilamazonaws.com/bucket/k",
                                     "https://s3.us-east-1.evilamazonaws.com.cn/bucket/k",
                                     "https://s3.amazonaws.com@evil.example/bucket/k",
                                     "https://s3.amazonaws.com:443@evil.example/bucket/k",
                                     "https://evil.example/s3.amazonaws.com/bucket/k",
                                     "https://evil.example/?host=b.s3.us-east-1.amazonaws.com",
                                     "https://evil.example/k#b.s3.us-east-1.amazonaws.com",
                                     "https://b.s3.us-east-1.amazonaws.evil.com/",
                                     "https://xs3.amazonaws.com/bucket/k",
                                     "https://b.xs3.us-east-1.amazonaws.com/k",
                                     "https://s3x.us-east-1.amazonaws.com/bucket/k",
                                     "https://s3.us-east-1.amazonaws.com.cn.evil/bucket/k",
                                     "https://s3.us-east-1.amazonaws.com.eu/bucket/k",
                                     "https://s3.us-east-1.amazonaws.cn/bucket/k",
                                     "https://s3-us-east-1-amazonaws.com/bucket/k",
                                     "https://amazonaws.com/",
                                     "https://amazonaws.com.cn/",
                                     "https://com/",
                                     "https://s3/bucket/k",
                                     "https://us-east-1.amazonaws.com/",
                                     "https://ec2.us-east-1.amazonaws.com/",
                                     "https://s3.evil-region.amazonaws.com/bucket/k",
                                     "https://s3.evil-region-1x.amazonaws.com/bucket/k",
                                     "https://s3.evils-region-1.amazonaws.com/bucket/k",
                                     "https://s3.us-east-1.evil.amazonaws.com/bucket/k",
                                     "https://s3.us--1.amazonaws.com/bucket/k",
                                     "https://s3.us-1.amazonaws.com/bucket/k",
                                     "https://s3.us-very-far-east-1.amazonaws.com/bucket/k",
                                     "https://s3.us-east-123.amazonaws.com/bucket/k",
                                     "https://s3-website-us-east-1.amazonaws.com/bucket/k",
                                     "https://s3-website.us-east-1.amazonaws.com/bucket/k",
                                     "https://s3-accelerate.amazonaws.com/bucket/k",
                                     "https://s3-accesspoint.us-east-1.amazonaws.com/bucket/k",
                                     "https://accesspoint.s3-global.amazonaws.com/bucket/k",
                                     "https://s3express-use1-az4.us-east-1.amazonaws.com/bucket/k",
                                     "https://b.s3express-control.us-east-1.amazonaws.com/k",
                                     "https://s3-r-w.us-east-1.amazonaws.com/bucket/k",
                                     "https://notdual.dualstack.amazonaws.com/b",
                                     "https://10.0.0.1/bucket/k",
                                     "https://10.0.0.1:9000/bucket/k",
                                     "https://[2001:db8::1]/bucket/k",
                                     "https://localhost:5000/bucket/k",
                                     "https://minio.corp:9000/bucket/k"}) {
    if (const auto parsed = Url::Parse(url)) {
      EXPECT_EQ(Classify(*parsed), EndpointInfo{}) << url;
    } else {
      ADD_FAILURE() << url << ": " << parsed.error().message;
    }
  }
}

TEST(Classify, ABucketInAPathIsOneThatItsProviderWouldAllow) {
  for (const std::string& path :
       {std::string("%62ucket/k"), std::string("%FF%FF%FF/k"), std::string("buc%2Fket/k"),
        std::string("a%20b/k"), std::string(64, 'b') + "/k", std::string("bb/k"),
        std::string("/bucket/k"), std::string(), std::string("-bucket/k"), std::string("bucket-/k"),
        std::string("buc..ket/k"), std::string("192.168.0.1/k"), std::string("sha256:abc/k"),
        std::string("buc\xc3\xa9ket/k"), std::string("bucket;x/k"), std::string("<script>/k"),
        std::string("?bucket/k")}) {
    const auto url = Url::Parse("https://s3.us-east-1.amazonaws.com/" + path);
    ASSERT_TRUE(url) << path;
    const EndpointInfo info = Classify(*url);
    EXPECT_EQ(info.provider, "s3") << path;
    EXPECT_EQ(info.bucket, "") << path;
  }
}

// Whatever is made of an encoded dot segment, it is made of what is sent too.
TEST(Classify, DotSegmentsAreNoBucket) {
  constexpr Case kCases[] = {
      {"https://s3.us-east-1.amazonaws.com/../bucket/k", "s3", "bucket", "us-east-1"},
      {"https://s3.us-east-1.amazonaws.com/other/../bucket/k", "s3", "bucket", "us-east-1"},
  };
  Check(kCases);
  for (const std::string_view dots : {"/%2e%2e/", "/%2E%2E/", "/%2e/", "/.%2e/"}) {
    const Url url = *Url::Parse("https://s3.us-east-1.amazonaws.com" + std::string(dots));
    EXPECT_EQ(Classify(url).bucket, "") << dots;
  }
}

TEST(Classify, ASignatureTellsTheRegionWhereTheNameDoesNot) {
  constexpr Case kCases[] = {
      {"https://cdn.example.com/k" SIGNED_FOR("eu-west-1"), "", "", "eu-west-1"},
      {"https://minio.corp:9000/bucket/k" SIGNED_FOR("dc-1"), "", "", "dc-1"},
      {"https://10.0.0.1/bucket/k" SIGNED_FOR("eu-west-1"), "", "", "eu-west-1"},
      {"https://s3.amazonaws.com/bucket/k" SIGNED_FOR("eu-west-1"), "s3", "bucket", "eu-west-1"},
      {"https://b.s3.amazonaws.com/k" SIGNED_FOR("eu-west-1"), "s3", "b", "eu-west-1"},
      {"https://b.s3-accelerate.amazonaws.com/k" SIGNED_FOR("eu-west-1"), "s3", "b", "eu-west-1"},
      {"https://b.s3-accelerate.dualstack.amazonaws.com/k" SIGNED_FOR("eu-west-1"), "s3", "b",
       "eu-west-1"},
      // The name knows better.
      {"https://b.s3.us-east-1.amazonaws.com/k" SIGNED_FOR("eu-west-1"), "s3", "b", "us-east-1"},
      {"https://m.mrap.accesspoint.s3-global.amazonaws.com/k" SIGNED_FOR("eu-west-1"), "s3",
       "m.mrap", ""},
      // A liar is believed no provider.
      {"https://b.s3.us-east-1.amazonaws.com.evil.example/k" SIGNED_FOR("eu-west-1"), "", "",
       "eu-west-1"},
      {"https://evil.example/k" SIGNED_FOR("auto"), "", "", ""},
  };
  Check(kCases);
}

TEST(Classify, OfANameAloneTellsNeitherAPathsBucketNorASignaturesRegion) {
  const struct {
    std::string_view host;
    EndpointInfo info;
  } kCases[] = {
      {"b.s3.us-east-1.amazonaws.com", {"s3", "b", "us-east-1", ""}},
      {"s3.us-east-1.amazonaws.com:8443", {"s3", "", "us-east-1", ""}},
      {"s3.amazonaws.com", {"s3", "", "", ""}},
      {"123456789012.dkr.ecr.us-east-1.amazonaws.com", {"ecr", "", "us-east-1", ""}},
      {"storage.googleapis.com", {"gcs", "", "", ""}},
      {"account.blob.core.windows.net", {"azure-blob", "", "", ""}},
      {"f004.backblazeb2.com", {"backblaze-b2", "", "", ""}},
      {"us-docker.pkg.dev", {"artifact-registry", "", "us", ""}},
      {"registry.example.com", {}},
      {"10.0.0.1:5000", {}},
      {"[::1]:5000", {}},
  };
  for (const auto& c : kCases) EXPECT_EQ(ClassifyHost(*Host::Parse(c.host)), c.info) << c.host;
}

}  // namespace
}  // namespace registry_backend
