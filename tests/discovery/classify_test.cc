#include "exporter/discovery/classify.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

TEST(Classify, KnowsS3InAllItsForms) {
  const struct {
    std::string_view url;
    std::string_view bucket;
    std::string_view region;
  } kCases[] = {
      {"https://prod-us-east-1-starport-layer-bucket.s3.dualstack.us-east-1.amazonaws.com/x",
       "prod-us-east-1-starport-layer-bucket", "us-east-1"},
      {"https://b.s3.us-west-2.amazonaws.com/k", "b", "us-west-2"},
      {"https://dotted.bucket.s3.eu-central-1.amazonaws.com/k", "dotted.bucket", "eu-central-1"},
      {"https://b.s3-fips.us-gov-west-1.amazonaws.com/k", "b", "us-gov-west-1"},
      {"https://b.s3-fips.dualstack.us-east-1.amazonaws.com/k", "b", "us-east-1"},
      {"https://b.s3-eu-west-1.amazonaws.com/k", "b", "eu-west-1"},
      {"https://b.s3.amazonaws.com/k", "b", ""},
      {"https://s3.us-west-2.amazonaws.com/b/k", "b", "us-west-2"},
      {"https://s3.dualstack.us-west-2.amazonaws.com/b/k", "b", "us-west-2"},
      {"https://s3-us-west-2.amazonaws.com/b/k", "b", "us-west-2"},
      {"https://s3.amazonaws.com/b/k", "b", ""},
      {"https://b.s3-accelerate.amazonaws.com/k", "b", ""},
      {"https://b.s3-accelerate.dualstack.amazonaws.com/k", "b", ""},
      {"http://b.s3-website-us-east-1.amazonaws.com/", "b", "us-east-1"},
      {"http://b.s3-website.eu-central-1.amazonaws.com/", "b", "eu-central-1"},
      {"https://b.s3.cn-north-1.amazonaws.com.cn/k", "b", "cn-north-1"},
      {"https://ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com/k", "ap-123456789012",
       "us-east-1"},
      {"https://b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/k",
       "b--use1-az4--x-s3", "us-east-1"},
      {"https://s3.b.s3.us-west-2.amazonaws.com/k", "s3.b", "us-west-2"},
  };
  for (const auto& c : kCases) {
    const EndpointInfo info = Classify(*Url::Parse(c.url));
    EXPECT_EQ(info.provider, "s3") << c.url;
    EXPECT_EQ(info.bucket, c.bucket) << c.url;
    EXPECT_EQ(info.storage_region, c.region) << c.url;
  }
}

TEST(Classify, IsNotFooledByNamesThatOnlyLookAlike) {
  for (const std::string_view url :
       {"https://b.s3.us-east-1.amazonaws.com.evil.example/k", "https://evilamazonaws.com/b",
        "https://s3.amazonaws.com@evil.example/b", "https://b.s3.us-east-1.amazonaws.evil.com/",
        "https://amazonaws.com/", "https://ec2.us-east-1.amazonaws.com/",
        "https://us-east-1.amazonaws.com/",
        "https://123456789012.dkr.ecr.us-east-1.amazonaws.com/v2/", "https://10.0.0.1/b",
        "https://cdn.example.com/s3.amazonaws.com/b", "https://s3-r-w.us-east-1.amazonaws.com/b",
        "https://notdual.dualstack.amazonaws.com/b"}) {
    EXPECT_EQ(Classify(*Url::Parse(url)), EndpointInfo{}) << url;
  }
}

TEST(Classify, ABucketInAPathIsOneThatS3WouldAllow) {
  for (const std::string& path : {std::string("%FF"), std::string(64, 'b'), std::string("a%20b")}) {
    EXPECT_EQ(Classify(*Url::Parse("https://s3.us-east-1.amazonaws.com/" + path + "/k")).bucket,
              "");
  }
}

}  // namespace
}  // namespace registry_backend
