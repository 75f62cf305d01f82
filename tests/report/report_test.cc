#include "exporter/report/report.h"
#include "exporter/report/text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/report/example_scans.h"

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;
std::string TextOf(const ScanResult& result, JsonWriter::Layout layout,
                   const ReportSubject& subject = Subject()) {
  std::string text;
  JsonWriter writer(layout, [&text](std::string_view piece) { text += piece; });
  WriteReport(subject, result, writer);
  writer.EndDocument();
  return text;
}

Json ReportOf(const ScanResult& result) {
  return Json::parse(TextOf(result, JsonWriter::Layout::kOneLine));
}

// The text is compared, not the value: the order of keys is part of it.
TEST(Report, OfACompleteScanIsExactlyThis) {
  EXPECT_EQ(TextOf(CompleteScan(), JsonWriter::Layout::kIndented), R"({
  "format_version": 1,
  "repository": "team/app",
  "registry": "https://registry.example:5000",
  "discovery_timestamp": "2025-06-06 20:09:12 UTC",
  "started_at": "2025-06-06T20:08:20.000Z",
  "finished_at": "2025-06-06T20:09:12.250Z",
  "outcome": "complete",
  "coverage": {
    "tags": 2,
    "manifests": 4,
    "blobs": 7,
    "unresolved": 0,
    "unpullable": 0
  },
  "errors": [],
  "unpullable": [],
  "tag_order": [
    "v2",
    "v1"
  ],
  "tags": {
    "v2": {
      "manifest_info": {
        "found": true,
        "type": "application/vnd.oci.image.index.v1+json",
        "digest": "sha256:index",
        "size": 500
      },
      "platforms": [
        {
          "platform": "linux/amd64",
          "manifest_digest": "sha256:amd64",
          "size": 333,
          "digest": "sha256:amd64",
          "layer_count": 2
        },
        {
          "platform": "linux/arm64/v8",
          "manifest_digest": "sha256:arm64",
          "size": 334,
          "digest": "sha256:arm64",
          "layer_count": 2
        }
      ],
      "layers": [
        {
          "digest": "sha256:shared",
          "platform": "linux/amd64",
          "s3_endpoint": "b.s3.us-east-1.amazonaws.com",
          "endpoint": "b.s3.us-east-1.amazonaws.com"
        },
        {
          "digest": "sha256:l1",
          "platform": "linux/amd64",
          "s3_endpoint": "b.s3.us-east-1.amazonaws.com",
          "endpoint": "b.s3.us-east-1.amazonaws.com"
        },
        {
          "digest": "sha256:shared",
          "platform": "linux/arm64/v8",
          "s3_endpoint": "b.s3.us-east-1.amazonaws.com",
          "endpoint": "b.s3.us-east-1.amazonaws.com"
        },
        {
          "digest": "sha256:l2",
          "platform": "linux/arm64/v8",
          "s3_endpoint": "b.s3.us-east-1.amazonaws.com",
          "endpoint": "b.s3.us-east-1.amazonaws.com"
        }
      ],
      "s3_endpoints": [
        "b.s3.us-east-1.amazonaws.com"
      ],
      "endpoints": [
        "b.s3.us-east-1.amazonaws.com"
      ]
    },
    "v1": {
      "manifest_info": {
        "found": true,
        "type": "application/vnd.oci.image.manifest.v1+json",
        "digest": "sha256:bare",
        "size": 222
      },
      "platforms": [
        {
          "platform": "unknown",
          "manifest_digest": "sha256:bare",
          "size": 222,
          "digest": "sha256:bare",
          "layer_count": 1
        }
      ],
      "layers": [
        {
          "digest": "sha256:l3",
          "platform": "unknown",
          "s3_endpoint": null,
          "endpoint": "cdn.example"
        }
      ],
      "s3_endpoints": [],
      "endpoints": [
        "cdn.example"
      ]
    }
  },
  "endpoints": [
    {
      "serves": "api",
      "backend_host": "registry.example:5000",
      "provider": "",
      "bucket": "",
      "storage_region": "",
      "delivery": "direct",
      "blobs": 0
    },
    {
      "serves": "blobs",
      "backend_host": "b.s3.us-east-1.amazonaws.com",
      "provider": "s3",
      "bucket": "b",
      "storage_region": "us-east-1",
      "delivery": "redirect",
      "blobs": 5
    },
    {
      "serves": "blobs",
      "backend_host": "cdn.example",
      "provider": "",
      "bucket": "",
      "storage_region": "",
      "delivery": "redirect",
      "blobs": 2
    }
  ],
  "summary": {
    "s3_endpoint_count": 1,
    "s3_endpoints": [
      "b.s3.us-east-1.amazonaws.com"
    ],
    "endpoint_count": 2,
    "endpoints": [
      "b.s3.us-east-1.amazonaws.com",
      "cdn.example"
    ]
  }
}
)");
}

