// `registry_backend_exporter serve --web.config.file`, as the packaged Prometheus sees it.
#include <crypt.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/exporter_process.h"
#include "tests/integration/prometheus_server.h"
#include "tests/integration/self_signed.h"
#include "tests/integration/server_process.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"
#include "tests/support/stream_client.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using std::chrono::seconds;

constexpr char kConfig[] = "targets: [{registry: 'http://127.0.0.1:1', repository: a/b}]\n";

class ServeTls : public ::testing::Test {
 protected:
  ServeTls()
      : server_(MakeSelfSigned(dir_ / "server")),
        client_(MakeSelfSigned(dir_ / "client", KeyType::kRsa, "DNS:prometheus.example")),
        stranger_(MakeSelfSigned(dir_ / "stranger", KeyType::kEc, "DNS:prometheus.example")) {
    WriteFile(dir_ / "config.yml", kConfig);
    SetPassword("first");
  }

  void SetPassword(const std::string& password) const {
    crypt_data data{};
    const std::string hash = crypt_r(password.c_str(), "$2b$04$abcdefghijklmnopqrstuu", &data);
    WriteFile(dir_ / "web.yml",
              "tls_server_config:\n"
              "  cert_file: server/certificate.pem\n"
              "  key_file: server/key.pem\n"
              "  client_auth_type: RequireAndVerifyClientCert\n"
              "  client_ca_file: client/certificate.pem\n"
              "  client_allowed_sans: [prometheus.example]\n"
              "http_server_config: {headers: {X-Frame-Options: deny}}\n"
              "basic_auth_users: {scraper: " +
                  hash + "}\n");
  }

  void Serve() {
    process_ = WithFreePort([&](std::uint16_t port) {
      port_ = port;
      return StartServer(
          {REGISTRY_BACKEND_EXPORTER, "serve", "--config.file", (dir_ / "config.yml").string(),
           "--storage.path", (dir_ / "data").string(), "--web.config.file",
           (dir_ / "web.yml").string(), "--web.listen-address",
           "127.0.0.1:" + std::to_string(port)},
          [this](Subprocess&) { return Ask("/-/ready", client_) == "200"; });
    });
  }

  // The status of the answer, empty where there is none.
  [[nodiscard]] std::string Ask(const std::string& path, const CertificateFiles& as) const {
    StreamClient client(port_, {.tls = true, .certificate = as.certificate, .key = as.key});
    client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = client.ReadAnswer();
    return answer.size() < 12 ? "" : answer.substr(9, 3);
  }

  // A scrape job `name` with this certificate and password.
  [[nodiscard]] std::string Job(const std::string& name, const CertificateFiles& as,
                                const std::string& password) const {
    return "- job_name: " + name +
           "\n  scheme: https\n  tls_config: {ca_file: " + server_.certificate.string() +
           ", cert_file: " + as.certificate.string() + ", key_file: " + as.key.string() +
           "}\n  basic_auth: {username: scraper, password: " + password +
           "}\n  static_configs: [{targets: ['127.0.0.1:" + std::to_string(port_) + "']}]\n";
  }

  const TempDir dir_{"serve-tls"};
  const CertificateFiles server_;
  const CertificateFiles client_;
  const CertificateFiles stranger_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

TEST_F(ServeTls, PrometheusScrapesWithItsCertificateAndPassword) {
  Serve();
  const PrometheusServer prometheus(Job("good", client_, "first") +
                                    Job("stranger", stranger_, "first") +
                                    Job("wrong", client_, "wrong"));
  const auto up = [&prometheus](const std::string& job) {
    return prometheus.QueryValue("up{job=\"" + job + "\"}");
  };
  EXPECT_TRUE(Eventually(seconds(20), [&] { return up("good") == 1; }));
  EXPECT_TRUE(Eventually(seconds(20), [&] { return up("stranger") == 0 && up("wrong") == 0; }));
  EXPECT_GT(prometheus.QueryValue("registry_backend_exporter_build_info{job=\"good\"}").value_or(0),
            0);

  SetPassword("second");
  EXPECT_TRUE(Eventually(seconds(20), [&] { return up("good") == 0; }))
      << "the old password is no longer good";
  SetPassword("wrong");
  EXPECT_TRUE(Eventually(seconds(20), [&] { return up("wrong") == 1; }));
  WriteFile(dir_ / "web.yml", "basic_auth_users: {\n");
  EXPECT_TRUE(Eventually(seconds(20), [&] {
    return process_->Stderr().find("Web configuration is not usable") != std::string::npos;
  }));
  EXPECT_EQ(Ask("/metrics", client_), "401");
  EXPECT_EQ(Ask("/-/healthy", client_), "200");
  EXPECT_EQ(Ask("/-/healthy", stranger_), "") << "health needs no password, but TLS needs its own";
  EXPECT_EQ(up("wrong"), 1);
}

TEST_F(ServeTls, AWebConfigurationThatIsWrongEndsTheStart) {
  const auto start = [this](const std::string& web) {
    WriteFile(dir_ / "web.yml", web);
    return RunExporter(REGISTRY_BACKEND_EXPORTER,
                       {"serve", "--config.check", "--config.file", (dir_ / "config.yml").string(),
                        "--web.config.file", (dir_ / "web.yml").string()});
  };
  const RunResult key = start("basic_auth_users:\n  alice: no-hash\n");
  EXPECT_EQ(key.exit_code, 2);
  EXPECT_NE(key.err.find("web.yml:2:10: basic_auth_users.alice: expected a bcrypt hash"),
            std::string::npos)
      << key.err;
  EXPECT_EQ(key.err.find("no-hash"), std::string::npos);
  const RunResult file = start("tls_server_config:\n  cert_file: none.pem\n  key_file: key.pem\n");
  EXPECT_EQ(file.exit_code, 2);
  EXPECT_NE(file.err.find("web.yml:2:14: tls_server_config.cert_file: cannot read "),
            std::string::npos)
      << file.err;
  EXPECT_EQ(start("").exit_code, 0);
}

}  // namespace
}  // namespace registry_backend::testing
