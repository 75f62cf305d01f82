// The ways to a registry that a configuration can name, between packaged servers and the exporter
// as a program: token services, proxies, docker config files and credential helpers. Whatever the
// way, no secret is ever written out.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/docker_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/proxy_server.h"
#include "tests/integration/self_signed.h"
#include "tests/integration/team_app.h"
#include "tests/integration/token_server.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr char kProxyUser[] = "mallory";
constexpr char kProxyPassword[] = "pr0xy-Kw52-of-the-test";
constexpr char kWrongProxyPassword[] = "wrong-pr0xy-of-the-test";

// What no output, metric or file may hold.
constexpr const char* kSecrets[] = {
    kPassword,
    "dXNlcjpzM2NyZXQtWnE4MS1vZi10aGUtdGVzdA==",  // base64 of "user:" and kPassword
    kProxyPassword,
    "bWFsbG9yeTpwcjB4eS1LdzUyLW9mLXRoZS10ZXN0",  // of "mallory:" and kProxyPassword
    kWrongProxyPassword,
    "bWFsbG9yeTp3cm9uZy1wcjB4eS1vZi10aGUtdGVzdA==",
    "eyJ",  // how each JWT begins, and nothing else that is written out
};

void ExpectNoSecretIn(const std::string& text) {
  for (const char* secret : kSecrets) {
    EXPECT_EQ(text.find(secret), std::string::npos) << secret << " was written out:\n" << text;
  }
}

struct ScanRun {
  RunResult run = {};
  json report = {};  // what standard output held

  [[nodiscard]] std::string Everything() const { return run.err + "\nreport: " + report.dump(1); }
};

SubprocessOptions With(std::map<std::string, std::string> environment) {
  SubprocessOptions options = HermeticOptions();
  options.env = std::move(environment);
  return options;
}

class AccessTest : public ::testing::Test {
 protected:
  // A configuration with one target, team/app of `registry`; `further` are its other keys, as the
  // lines of a YAML mapping.
  void Configure(const DockerRegistry& registry, const std::string& further,
                 const std::string& rate = "0") {
    std::string text = "scan: {max_requests_per_second: " + rate + "}\ntargets:\n- registry: ";
    text += registry.url() + "\n  repository: " + kRepository + "\n";
    std::istringstream lines(further);
    for (std::string line; std::getline(lines, line);) text += "  " + line + "\n";
    WriteFile(directory_ / "config.yml", text);
    WriteFile(directory_ / "password.txt", std::string(kPassword) + "\n");
  }