TEST(Report, OfAPartialScanSaysWhatIsNotKnown) {
  const Json report = ReportOf(PartialScan());
  EXPECT_EQ(report["outcome"], "partial");
  EXPECT_EQ(report["coverage"].dump(),
            R"({"tags":2,"manifests":4,"blobs":7,"unresolved":3,"unpullable":0})");
  EXPECT_EQ(
      report["errors"].dump(),
      R"([{"scope":"tag","tag":"v1","reason":"timeout","message":"tag v1 took too long"},)"
      R"({"scope":"manifest","digest":"sha256:arm64","reason":"digest","message":"it lies"},)"
      R"({"scope":"blob","digest":"sha256:l1","reason":"timeout","message":"blob took too long"}])");
  EXPECT_EQ(report["tag_order"].dump(), R"(["v2","v1"])");
  EXPECT_EQ(report["tags"]["v1"].dump(),
            R"({"manifest_info":{"found":false},"platforms":[],"layers":[],"s3_endpoints":[],)"
            R"("endpoints":[]})");
  EXPECT_EQ(report["tags"]["v2"]["platforms"].size(), 1U) << "of the one manifest that was read";
  EXPECT_EQ(
      report["tags"]["v2"]["layers"].dump(),
      R"([{"digest":"sha256:shared","platform":"linux/amd64",)"
      R"("s3_endpoint":"b.s3.us-east-1.amazonaws.com","endpoint":"b.s3.us-east-1.amazonaws.com"},)"
      R"({"digest":"sha256:l1","platform":"linux/amd64","s3_endpoint":null,"endpoint":null}])");
}

TEST(Report, AConfigsHostCountsAsWell) {
  ScanResult result = CompleteScan();
  result.blobs["sha256:c1"] = 1;
  EXPECT_EQ(ReportOf(result)["tags"]["v2"]["endpoints"].dump(),
            R"(["b.s3.us-east-1.amazonaws.com","cdn.example"])");
}

TEST(Report, OfAFailedScanHoldsNothingThatLooksLikeARegistryWithoutEndpoints) {
  const Json report = ReportOf(FailedScan(ErrorKind::kAuth));
  EXPECT_EQ(
      report.dump(),
      R"({"error":"Authentication failed","message":"what happened","format_version":1,)"
      R"("repository":"team/app","registry":"https://registry.example:5000",)"
      R"("discovery_timestamp":"2025-06-06 20:09:12 UTC","started_at":"2025-06-06T20:08:20.000Z",)"
      R"("finished_at":"2025-06-06T20:09:12.250Z","outcome":"failed",)"
      R"("coverage":{"tags":0,"manifests":0,"blobs":0,"unresolved":0,"unpullable":0},)"
      R"("errors":[{"scope":"target","reason":"auth","message":"what happened"}],"unpullable":[]})");
}

