#pragma once

#include <chrono>
#include <string_view>

#include "exporter/discovery/scan_result.h"
#include "exporter/report/report.h"

// Scans to make reports of.
namespace registry_backend {

inline constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kImageType = "application/vnd.oci.image.manifest.v1+json";
inline const WallTime kStart = WallTime(std::chrono::seconds(1'749'240'500));
inline const WallTime kEnd =
    WallTime(std::chrono::seconds(1'749'240'552)) + std::chrono::milliseconds(250);

inline ReportSubject Subject() {
  return {*Url::Parse("https://registry.example:5000"), "team/app"};
}

inline Host S3() { return *Host::Parse("b.s3.us-east-1.amazonaws.com"); }
inline Host Cdn() { return *Host::Parse("cdn.example"); }

// Two tags: `v2`, an index of two platforms on S3 that share a layer, and `v1`, a bare manifest
// whose one layer is on a host of no known provider.
inline ScanResult CompleteScan() {
  ScanResult result;
  result.outcome = ScanOutcome::kComplete;
  result.started = kStart;
  result.finished = kEnd;
  result.took = std::chrono::milliseconds(52'250);
  result.asked = {2, 4, 7};
  result.tags = {{"v2", "sha256:index"}, {"v1", "sha256:bare"}};
  result.manifests = {
      {"sha256:index",
       {kIndexType,
        500,
        true,
        false,
        {{"linux/amd64", "sha256:amd64"}, {"linux/arm64/v8", "sha256:arm64"}},
        "",
        {}}},
      {"sha256:amd64",
       {kImageType, 333, false, false, {}, "sha256:c1", {"sha256:shared", "sha256:l1"}}},
      {"sha256:arm64",
       {kImageType, 334, false, false, {}, "sha256:c2", {"sha256:shared", "sha256:l2"}}},
      {"sha256:bare", {kImageType, 222, false, false, {}, "sha256:c3", {"sha256:l3"}}}};
  result.routes = {{S3()}, {Cdn()}};
  result.blobs = {{"sha256:c1", 0}, {"sha256:c2", 0}, {"sha256:c3", 1},    {"sha256:l1", 0},
                  {"sha256:l2", 0}, {"sha256:l3", 1}, {"sha256:shared", 0}};
  result.endpoints = {
      {{Serves::kApi, *Host::Parse("registry.example:5000")}, {{"", "", "", "direct"}, 0}},
      {{Serves::kBlobs, S3()}, {{"s3", "b", "us-east-1", "redirect"}, 5}},
      {{Serves::kBlobs, Cdn()}, {{"", "", "", "redirect"}, 2}}};
  return result;
}

inline ScanResult PartialScan() {
  ScanResult result = CompleteScan();
  result.outcome = ScanOutcome::kPartial;
  result.unresolved = {1, 1, 1};
  result.tags[1].digest = "";
  result.manifests.erase("sha256:arm64");
  result.blobs.erase("sha256:l1");
  result.AddError(
      {ScanError::Scope::kTag, "v1", "", {ErrorKind::kTimeout, "tag v1 took too long"}});
  result.AddError(
      {ScanError::Scope::kManifest, "", "sha256:arm64", {ErrorKind::kDigest, "it lies"}});
  result.AddError(
      {ScanError::Scope::kBlob, "", "sha256:l1", {ErrorKind::kTimeout, "blob took too long"}});
  return result;
}

inline ScanResult FailedScan(ErrorKind kind) {
  ScanResult result;
  result.started = kStart;
  result.finished = kEnd;
  result.took = std::chrono::milliseconds(250);
  result.AddError({ScanError::Scope::kTarget, "", "", {kind, "what happened"}});
  return result;
}

}  // namespace registry_backend
