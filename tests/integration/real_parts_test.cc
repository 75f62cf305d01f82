// `registry_backend_exporter scan` against the packaged registry: its JSON report is compared with
// what the tests pushed and read back themselves.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/docker_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/scan_report.h"
#include "tests/integration/self_signed.h"
#include "tests/integration/team_app.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

// Basic credentials as they go over the wire: base64 of "user:" and kPassword.
constexpr char kBasic[] = "dXNlcjpzM2NyZXQtWnE4MS1vZi10aGUtdGVzdA==";

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