TEST(Report, NamesWhatFailed) {
  const struct {
    ErrorKind kind;
    std::string_view title;
  } kCases[] = {
      {ErrorKind::kAuth, "Authentication failed"},
      {ErrorKind::kCredentials, "Credentials could not be read"},
      {ErrorKind::kRateLimited, "Rate limited"},
      {ErrorKind::kTimeout, "Timed out"},
      {ErrorKind::kDns, "Name resolution failed"},
      {ErrorKind::kConnect, "Connection failed"},
      {ErrorKind::kTls, "TLS failed"},
      {ErrorKind::kHttp, "Scan failed"},
      {ErrorKind::kProtocol, "Scan failed"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ReportOf(FailedScan(c.kind))["error"], c.title);
  }
  ScanResult nothing = FailedScan(ErrorKind::kAuth);
  nothing.errors.clear();
  nothing.reasons.clear();
  EXPECT_EQ(ReportOf(nothing)["error"], "Scan failed");
  EXPECT_EQ(ReportOf(nothing)["message"], "the scan resolved nothing");
}

TEST(Report, TagsAreNewestFirstWhateverTheirNames) {
  ScanResult result = CompleteScan();
  result.tags.clear();
  for (const std::string_view name : {"v10", "v9", "latest", "a", "v1"}) {
    result.tags.push_back({name, "sha256:bare"});
  }
  const Json report = ReportOf(result);
  EXPECT_EQ(report["tag_order"].dump(), R"(["v10","v9","latest","a","v1"])");
  std::vector<std::string> keys;
  for (const auto& [name, unused] : report["tags"].items()) keys.push_back(name);
  EXPECT_EQ(keys, (std::vector<std::string>{"v10", "v9", "latest", "a", "v1"}));
}

TEST(Report, InOneLineIsTheSame) {
  const std::string text = TextOf(PartialScan(), JsonWriter::Layout::kOneLine);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_EQ(Json::parse(text).dump(2) + "\n", TextOf(PartialScan(), JsonWriter::Layout::kIndented));
}

TEST(Report, AllHostsOnTheWayToABlobAreTheTags) {
  ScanResult result = CompleteScan();
  result.routes.push_back({*Host::Parse("behind.example"), Cdn()});
  result.blobs["sha256:l3"] = 2;
  const Json tag = ReportOf(result)["tags"]["v1"];
  EXPECT_EQ(tag["layers"][0]["endpoint"], "cdn.example");
  EXPECT_EQ(tag["endpoints"].dump(), R"(["behind.example","cdn.example"])");
}