  // Runs `scan` and looks for secrets in what it writes.
  static ScanRun Scan(const std::vector<std::string>& arguments,
                      const SubprocessOptions& options = HermeticOptions()) {
    std::vector<std::string> command = {"scan"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    ScanRun result{.run = RunExporter(REGISTRY_BACKEND_EXPORTER, command, options)};
    result.report = json::parse(result.run.out, nullptr, false);
    EXPECT_TRUE(result.report.is_object()) << result.run.out << result.run.err;
    ExpectNoSecretIn(result.run.out + result.run.err);
    return result;
  }
  // Of the configuration.
  [[nodiscard]] ScanRun ScanConfigured(const SubprocessOptions& options = HermeticOptions()) const {
    return Scan({"--config.file", (directory_ / "config.yml").string()}, options);
  }

  [[nodiscard]] ExporterProcess Serve(const SubprocessOptions& options = HermeticOptions()) const {
    return {REGISTRY_BACKEND_EXPORTER,
            directory_ / "config.yml",
            {"--web.enable-lifecycle", "--log.level", "debug", "--storage.path",
             (directory_ / "storage").string()},
            options};
  }

  void ExpectNoSecretOf(const ExporterProcess& exporter) const {
    ExpectNoSecretIn(exporter.Output());
    ExpectNoSecretIn(exporter.MetricsText());
    ExpectNoSecretIn(HttpGet(exporter.url() + "/").body);
    for (const auto& file : std::filesystem::recursive_directory_iterator(directory_ / "storage")) {
      if (file.is_regular_file()) ExpectNoSecretIn(ReadFile(file.path()));
    }
  }

  const TempDir directory_{"access"};
};

// A scan that resolved everything, all blobs at `host`.
void ExpectComplete(const ScanRun& scan, const std::string& host) {
  ASSERT_EQ(scan.run.exit_code, 0) << scan.Everything();
  EXPECT_EQ(scan.report.at("outcome"), "complete");
  EXPECT_TRUE(scan.report.at("errors").empty()) << scan.Everything();
  EXPECT_GT(scan.report.at("coverage").at("blobs"), 0);
  EXPECT_EQ(scan.report.at("coverage").at("unresolved"), 0);
  EXPECT_EQ(scan.report.at("coverage").at("unpullable"), 0);
  EXPECT_EQ(scan.report.at("summary").at("endpoints"), json::array({host})) << scan.Everything();
}

// A scan that failed for `reason`; standard error and report say `words`.
void ExpectFailed(const ScanRun& scan, const std::string& reason,
                  const std::vector<std::string>& words) {
  EXPECT_EQ(scan.run.exit_code, 1) << scan.Everything();
  EXPECT_EQ(scan.report.value("outcome", ""), "failed") << scan.Everything();
  ASSERT_FALSE(scan.report.at("errors").empty()) << scan.Everything();
  EXPECT_EQ(scan.report.at("errors").at(0).at("reason"), reason) << scan.Everything();
  for (const std::string& word : words) {
    EXPECT_NE(scan.run.err.find(word), std::string::npos)
        << word << " is not said: " << scan.run.err;
    EXPECT_NE(scan.report.value("message", "").find(word), std::string::npos) << scan.Everything();
  }
}

// How many requests the registry has answered since its latest start.
std::size_t CountRequests(const DockerRegistry& registry) {
  const std::string log = registry.AccessLog();
  std::size_t count = 0;
  for (std::size_t at = log.find("/v2/"); at != std::string::npos; at = log.find("/v2/", at + 1)) {
    ++count;
  }
  return count;
}

// A registry that takes only the tokens of a service of another origin, whose tokens live so
// briefly that a scan at kRate needs several.
class TokenAccess : public AccessTest {
 protected:
  static constexpr char kRate[] = "10";
  static constexpr std::size_t kLayers = 48;

  TokenAccess() {
    LayoutSpec spec{.images = {{}}, .index = false};
    for (std::size_t i = 0; i < kLayers; ++i) {
      spec.images[0].layers.push_back("layer " + std::to_string(i));
    }
    SkopeoPush(registry_, WriteOciLayout(directory_ / "layout", spec), kRepository, "v202501-1");
  }

  void RequireTokens(const std::string& redirect_baseurl) {
    TokenAuth token = tokens_.auth();
    token.realm = Realm();
    registry_.Restart({.redirect_baseurl = redirect_baseurl, .token = token, .tls = tls_});
  }

  // The token service by another name than the registry's: with the same, on another port, it
  // would belong to the registry's own site.
  [[nodiscard]] std::string Realm() const { return "https://" + RealmHost() + "/token"; }
  [[nodiscard]] std::string RealmHost() const {
    const std::string realm = tokens_.auth().realm;  // https://127.0.0.1:PORT/token
    const std::size_t port = realm.rfind(':');
    return "localhost" + realm.substr(port, realm.rfind('/') - port);
  }

  // Access by user and password; `with_realm`: the service may have them.
  [[nodiscard]] std::string Keys(bool with_realm) const {
    std::string keys = "basic_auth: {username: user, password_file: password.txt}\n";
    keys += "tls_config: {ca_file: \"" + tls_.certificate.string() + "\"}\n";
    if (with_realm) keys += "token_realms: [\"" + Realm() + "\"]\n";
    return keys;
  }

  void ExpectSeveralTokens() const {
    EXPECT_GE(tokens_.given(), 2);
    EXPECT_LT(static_cast<std::size_t>(tokens_.given()) * 5, CountRequests(registry_));
    EXPECT_EQ(tokens_.refused(), 0);
  }

