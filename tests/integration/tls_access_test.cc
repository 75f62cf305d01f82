// tls_config of a target, by the exporter as a program on the simulated registry behind the
// packaged nginx: client certificates, a certificate for another name, and none that is verified.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/integration/exporter_process.h"
#include "tests/integration/nginx_server.h"
#include "tests/integration/self_signed.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr char kRepository[] = "team/app";
constexpr char kHost[] = "cdn.example";
constexpr char kName[] = "registry.of-the-test.example";

class TlsAccess : public ::testing::Test {
 protected:
  // A configuration whose one target is the registry behind `nginx`; `tls` are the keys of its
  // tls_config in YAML's flow style.
  void Configure(const NginxServer& nginx, const std::string& tls) {
    WriteFile(directory_ / "config.yml",
              "scan: {max_requests_per_second: 0}\n"
              "targets: [{registry: \"" +
                  nginx.url() + "\", repository: " + kRepository + ", tls_config: {" + tls +
                  "}}]\n");
  }

  RunResult Scan(const NginxServer& nginx, const std::string& tls) {
    Configure(nginx, tls);
    return RunExporter(REGISTRY_BACKEND_EXPORTER,
                       {"scan", "--config.file", (directory_ / "config.yml").string()});
  }

  void ExpectComplete(const RunResult& run) const {
    EXPECT_EQ(run.exit_code, 0) << run.err;
    const json report = json::parse(run.out);
    EXPECT_EQ(report.at("outcome"), "complete");
    EXPECT_EQ(report.at("coverage").at("tags"), 4);
    EXPECT_EQ(report.at("coverage").at("unresolved"), 0);
    EXPECT_EQ(report.at("summary").at("endpoints"), json::array({kHost}));
  }

  static void ExpectFailed(const RunResult& run, const std::string& reason) {
    EXPECT_EQ(run.exit_code, 1) << run.err;
    const json report = json::parse(run.out);
    EXPECT_EQ(report.at("outcome"), "failed");
    ASSERT_FALSE(report.at("errors").empty()) << run.out;
    EXPECT_EQ(report.at("errors").at(0).at("reason"), reason) << run.out;
  }

  static simulator::Options RegistryOptions() {
    simulator::Options options;
    options.backend = kHost;
    return options;
  }

  const TempDir directory_{"tls-access"};
  simulator::Simulator registry_{
      RegistryOptions(),
      simulator::Generate({.repository = kRepository, .tags = 4, .layers_per_tag = 5})};
};

// libcurl 7.88 left an HTTP/2 answer unread until its next timeout, 10 s later, in about one scan
// of thirty.
TEST_F(TlsAccess, NoScanOverHttp2StandsStill) {
  const NginxServer nginx(registry_.authority());
  for (int i = 0; i < 60; ++i) {
    const auto start = std::chrono::steady_clock::now();
    ExpectComplete(Scan(nginx, "ca_file: \"" + nginx.tls().certificate.string() + "\""));
    ASSERT_LT(std::chrono::steady_clock::now() - start, seconds(8)) << "scan " << i;
  }
  EXPECT_TRUE(nginx.AccessLog().starts_with("HTTP/2.0 ")) << nginx.AccessLog().substr(0, 200);
}

TEST_F(TlsAccess, AClientCertificateIsShownWhereOneIsSet) {
  const CertificateFiles client = MakeSelfSigned(directory_ / "client", KeyType::kEc, "DNS:client");
  const NginxServer nginx(registry_.authority(), {.client_authorities = client.certificate});
  const std::string trust = "ca_file: \"" + nginx.tls().certificate.string() + "\"";
  // Relative paths are relative to the file.
  ExpectComplete(Scan(nginx, trust + ", cert_file: client/certificate.pem, "
                                     "key_file: client/key.pem"));

  registry_.ResetStats();
  const RunResult without = Scan(nginx, trust);
  EXPECT_EQ(without.exit_code, 1) << without.err;
  EXPECT_EQ(json::parse(without.out).at("outcome"), "failed");
  EXPECT_NE(without.err.find(nginx.host()), std::string::npos) << without.err;
  EXPECT_EQ(registry_.GetStats().total, 0U);
}

