#include "exporter/report/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/report/example_scans.h"

namespace registry_backend {
namespace {

using ::testing::HasSubstr;

std::string Detailed(const ScanResult& result) {
  std::string text;
  WriteDetailed(Subject(), result, [&text](std::string_view piece) { text += piece; });
  return text;
}

TEST(Summary, OfACompleteScan) {
  EXPECT_EQ(MakeSummary(Subject(), CompleteScan()),
            "registry.example:5000/team/app: complete in 52.2s\n"
            "  2 tags, 4 manifests, 7 blobs\n"
            "  api       registry.example:5000\n"
            "  blobs     b.s3.us-east-1.amazonaws.com  5 blobs  s3  us-east-1\n"
            "  blobs     cdn.example  2 blobs\n");
}

TEST(Summary, OfAPartialScan) {
  EXPECT_EQ(MakeSummary(Subject(), PartialScan()),
            "registry.example:5000/team/app: partial in 52.2s\n"
            "  tag v1 took too long\n"
            "  2 tags (1 unresolved), 4 manifests (1 unresolved), 7 blobs (1 unresolved)\n"
            "  api       registry.example:5000\n"
            "  blobs     b.s3.us-east-1.amazonaws.com  5 blobs  s3  us-east-1\n"
            "  blobs     cdn.example  2 blobs\n");
}

TEST(Summary, SaysThatABlobOnItsWayOverSeveralHostsCountsAtEach) {
  ScanResult result = CompleteScan();
  result.routes[1] = {S3(), Cdn()};
  result.endpoints.at({Serves::kBlobs, S3()}).blobs = 7;
  const std::string summary = MakeSummary(Subject(), result);
  EXPECT_TRUE(
      summary.ends_with("  blobs     b.s3.us-east-1.amazonaws.com  7 blobs  s3  us-east-1\n"
                        "  blobs     cdn.example  2 blobs\n"
                        "  (a blob that comes by way of several hosts counts at each of them)\n"))
      << summary;
}

TEST(Summary, CountsWhatIsUnpullable) {
  ScanResult result = PartialScan();
  result.unpullable = {1, 0, 3};
  result.unresolved = {1, 2, 0};
  EXPECT_NE(MakeSummary(Subject(), result)
                .find("\n  2 tags (1 unresolved, 1 unpullable), 4 manifests (2 unresolved), "
                      "7 blobs (3 unpullable)\n"),
            std::string::npos)
      << MakeSummary(Subject(), result);
}

TEST(Summary, OfAFailedScan) {
  EXPECT_EQ(MakeSummary(Subject(), FailedScan(ErrorKind::kDns)),
            "registry.example:5000/team/app: failed in 250ms\n"
            "  what happened\n");
}

TEST(Detailed, OfACompleteScan) {
  EXPECT_EQ(Detailed(CompleteScan()),
            MakeSummary(Subject(), CompleteScan()) +
                "\n"
                "  v2: sha256:index, application/vnd.oci.image.index.v1+json, 500 bytes\n"
                "    linux/amd64       2 layers  sha256:amd64\n"
                "    linux/arm64/v8    2 layers  sha256:arm64\n"
                "    needs b.s3.us-east-1.amazonaws.com  5 blobs\n"
                "\n"
                "  v1: sha256:bare, application/vnd.oci.image.manifest.v1+json, 222 bytes\n"
                "    unknown     1 layer  sha256:bare\n"
                "    needs cdn.example  2 blobs\n");
}

TEST(Detailed, SaysWhatHasNoAnswerAndWhatIsUnpullable) {
  ScanResult result = PartialScan();
  result.AddUnpullable(
      {ScanError::Scope::kTag, "v0", "", {ErrorKind::kProtocol, "it is of schema 1"}});
  const std::string text = Detailed(result);
  EXPECT_THAT(text, HasSubstr("\n  v1: not found\n"));
  EXPECT_THAT(text, HasSubstr("    linux/amd64    2 layers  sha256:amd64\n"
                              "    needs b.s3.us-east-1.amazonaws.com  2 blobs\n"));
  EXPECT_TRUE(
      text.ends_with("\n  unresolved:\n"
                     "    tag v1: tag v1 took too long\n"
                     "    manifest sha256:arm64: it lies\n"
                     "    blob sha256:l1: blob took too long\n"
                     "\n  unpullable:\n"
                     "    tag v0: it is of schema 1\n"))
      << text;
}

TEST(Detailed, OfAFailedScanListsNoTag) {
  ScanResult result = FailedScan(ErrorKind::kDns);
  result.tags = {{"v1", ""}};
  EXPECT_EQ(Detailed(result),
            MakeSummary(Subject(), result) + "\n  unresolved:\n    target: what happened\n");
}

TEST(Detailed, ABlobOnItsWayOverSeveralHostsNeedsThemAll) {
  ScanResult result = CompleteScan();
  result.routes[1] = {S3(), Cdn()};
  EXPECT_THAT(Detailed(result), HasSubstr("    needs b.s3.us-east-1.amazonaws.com  2 blobs\n"
                                          "    needs cdn.example  2 blobs\n"));
}

TEST(Detailed, WhatManyTagsMakeOfOneLargeManifestIsLeftOut) {
  ScanResult result = CompleteScan();
  std::vector<std::string_view>& layers = result.manifests.at("sha256:bare").layers;
  layers.assign(kMaxReportRows / 2, "sha256:l3");
  result.tags = {{"v3", "sha256:bare"}, {"v2", "sha256:bare"}};
  const std::string text = Detailed(result);
  EXPECT_THAT(text, HasSubstr("250000 layers"));
  EXPECT_THAT(text, HasSubstr("  v2: sha256:bare"));
  EXPECT_THAT(text, HasSubstr("    left out: the report would be too long\n"));
}

}  // namespace
}  // namespace registry_backend