  const CertificateFiles tls_ = MakeSelfSigned(directory_ / "tls");
  const TokenServer tokens_{
      {.username = kUser, .password = kPassword, .lifetime = seconds(2), .tls = tls_}};
  DockerRegistry registry_;
};

TEST_F(TokenAccess, TokensThatRunOutDuringAScanAreReplaced) {
  RequireTokens(BaseUrl(kBucketHost));
  Configure(registry_, Keys(true), kRate);
  const ScanRun scan = ScanConfigured();
  ExpectComplete(scan, kBucketHost);
  EXPECT_EQ(scan.report.at("coverage").at("blobs"), kLayers + 1);
  const std::string endpoints = scan.report.at("endpoints").dump();
  EXPECT_NE(endpoints.find("\"tokens\""), std::string::npos) << endpoints;
  EXPECT_NE(endpoints.find('"' + RealmHost() + '"'), std::string::npos) << endpoints;
  ExpectSeveralTokens();
}

TEST_F(TokenAccess, ServingKeepsTokensAndPasswordsToItself) {
  RequireTokens("");
  Configure(registry_, Keys(true), kRate);
  const ExporterProcess exporter = Serve();
  ASSERT_TRUE(Eventually(seconds(60), [&] {
    return exporter.Metric("registry_backend_scan_outcome", {{"outcome", "complete"}}) == 1;
  })) << exporter.Output();
  EXPECT_EQ(exporter.Metric("registry_backend_scan_coverage_ratio"), 1);
  EXPECT_EQ(exporter.Metric("registry_backend_scan_blobs"), kLayers + 1);
  EXPECT_EQ(exporter.Metric("registry_backend_endpoint_present",
                            {{"serves", "blobs"}, {"backend_host", registry_.host()}}),
            1);
  EXPECT_EQ(exporter.Metric("registry_backend_endpoint_present",
                            {{"serves", "tokens"}, {"backend_host", RealmHost()}}),
            1);
  ExpectSeveralTokens();
  ExpectNoSecretOf(exporter);
}

TEST_F(TokenAccess, ARealmThatIsNotNamedGetsNoPasswordAndIsReported) {
  RequireTokens(BaseUrl(kBucketHost));
  Configure(registry_, Keys(false));
  ExpectFailed(ScanConfigured(), "auth", {"token_realms", "https://" + RealmHost()});

  const ExporterProcess exporter = Serve();
  ASSERT_TRUE(Eventually(seconds(30), [&] {
    return exporter.Metric("registry_backend_scan_error", {{"reason", "auth"}}) == 1;
  })) << exporter.Output();
  EXPECT_NE(exporter.Stderr().find("token_realms"), std::string::npos) << exporter.Stderr();
  EXPECT_EQ(exporter.Metric("registry_backend_endpoint_present",
                            {{"serves", "tokens"}, {"backend_host", RealmHost()}}),
            1)
      << exporter.MetricsText();
  ExpectNoSecretOf(exporter);
  EXPECT_EQ(tokens_.given() + tokens_.refused(), 0) << "the realm was asked";
}

// An https registry, and a proxy, both with passwords.
class ProxyAccess : public AccessTest {
 protected:
  ProxyAccess() {
    (void)PushTeamApp(registry_, kBucketHost);
    WriteFile(directory_ / "proxy.txt", std::string(kProxyPassword) + "\n");
  }

  void ConfigureProxy(const std::string& keys) {
    Configure(registry_,
              "basic_auth: {username: user, password_file: password.txt}\n"
              "tls_config: {ca_file: \"" +
                  tls_.certificate.string() + "\"}\n" + keys);
  }

  // The keys for the proxy as the user kProxyUser.
  [[nodiscard]] std::string ProxyKeys() const {
    return "proxy_url: \"http://" + std::string(kProxyUser) + "@" + proxy_.host() +
           "\"\nproxy_password_file: proxy.txt\n";
  }

  // The proxy was asked for tunnels to the registry, and for nothing else.
  void ExpectTunnelsToTheRegistry() const {
    const std::vector<std::string> requests = proxy_.Requests();
    EXPECT_FALSE(requests.empty()) << proxy_.Log();
    for (const std::string& request : requests) EXPECT_EQ(request, "CONNECT " + registry_.host());
    EXPECT_FALSE(proxy_.Connections().empty()) << proxy_.Log();
    EXPECT_EQ(proxy_.Log().find("amazonaws"), std::string::npos) << proxy_.Log();
  }

