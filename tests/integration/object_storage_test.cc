// The packaged registry on the packaged OpenStack Swift: redirects to URLs that a storage has
// signed, as S3 in both styles, as CloudFront and as Swift itself.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "tests/integration/docker_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/nginx_server.h"
#include "tests/integration/oci_layout.h"
#include "tests/integration/proxy_server.h"
#include "tests/integration/scan_report.h"
#include "tests/integration/skopeo_push.h"
#include "tests/integration/swift_server.h"
#include "tests/integration/team_app.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr char kUserAgent[] = "registry_backend_exporter";
constexpr char kS3Domain[] = "s3.eu-central-1.amazonaws.com";
constexpr char kCloudFrontHost[] = "d111111abcdef8.cloudfront.net";
constexpr char kKeyPairId[] = "APKAEXAMPLEOFTHETEST";

// The first piece of a signed URL's query, or of what signed it, that `text` holds; else empty.
std::string FindSecret(const std::string& text) {
  static const std::regex kSecret(
      "X-Amz-|aws4_request|[?&]Signature=|Key-Pair-Id|temp_url_|test(:|%3A)tester|APKAEXAMPLE|"
      "s3cret-",
      std::regex::icase);
  static const std::regex kDigest("sha256(:|%3A)[0-9a-f]{64}");
  static const std::regex kSignature("[0-9a-f]{40}");  // S3's and Swift's are hexadecimal
  std::smatch match;
  if (std::regex_search(text, match, kSecret)) return match.str();
  const std::string rest = std::regex_replace(text, kDigest, "");
  return std::regex_search(rest, match, kSignature) ? match.str() : "";
}

// Where the registry sends who asks for a blob.
std::string Redirect(const DockerRegistry& registry, const std::string& digest) {
  const HttpAnswer answer =
      HttpGet(registry.url() + "/v2/" + kRepository + "/blobs/" + digest, registry.http_options());
  EXPECT_EQ(answer.status, 307) << answer.error << answer.body;
  return answer.Header("Location");
}

// The URL with another last digit; in ours that is one of the signature.
std::string Tampered(std::string url) {
  url.back() = url.back() == '0' ? '1' : '0';
  return url;
}

class ScanOnObjectStorage : public ::testing::Test {
 protected:
  // What the report says of the one endpoint that serves blobs.
  struct Storage {
    std::string host = {};
    std::string provider = {};
    std::string bucket = {};
    std::string region = {};
  };

  // Pushes through a registry with these options, which say how it stores, then scans it.
  void ExpectStorage(DockerRegistryOptions options, const SwiftServer& swift,
                     const Storage& storage) {
    options.redirect_to_storage = false;
    DockerRegistry registry(options);
    const TeamApp app = PushSmallTeamApp(registry);
    options.redirect_to_storage = true;
    registry.Restart(options);
    const std::string redirect = Redirect(registry, *app.blobs.begin());
    ASSERT_NE(FindSecret(redirect), "") << "is not signed: " << redirect;

    ExpectReport(Scan(registry), registry, app, storage);
    ExpectServed(registry, app, storage);
    ExpectNothingWasAskedBut(registry, swift);
  }

 private:
  // The proxy would see it if another host than the registry were asked.
  ScanRun Scan(const DockerRegistry& registry) {
    ScanRun scan{.run =
                     RunExporter(REGISTRY_BACKEND_EXPORTER,
                                 {"scan", "--registry", registry.url(), "--repository", kRepository,
                                  "--proxy-url", proxy_.url(), "--output", "json"})};
    scan.report = json::parse(scan.run.out, nullptr, false);
    EXPECT_TRUE(scan.report.is_object()) << scan.run.out << scan.run.err;
    EXPECT_EQ(FindSecret(scan.run.out + scan.run.err), "");
    return scan;
  }

  static void ExpectReport(const ScanRun& scan, const DockerRegistry& registry, const TeamApp& app,
                           const Storage& storage) {
    const bool is_s3 = storage.provider == "s3";
    ExpectComplete(scan, registry, app);
    ExpectTags(scan, app, storage.host, is_s3);
    ExpectSummary(scan.report, storage.host, is_s3);
    EXPECT_EQ(BlobsEndpoint(scan.report), (json{{"serves", "blobs"},
                                                {"backend_host", storage.host},
                                                {"provider", storage.provider},
                                                {"bucket", storage.bucket},
                                                {"storage_region", storage.region},
                                                {"delivery", "redirect"},
                                                {"blobs", app.blobs.size()}}));
  }