// On a terminal, which OpenSSL would ask for the pass phrase; script(1) makes one.
TEST_F(TlsAccess, AnEncryptedKeyIsAnErrorAndNoQuestion) {
  const CertificateFiles client = MakeSelfSigned(directory_ / "client", KeyType::kEc, "DNS:client");
  const RunResult encrypted =
      RunToEnd({"openssl", "pkey", "-aes128", "-passout", "pass:secret", "-in", client.key.string(),
                "-out", (directory_ / "encrypted.pem").string()});
  ASSERT_EQ(encrypted.exit_code, 0) << encrypted.err;
  const NginxServer nginx(registry_.authority(), {.client_authorities = client.certificate});
  WriteFile(directory_ / "config.yml",
            "targets:\n- registry: " + nginx.url() +
                "\n  repository: team/app\n  tls_config: {ca_file: \"" +
                nginx.tls().certificate.string() +
                "\", cert_file: client/certificate.pem, key_file: encrypted.pem}\n");
  const std::string command = std::string(REGISTRY_BACKEND_EXPORTER) +
                              " scan --output summary --config.file " +
                              (directory_ / "config.yml").string();
  Subprocess scan({"script", "-qec", command, "/dev/null"}, HermeticOptions());
  const std::optional<ExitStatus> end = scan.Wait(std::chrono::seconds(30));
  ASSERT_TRUE(end) << "it waits: " << scan.Stdout();
  EXPECT_EQ(end->code, 1);
  EXPECT_NE(scan.Stdout().find("(tls)"), std::string::npos) << scan.Stdout();
}

TEST_F(TlsAccess, ACertificateOfAnotherAuthorityIsNotTaken) {
  const CertificateFiles client = MakeSelfSigned(directory_ / "client", KeyType::kEc, "DNS:client");
  (void)MakeSelfSigned(directory_ / "other", KeyType::kEc, "DNS:client");
  const NginxServer nginx(registry_.authority(), {.client_authorities = client.certificate});
  const RunResult run = Scan(nginx, "ca_file: \"" + nginx.tls().certificate.string() +
                                        "\", cert_file: other/certificate.pem, "
                                        "key_file: other/key.pem");
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_EQ(registry_.GetStats().total, 0U);
}

TEST_F(TlsAccess, AServerNameIsWhatTheCertificateHoldsAndNotTheHost) {
  const NginxServer nginx(
      registry_.authority(),
      {.tls = MakeSelfSigned(directory_ / "server", KeyType::kEc, std::string("DNS:") + kName)});
  const std::string trust = "ca_file: server/certificate.pem";
  ExpectFailed(Scan(nginx, trust), "tls");
  EXPECT_EQ(registry_.GetStats().total, 0U);

  ExpectComplete(Scan(nginx, trust + ", server_name: " + kName));
  const std::uint64_t requests = registry_.GetStats().total;
  std::string names;
  for (std::uint64_t i = 0; i < requests; ++i) names += nginx.host() + " " + kName + "\n";
  // nginx writes the line when it has sent the answer.
  EXPECT_TRUE(Eventually(seconds(10), [&] { return nginx.NamesLog() == names; }))
      << requests << " requests\n"
      << nginx.NamesLog();
}

TEST_F(TlsAccess, VerificationThatIsSwitchedOffIsWarnedOf) {
  const NginxServer nginx(
      registry_.authority(),
      {.tls = MakeSelfSigned(directory_ / "server", KeyType::kEc, std::string("DNS:") + kName)});
  ExpectFailed(Scan(nginx, ""), "tls");

  const RunResult scan = Scan(nginx, "insecure_skip_verify: true");
  ExpectComplete(scan);
  EXPECT_NE(scan.err.find("warning: "), std::string::npos) << scan.err;
  EXPECT_NE(scan.err.find("insecure_skip_verify"), std::string::npos) << scan.err;

  const ExporterProcess exporter(REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
                                 {"--storage.path", (directory_ / "storage").string()});
  EXPECT_TRUE(Eventually(seconds(30), [&] {
    return exporter.Metric("registry_backend_scan_outcome", {{"outcome", "complete"}}) == 1;
  })) << exporter.Output();
  EXPECT_NE(exporter.Stderr().find("level=warn"), std::string::npos) << exporter.Stderr();
  EXPECT_NE(exporter.Stderr().find("insecure_skip_verify"), std::string::npos) << exporter.Stderr();
}

}  // namespace
}  // namespace registry_backend::testing
