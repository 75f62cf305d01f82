// `registry_backend_exporter scan` against the packaged registry: its JSON report is compared with
// what the tests pushed and read back themselves.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/docker_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/self_signed.h"
#include "tests/integration/team_app.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

// Basic credentials as they go over the wire: base64 of "user:" and kPassword.
constexpr char kBasic[] = "dXNlcjpzM2NyZXQtWnE4MS1vZi10aGUtdGVzdA==";

struct ScanRun {
  RunResult run = {};
  json report = {};  // what standard output held

  [[nodiscard]] std::string Everything() const { return run.err + "\nreport: " + report.dump(1); }
};

class ScanOnRealRegistry : public ::testing::Test {
 protected:
  ScanRun Scan(const DockerRegistry& registry, const std::string& password = kPassword,
               const std::vector<std::string>& further = {}) {
    WriteFile(directory_ / "password.txt", password + "\n");
    std::vector<std::string> arguments = {"scan",
                                          "--registry",
                                          registry.url(),
                                          "--repository",
                                          kRepository,
                                          "--username",
                                          kUser,
                                          "--password-file",
                                          (directory_ / "password.txt").string(),
                                          "--output",
                                          "json"};
    arguments.insert(arguments.end(), further.begin(), further.end());
    ScanRun result{.run = RunExporter(REGISTRY_BACKEND_EXPORTER, arguments)};
    result.report = json::parse(result.run.out, nullptr, false);
    EXPECT_TRUE(result.report.is_object()) << result.run.out << result.run.err;
    const std::string output = result.run.out + result.run.err;
    EXPECT_EQ(output.find(password), std::string::npos) << "the password was written out";
    EXPECT_EQ(output.find(kBasic), std::string::npos) << "the credentials were written out";
    return result;
  }

  const TempDir directory_;
};

// Coverage, order and names of a complete scan of `app`.
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

void ExpectTags(const ScanRun& scan, const TeamApp& app, const std::string& host, bool is_s3_host) {
  for (const auto& [tag, pushed] : app.tags) {
    SCOPED_TRACE(tag);
    ASSERT_TRUE(scan.report.at("tags").contains(tag));
    ExpectTag(scan.report.at("tags").at(tag), pushed, host, is_s3_host);
  }
}

// The one endpoint that serves blobs; null when there is none or another beside it.
json BlobsEndpoint(const json& report) {
  json result;
  for (const json& endpoint : report.at("endpoints")) {
    if (endpoint.at("serves") != "blobs") continue;
    EXPECT_TRUE(result.is_null()) << report.at("endpoints").dump();
    result = endpoint;
  }
  return result;
}

void ExpectSummary(const json& report, const std::string& host, bool is_s3_host) {
  const json& summary = report.at("summary");
  EXPECT_EQ(summary.at("s3_endpoint_count"), is_s3_host ? 1 : 0);
  EXPECT_EQ(summary.at("s3_endpoints"), is_s3_host ? json::array({host}) : json::array());
  EXPECT_EQ(summary.at("endpoint_count"), summary.at("endpoints").size());
  EXPECT_NE(summary.at("endpoints").dump().find('"' + host + '"'), std::string::npos)
      << summary.dump();
}

bool HasReason(const json& report, const std::string& reason) {
  for (const json& error : report.value("errors", json::array())) {
    if (error.value("reason", "") == reason) return true;
  }
  return report.value("reason", "") == reason;
}

TEST_F(ScanOnRealRegistry, NamesTheHostOfTheRedirectsForEveryLayer) {
  DockerRegistry registry({.username = kUser, .password = kPassword});
  const TeamApp app = PushTeamApp(registry, kBucketHost);
  const ScanRun scan = Scan(registry);
  ExpectComplete(scan, registry, app);
  ExpectTags(scan, app, kBucketHost, true);
  ExpectSummary(scan.report, kBucketHost, true);
  const json endpoint = BlobsEndpoint(scan.report);
  ASSERT_TRUE(endpoint.is_object()) << scan.report.at("endpoints").dump();
  EXPECT_EQ(endpoint.at("backend_host"), kBucketHost);
  EXPECT_EQ(endpoint.at("delivery"), "redirect");
  EXPECT_EQ(endpoint.at("bucket"), "prod-us-east-1-starport-layer-bucket");
  EXPECT_EQ(endpoint.at("storage_region"), "us-east-1");
  EXPECT_EQ(endpoint.at("blobs"), app.blobs.size());
}

TEST_F(ScanOnRealRegistry, NamesTheRegistryItselfWhenItServesBlobsDirectly) {
  DockerRegistry registry({.username = kUser, .password = kPassword});
  const TeamApp app = PushTeamApp(registry);
  const ScanRun scan = Scan(registry);
  ExpectComplete(scan, registry, app);
  ExpectTags(scan, app, registry.host(), false);
  ExpectSummary(scan.report, registry.host(), false);
  const json endpoint = BlobsEndpoint(scan.report);
  ASSERT_TRUE(endpoint.is_object()) << scan.report.at("endpoints").dump();
  EXPECT_EQ(endpoint.at("backend_host"), registry.host());
  EXPECT_EQ(endpoint.at("delivery"), "direct");
  EXPECT_EQ(endpoint.at("blobs"), app.blobs.size());
}

TEST_F(ScanOnRealRegistry, FailsWithAWrongPasswordAndSaysSo) {
  DockerRegistry registry({.username = kUser, .password = kPassword});
  const ScanRun scan = Scan(registry, "wrong-p4ssw0rd-of-the-test");
  EXPECT_EQ(scan.run.exit_code, 1) << scan.Everything();
  EXPECT_EQ(scan.report.value("outcome", ""), "failed") << scan.Everything();
  EXPECT_FALSE(scan.report.value("error", "").empty()) << scan.Everything();
  EXPECT_NE(scan.run.err.find(registry.host()), std::string::npos) << scan.run.err;
}

TEST_F(ScanOnRealRegistry, ScansOverTlsAndHttp2WithTheRegistrysOwnAuthority) {
  const CertificateFiles tls = MakeSelfSigned(directory_.path());
  DockerRegistry registry({.username = kUser, .password = kPassword, .tls = tls});
  const TeamApp app = PushTeamApp(registry, kBucketHost);
  const ScanRun scan = Scan(registry, kPassword, {"--ca-file", tls.certificate.string()});
  ExpectComplete(scan, registry, app);
  ExpectTags(scan, app, kBucketHost, true);
  // The registry logs the protocol of each request; the fixture's own ones are HTTP/1.1.
  EXPECT_NE(registry.AccessLog().find("HTTP/2.0\" 307"), std::string::npos) << registry.AccessLog();
}

TEST_F(ScanOnRealRegistry, FailsWithTlsWhenTheAuthorityIsUnknown) {
  DockerRegistry registry(
      {.username = kUser, .password = kPassword, .tls = MakeSelfSigned(directory_.path())});
  const ScanRun scan = Scan(registry);
  EXPECT_EQ(scan.run.exit_code, 1) << scan.Everything();
  EXPECT_EQ(scan.report.value("outcome", ""), "failed") << scan.Everything();
  EXPECT_TRUE(HasReason(scan.report, "tls")) << scan.Everything();
  EXPECT_NE(scan.run.err.find(registry.host()), std::string::npos) << scan.run.err;
}

}  // namespace
}  // namespace registry_backend::testing