  // Metrics, log and files of the exporter that stays.
  void ExpectServed(const DockerRegistry& registry, const TeamApp& app, const Storage& storage) {
    WriteFile(directory_ / "config.yml",
              "scan: {interval: 24h, max_requests_per_second: 0}\n"
              "targets:\n"
              "  - registry: " +
                  registry.url() +
                  "\n"
                  "    repository: team/app\n"
                  "    proxy_url: " +
                  proxy_.url() + "\n");
    ExporterProcess exporter(
        REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
        {"--log.level", "debug", "--storage.path", (directory_ / "storage").string()});
    EXPECT_TRUE(Eventually(seconds(30), [&] {
      return exporter.Metric("registry_backend_scan_outcome", {{"outcome", "complete"}}) == 1;
    })) << exporter.Output();
    const std::string text = exporter.MetricsText();
    const std::vector<Sample> metrics = ParseExposition(text);
    EXPECT_EQ(ValueOf(metrics, "registry_backend_scan_coverage_ratio"), 1);
    EXPECT_EQ(ValueOf(metrics, "registry_backend_endpoint_blobs",
                      {{"serves", "blobs"}, {"backend_host", storage.host}}),
              app.blobs.size());
    EXPECT_EQ(FindSecret(text), "");
    EXPECT_TRUE(exporter.Terminate(seconds(10)));
    EXPECT_EQ(FindSecret(exporter.Output()), "");
    ExpectNoSecretInFiles(storage.host);
  }

  void ExpectNoSecretInFiles(const std::string& host) const {
    bool report = false;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory_ / "storage")) {
      if (!entry.is_regular_file()) continue;
      const std::string text = ReadFile(entry.path());
      EXPECT_EQ(FindSecret(text), "") << entry.path();
      report = report || (entry.path().filename().string().starts_with("report-") &&
                          text.find(host) != std::string::npos);
    }
    EXPECT_TRUE(report) << "no report was stored";
  }

  // All that the exporter sent went to the registry; Swift was asked by the registry alone.
  void ExpectNothingWasAskedBut(const DockerRegistry& registry, const SwiftServer& swift) const {
    const std::vector<std::string> requests = proxy_.Requests();
    EXPECT_FALSE(requests.empty()) << proxy_.Log();
    for (const std::string& request : requests) {
      EXPECT_TRUE(request.starts_with("GET " + registry.url() + "/") ||
                  request.starts_with("HEAD " + registry.url() + "/"))
          << request;
    }
    EXPECT_FALSE(swift.Requests().empty());
    for (const std::string& request : swift.Requests()) {
      EXPECT_EQ(request.find(kUserAgent), std::string::npos) << request;
    }
  }

  const TempDir directory_;
  const ProxyServer proxy_;
};

TEST_F(ScanOnObjectStorage, NamesAnS3OfUnknownNameAndTheRegionInItsSignatures) {
  const SwiftServer swift;
  ExpectStorage({.storage = swift.S3Storage()}, swift,
                {.host = swift.host(), .region = "us-east-1"});
}

TEST_F(ScanOnObjectStorage, NamesTheBucketThatIsPartOfAnS3HostsName) {
  const SwiftServer swift({.region = "eu-central-1", .storage_domain = kS3Domain});
  const NginxServer amazon(swift.host(), {.plain_http = true});
  ExpectStorage({.storage = swift.AmazonS3Storage(), .http_proxy = amazon.url()}, swift,
                {.host = std::string(kBucket) + "." + kS3Domain,
                 .provider = "s3",
                 .bucket = kBucket,
                 .region = "eu-central-1"});
}

TEST_F(ScanOnObjectStorage, NamesTheCloudFrontDistributionAndNotTheBucketBehindIt) {
  const SwiftServer swift;
  const TempDir keys;
  const RunResult openssl = RunToEnd({"openssl", "genrsa", "-traditional", "2048"});
  ASSERT_EQ(openssl.exit_code, 0) << openssl.err;
  WriteFile(keys / "key.pem", openssl.out);
  ExpectStorage({.storage = swift.S3Storage(),
                 .cloudfront = {.baseurl = BaseUrl(kCloudFrontHost),
                                .key_pair_id = kKeyPairId,
                                .private_key = keys / "key.pem"}},
                swift, {.host = kCloudFrontHost, .provider = "cloudfront"});
}

TEST_F(ScanOnObjectStorage, NamesASwiftHostOfTemporaryUrls) {
  const SwiftServer swift;
  ExpectStorage({.storage = swift.SwiftStorage()}, swift, {.host = swift.host()});
}

// The registry's redirect serves the blob, and one whose signature was changed does not. What asks
// is told in Swift's log, which is where the tests above look for the exporter.
void ExpectSignatureIsChecked(const SwiftServer& swift, const DockerRegistry& registry,
                              int refusal) {
  const std::string content = "a layer that only the signature gives";
  const std::string redirect = Redirect(registry, PushBlob(registry, kRepository, content));
  ASSERT_TRUE(redirect.starts_with(swift.url() + "/")) << redirect;
  const HttpOptions exporter = {.headers = {{"User-Agent", kUserAgent}}};
  const HttpAnswer answer = HttpGet(redirect, exporter);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body, content);
  EXPECT_TRUE(swift.Requests().back().ends_with(std::string(" 200 ") + kUserAgent))
      << swift.Requests().back();
  EXPECT_EQ(HttpGet(Tampered(redirect), exporter).status, refusal);
  EXPECT_NE(HttpGet(redirect.substr(0, redirect.find('?'))).status, 200);
}

TEST(PackagedSwift, GivesBlobsToSignedUrlsOnly) {
  const SwiftServer swift;
  ExpectSignatureIsChecked(swift, DockerRegistry({.storage = swift.S3Storage()}), 403);
  ExpectSignatureIsChecked(swift, DockerRegistry({.storage = swift.SwiftStorage()}), 401);
}

}  // namespace
}  // namespace registry_backend::testing
