#include "tests/integration/scan_report.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace registry_backend::testing {

using nlohmann::json;

namespace {

// The entry of one tag; every layer must be served by `host`.
void ExpectTag(const json& entry, const PushedTag& pushed, const std::string& host,
               bool is_s3_host) {
  const json& info = entry.at("manifest_info");
  EXPECT_EQ(info.at("found"), true);
  EXPECT_EQ(info.at("type"), pushed.media_type);
  EXPECT_EQ(info.at("digest"), pushed.digest);
  EXPECT_EQ(info.at("size"), pushed.size);

  const json& platforms = entry.at("platforms");
  ASSERT_EQ(platforms.size(), pushed.images.size());
  std::set<std::pair<std::string, std::string>> layers;  // platform, digest
  for (std::size_t i = 0; i < pushed.images.size(); ++i) {
    const PushedImage& image = pushed.images[i];
    const std::string platform = platforms[i].at("platform");
    // A bare manifest does not say its platform: what the report calls it is not judged here.
    if (!image.platform.empty()) {
      EXPECT_EQ(platform, image.platform);
    }
    EXPECT_EQ(platforms[i].at("manifest_digest"), image.digest);
    EXPECT_EQ(platforms[i].at("size"), image.size);
    EXPECT_EQ(platforms[i].at("layer_count"), image.layers.size());
    for (const std::string& layer : image.layers) layers.emplace(platform, layer);
  }

  const json s3_host = is_s3_host ? json(host) : json(nullptr);
  std::set<std::pair<std::string, std::string>> reported;
  for (const json& layer : entry.at("layers")) {
    EXPECT_EQ(layer.at("endpoint"), host);
    EXPECT_EQ(layer.at("s3_endpoint"), s3_host);
    reported.emplace(layer.at("platform"), layer.at("digest"));
  }
  EXPECT_EQ(reported, layers);
  EXPECT_EQ(entry.at("endpoints"), json::array({host}));
  EXPECT_EQ(entry.at("s3_endpoints"), is_s3_host ? json::array({host}) : json::array());
}

}  // namespace

void ExpectComplete(const ScanRun& scan, const DockerRegistry& registry, const TeamApp& app) {
  ASSERT_EQ(scan.run.exit_code, 0) << scan.Everything();
  const json& report = scan.report;
  EXPECT_EQ(report.at("format_version"), 1);
  EXPECT_EQ(report.at("outcome"), "complete");
  EXPECT_EQ(report.at("registry"), registry.url());
  EXPECT_EQ(report.at("repository"), kRepository);
  EXPECT_TRUE(report.at("errors").empty()) << report.at("errors").dump();
  const json& coverage = report.at("coverage");
  EXPECT_EQ(coverage.at("tags"), app.tags.size());
  EXPECT_EQ(coverage.at("manifests"), app.manifests.size());
  EXPECT_EQ(coverage.at("blobs"), app.blobs.size());
  EXPECT_EQ(coverage.at("unresolved"), 0);
  EXPECT_EQ(coverage.at("unpullable"), 0);
  EXPECT_EQ(report.at("tag_order"), json(app.newest_first));
  EXPECT_EQ(report.at("tags").size(), app.tags.size());
}

void ExpectTags(const ScanRun& scan, const TeamApp& app, const std::string& host, bool is_s3_host) {
  for (const auto& [tag, pushed] : app.tags) {
    SCOPED_TRACE(tag);
    ASSERT_TRUE(scan.report.at("tags").contains(tag));
    ExpectTag(scan.report.at("tags").at(tag), pushed, host, is_s3_host);
  }
}

void ExpectSummary(const json& report, const std::string& host, bool is_s3_host) {
  const json& summary = report.at("summary");
  EXPECT_EQ(summary.at("s3_endpoint_count"), is_s3_host ? 1 : 0);
  EXPECT_EQ(summary.at("s3_endpoints"), is_s3_host ? json::array({host}) : json::array());
  EXPECT_EQ(summary.at("endpoint_count"), summary.at("endpoints").size());
  EXPECT_NE(summary.at("endpoints").dump().find('"' + host + '"'), std::string::npos)
      << summary.dump();
}

json BlobsEndpoint(const json& report) {
  json result;
  for (const json& endpoint : report.at("endpoints")) {
    if (endpoint.at("serves") != "blobs") continue;
    EXPECT_TRUE(result.is_null()) << report.at("endpoints").dump();
    result = endpoint;
  }
  return result;
}

}  // namespace registry_backend::testing