  const CertificateFiles tls_ = MakeSelfSigned(directory_ / "tls");
  DockerRegistry registry_{{.username = kUser, .password = kPassword, .tls = tls_}};
  const ProxyServer proxy_{{.username = kProxyUser, .password = kProxyPassword}};
};

TEST_F(ProxyAccess, TunnelsToTheRegistryAndAsksForNoStorageHost) {
  ConfigureProxy(ProxyKeys());
  ExpectComplete(ScanConfigured(), kBucketHost);
  ExpectTunnelsToTheRegistry();

  const ExporterProcess exporter = Serve();
  ASSERT_TRUE(Eventually(seconds(30), [&] {
    return exporter.Metric("registry_backend_scan_outcome", {{"outcome", "complete"}}) == 1;
  })) << exporter.Output();
  EXPECT_EQ(exporter.Metric("registry_backend_scan_coverage_ratio"), 1);
  ExpectNoSecretOf(exporter);
  ExpectTunnelsToTheRegistry();
}

TEST_F(ProxyAccess, AWrongPasswordForTheProxyIsToldFromTheRegistrys) {
  WriteFile(directory_ / "proxy.txt", kWrongProxyPassword);
  ConfigureProxy(ProxyKeys());
  ExpectFailed(ScanConfigured(), "auth", {"the proxy", registry_.host()});
  EXPECT_TRUE(proxy_.Connections().empty()) << proxy_.Log();
}

TEST_F(ProxyAccess, HostsOfNoProxyAreReachedWithoutIt) {
  ConfigureProxy(ProxyKeys() + "no_proxy: 127.0.0.1\n");
  ExpectComplete(ScanConfigured(), kBucketHost);
  EXPECT_TRUE(proxy_.Requests().empty()) << proxy_.Log();
}

TEST_F(ProxyAccess, TheEnvironmentsProxyServesAFilesTargetOnlyWhereItSaysSo) {
  const SubprocessOptions environment = With({{"HTTPS_PROXY", proxy_.url_with_credentials()}});
  ConfigureProxy("");
  ExpectComplete(ScanConfigured(environment), kBucketHost);
  EXPECT_TRUE(proxy_.Requests().empty()) << proxy_.Log();

  ConfigureProxy("proxy_from_environment: true\n");
  ExpectComplete(ScanConfigured(environment), kBucketHost);
  ExpectTunnelsToTheRegistry();
}

TEST_F(ProxyAccess, ScanWithoutAFileUsesTheEnvironmentsProxy) {
  Configure(registry_, "");  // only for the password file
  const std::vector<std::string> arguments = {
      "--registry",      registry_.url(),
      "--repository",    kRepository,
      "--username",      kUser,
      "--password-file", (directory_ / "password.txt").string(),
      "--ca-file",       tls_.certificate.string()};
  const std::string proxy = proxy_.url_with_credentials();
  ExpectComplete(Scan(arguments, With({{"HTTPS_PROXY", proxy}, {"NO_PROXY", "127.0.0.1"}})),
                 kBucketHost);
  EXPECT_TRUE(proxy_.Requests().empty()) << proxy_.Log();
  ExpectComplete(Scan(arguments, With({{"HTTPS_PROXY", proxy}})), kBucketHost);
  ExpectTunnelsToTheRegistry();
}

// A registry with a password, and credentials in a docker config file.
class DockerConfigAccess : public AccessTest {
 protected:
  DockerConfigAccess() { (void)PushTeamApp(registry_, kBucketHost); }

  void WriteDockerConfig(const json& config) {
    WriteFile(directory_ / "docker.json", config.dump(2));
  }