TEST(Report, WhatManyTagsMakeOfOneLargeManifestIsLeftOut) {
  ScanResult result = CompleteScan();
  std::vector<std::string_view>& layers = result.manifests.at("sha256:bare").layers;
  layers.assign(1000, "sha256:l3");
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("t" + std::to_string(i));
  result.tags.clear();
  for (const std::string& name : names) result.tags.push_back({name, "sha256:bare"});
  result.tags.push_back({"last", "sha256:bare"});
  std::string text;
  std::size_t longest = 0;
  JsonWriter writer(JsonWriter::Layout::kOneLine, [&](std::string_view piece) {
    text += piece;
    longest = std::max(longest, piece.size());
  });
  WriteReport(Subject(), result, writer);
  writer.EndDocument();
  EXPECT_LT(text.size(), 100'000'000U);
  EXPECT_LT(longest, 200'000U) << "it is written piece by piece";
  const auto of_tag = [&text](const std::string& name) {
    const std::size_t at = text.find("\"" + name + "\":{");
    return text.substr(at, text.find("}", text.find("\"endpoints\":", at)) - at);
  };
  EXPECT_EQ(of_tag("t400").find("left_out"), std::string::npos);
  EXPECT_GT(of_tag("t400").size(), 50'000U);
  const std::string left_out = of_tag("last");
  EXPECT_NE(left_out.find(R"("digest":"sha256:bare")"), std::string::npos) << left_out;
  EXPECT_TRUE(left_out.ends_with(
      R"("platforms":[],"layers":[],"s3_endpoints":[],"endpoints":[],"left_out":true)"))
      << left_out;
}

TEST(Report, AHostIsS3ByWhatTheScanFoundNotByItsName) {
  ScanResult result = CompleteScan();
  result.endpoints.at({Serves::kBlobs, S3()}).info.provider = "";
  result.endpoints.at({Serves::kBlobs, Cdn()}).info.provider = "s3";
  const Json report = ReportOf(result);
  EXPECT_EQ(report["summary"]["s3_endpoints"].dump(), R"(["cdn.example"])");
  EXPECT_TRUE(report["tags"]["v2"]["layers"][0]["s3_endpoint"].is_null());
  EXPECT_EQ(report["tags"]["v1"]["layers"][0]["s3_endpoint"], "cdn.example");
}

TEST(Report, AnIndexThatRepeatsItselfIsListedOnce) {
  ScanResult result = CompleteScan();
  std::vector<ScannedPlatform>& children = result.manifests.at("sha256:index").manifests;
  children.clear();
  for (int i = 0; i < 1000; ++i) {
    children.push_back({"linux/amd64", "sha256:amd64"});
    children.push_back({"linux/amd64", "sha256:index"});
  }
  const Json report = ReportOf(result);
  EXPECT_EQ(report["tags"]["v2"]["platforms"].size(), 1U);
  EXPECT_EQ(report["tags"]["v2"]["layers"].size(), 2U);
  EXPECT_LT(report.dump().size(), 5000U);
}

TEST(Report, ListsWhatIsUnpullable) {
  ScanResult result = CompleteScan();
  result.AddUnpullable(
      {ScanError::Scope::kTag, "v0", "", {ErrorKind::kProtocol, "it is of schema 1"}});
  result.AddUnpullable(
      {ScanError::Scope::kBlob, "", "sha256:l9", {ErrorKind::kHttp, "status 404"}});
  const Json report = ReportOf(result);
  EXPECT_EQ(report["outcome"], "complete");
  EXPECT_EQ(report["errors"].dump(), "[]");
  EXPECT_EQ(report["unpullable"].dump(),
            R"([{"scope":"tag","tag":"v0","reason":"protocol","message":"it is of schema 1"},)"
            R"({"scope":"blob","digest":"sha256:l9","reason":"http","message":"status 404"}])");
  EXPECT_EQ(report["coverage"].dump(),
            R"({"tags":2,"manifests":4,"blobs":7,"unresolved":0,"unpullable":2})");
}

TEST(Report, AttestationsAndArtifactsAreNoPlatformsButTheirLayersCount) {
  ScanResult result = CompleteScan();
  result.manifests.at("sha256:index").manifests = {{"linux/amd64", "sha256:amd64"},
                                                   {"unknown/unknown", "sha256:arm64"}};
  result.manifests.at("sha256:bare").is_artifact = true;
  const Json report = ReportOf(result);
  const Json& index = report["tags"]["v2"];
  ASSERT_EQ(index["platforms"].size(), 1U);
  EXPECT_EQ(index["platforms"][0]["platform"], "linux/amd64");
  ASSERT_EQ(index["layers"].size(), 4U);
  EXPECT_EQ(index["layers"][3]["platform"], "unknown/unknown");
  EXPECT_EQ(index["layers"][3]["digest"], "sha256:l2");
  const Json& artifact = report["tags"]["v1"];
  EXPECT_EQ(artifact["platforms"].dump(), "[]");
  EXPECT_EQ(artifact["layers"].size(), 1U);
  EXPECT_EQ(artifact["endpoints"].dump(), R"(["cdn.example"])");
}

TEST(Report, ShowsNoUserNameOfTheRegistry) {
  const ReportSubject subject{*Url::Parse("https://u:SECRET@registry.example/v2/?t=SECRET"), "a"};
  EXPECT_EQ(Json::parse(TextOf(CompleteScan(), JsonWriter::Layout::kOneLine, subject))["registry"],
            "https://registry.example");
  EXPECT_EQ(MakeSummary(subject, CompleteScan()).find("SECRET"), std::string::npos);
}

}  // namespace
}  // namespace registry_backend
