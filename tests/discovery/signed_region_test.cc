#include "exporter/discovery/signed_region.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

TEST(SignedRegion, IsThatOfTheCredential) {
  for (const std::string_view query : {
           "X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request",
           "X-Amz-Credential=AKID%2F20260131%2Feu-west-1%2Fs3%2Faws4_request",
           "X-Amz-Credential=AKID%2f20260131%2feu%2Dwest-1%2fs3%2faws4_request",
           "X-Amz-Date=x&X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request&X-Amz-Signature=",
           "&&=&X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request&",
           "X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request"
           "&X-Amz-Credential=AKID%2F20260131%2Feu-west-1%2Fs3%2Faws4_request",
       }) {
    EXPECT_EQ(SignedRegion(query), "eu-west-1") << query;
  }
}

TEST(SignedRegion, IsEmptyWhereTheCredentialIsNone) {
  for (const std::string_view query : {
           "",
           "X-Amz-Credential",
           "X-Amz-Credential=",
           "X-Amz-Credential=eu-west-1",
           "X-Amz-Credential=AKID/20260131/s3/aws4_request",
           "X-Amz-Credential=A/KID/20260131/eu-west-1/s3/aws4_request",
           "X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request/",
           "X-Amz-Credential=/20260131/eu-west-1/s3/aws4_request",
           "X-Amz-Credential=AKID/2026013/eu-west-1/s3/aws4_request",
           "X-Amz-Credential=AKID/2026013x/eu-west-1/s3/aws4_request",
           "X-Amz-Credential=AKID/202601310/eu-west-1/s3/aws4_request",
           "X-Amz-Credential=AKID/20260131/eu-west-1/sts/aws4_request",
           "X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_requests",
           "X-Amz-Credential=AKID/20260131/eu-west-1/s3/AWS4_REQUEST",
           "X-Amz-Credential=AKID%252F20260131%252Feu-west-1%252Fs3%252Faws4_request",
           "X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request%",
           "X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request%2",
           "X-Amz-Credential=AKID%2G/20260131/eu-west-1/s3/aws4_request",
           "X-Amz-Credential=AKID%-1/20260131/eu-west-1/s3/aws4_request",
           "x-amz-credential=AKID/20260131/eu-west-1/s3/aws4_request",
           "X-Amz-Credential2=AKID/20260131/eu-west-1/s3/aws4_request",
           "XX-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request",
           "X%2DAmz-Credential=AKID/20260131/eu-west-1/s3/aws4_request",
           "next=X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request",
           "X-Goog-Credential=AKID/20260131/eu-west-1/s3/aws4_request",
       }) {
    EXPECT_EQ(SignedRegion(query), "") << query;
  }
}

TEST(SignedRegion, IsARegionsNameAndNoSecret) {
  const auto signed_for = [](std::string_view region) {
    return SignedRegion("X-Amz-Credential=AKID/20260131/" + std::string(region) +
                        "/s3/aws4_request");
  };
  EXPECT_EQ(signed_for("dc"), "dc");
  EXPECT_EQ(signed_for(std::string(32, 'r')), std::string(32, 'r'));
  for (const std::string& region :
       {std::string(), std::string("r"), std::string(33, 'r'), std::string("auto"),
        std::string("EU-WEST-1"), std::string("eu_west_1"), std::string("eu.west.1"),
        std::string("eu%20west"), std::string("eu%00west"), std::string("eu%0Awest"),
        std::string("eu%22west"), std::string("eu+west")}) {
    EXPECT_EQ(signed_for(region), "") << region;
  }
}

TEST(SignedRegion, IsEmptyWhereTheCredentialsDiffer) {
  constexpr std::string_view kCredential =
      "X-Amz-Credential=AKID/20260131/eu-west-1/s3/aws4_request";
  for (const std::string_view other :
       {"X-Amz-Credential=AKID/20260131/us-east-1/s3/aws4_request",
        "X-Amz-Credential=OTHER/20260131/eu-west-1/s3/aws4_request", "X-Amz-Credential",
        "X-Amz-Credential=", "X-Amz-Credential=%"}) {
    EXPECT_EQ(SignedRegion(std::string(kCredential) + "&" + std::string(other)), "") << other;
    EXPECT_EQ(SignedRegion(std::string(other) + "&" + std::string(kCredential)), "") << other;
  }
}

}  // namespace
}  // namespace registry_backend