  // Puts docker-credential-NAME, a shell script, into the directory that Environment has in PATH.
  void WriteHelper(const std::string& name, const std::string& script) const {
    const auto path = directory_ / "bin" / ("docker-credential-" + name);
    WriteFile(path, "#!/bin/sh\n" + script);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  [[nodiscard]] SubprocessOptions Environment() const {
    const char* path = std::getenv("PATH");
    return With({{"PATH", (directory_ / "bin").string() + ":" + (path == nullptr ? "" : path)}});
  }

  DockerRegistry registry_{{.username = kUser, .password = kPassword}};
};

TEST_F(DockerConfigAccess, AKubernetesPullSecretServesAsItIs) {
  WriteDockerConfig({{"auths",
                      {{"https://index.docker.io/v1/", {{"auth", "b3RoZXI6b3RoZXI="}}},
                       {registry_.host(), {{"username", kUser}, {"password", kPassword}}}}}});
  Configure(registry_, "docker_config_file: docker.json\n");
  ExpectComplete(ScanConfigured(), kBucketHost);
}

TEST_F(DockerConfigAccess, DockersOwnFileServesAFlagAndTheEnvironment) {
  WriteFile(directory_ / "config.json",
            json{{"auths", {{registry_.host(), {{"auth", kSecrets[1]}}}}}}.dump());
  const std::vector<std::string> arguments = {"--registry", registry_.url(), "--repository",
                                              kRepository};
  ExpectComplete(Scan(arguments, With({{"DOCKER_CONFIG", directory_.path().string()}})),
                 kBucketHost);
  std::vector<std::string> with_flag = arguments;
  with_flag.insert(with_flag.end(), {"--docker-config", (directory_ / "config.json").string()});
  ExpectComplete(Scan(with_flag), kBucketHost);
  ExpectFailed(Scan(arguments), "auth", {registry_.host()});
}

TEST_F(DockerConfigAccess, AHelperIsAskedForTheRegistry) {
  WriteDockerConfig({{"credHelpers", {{registry_.host(), "of-the-test"}}}});
  WriteHelper("of-the-test",
              "[ \"$1\" = get ] && read -r server\n"
              "echo \"$server\" >\"$0.asked\"\n"
              "echo '{\"Username\": \"" +
                  std::string(kUser) + "\", \"Secret\": \"" + kPassword + "\"}'\n");
  Configure(registry_, "docker_config_file: docker.json\n");
  ExpectComplete(ScanConfigured(Environment()), kBucketHost);
  EXPECT_EQ(ReadFile(directory_ / "bin" / "docker-credential-of-the-test.asked"),
            registry_.host() + "\n");
}

// The helper is given 15 s.
TEST_F(DockerConfigAccess, AHelperThatHangsFailsItsTargetAlone) {
  WriteDockerConfig({{"credHelpers", {{"stuck.example", "hangs"}}},
                     {"auths", {{registry_.host(), {{"auth", kSecrets[1]}}}}}});
  WriteHelper("hangs", "echo '" + std::string(kPassword) + "'\nsleep 60\n");
  Configure(registry_,
            "name: fine\n"
            "docker_config_file: docker.json\n");
  WriteFile(directory_ / "config.yml",
            ReadFile(directory_ / "config.yml") +
                "- {name: stuck, registry: \"https://stuck.example\", repository: team/app, "
                "docker_config_file: docker.json}\n");
  ExporterProcess exporter = Serve(Environment());
  const Labels stuck = {{"registry", "stuck.example"}, {"reason", "credentials"}};
  ASSERT_TRUE(Eventually(seconds(30), [&] {
    return exporter.Metric("registry_backend_scan_outcome",
                           {{"registry", registry_.host()}, {"outcome", "complete"}}) == 1;
  })) << exporter.Output();
  EXPECT_EQ(exporter.Metric("registry_backend_scan_error", stuck), std::nullopt)
      << "what was found is saved while the helper still hangs";
  ASSERT_TRUE(Eventually(seconds(60), [&] {
    return exporter.Metric("registry_backend_scan_error", stuck) == 1;
  })) << exporter.Output();
  EXPECT_NE(exporter.Stderr().find("credential helper 'hangs'"), std::string::npos)
      << exporter.Stderr();
  ExpectNoSecretOf(exporter);

  // Nor does a helper keep the exporter from ending.
  EXPECT_EQ(HttpPost(exporter.url() + "/-/scan?target=stuck").status, 202);
  const std::optional<ExitStatus> end = exporter.Terminate(seconds(5));
  ASSERT_TRUE(end) << "still running 5 s after SIGTERM";
  EXPECT_EQ(end->code, 0);
}

}  // namespace
}  // namespace registry_backend::testing
