#include <crypt.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/exporter_process.h"
#include "tests/integration/hostile_server.h"
#include "tests/integration/self_signed.h"
#include "tests/integration/server_process.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

// `drill`, against an exporter as a program.
namespace registry_backend::testing {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kSoon = seconds(30);
constexpr char kOneTarget[] =
    "targets: [{name: app, registry: \"http://127.0.0.1:1\", repository: team/app}]\n";
constexpr char kTwoTargets[] =
    "targets:\n"
    "  - {name: app, registry: \"http://127.0.0.1:1\", repository: team/app}\n"
    "  - {name: \"b & c\", registry: \"http://127.0.0.1:1\", repository: team/other}\n";

class DrillCommand : public ::testing::Test {
 protected:
  void Serve(const std::string& config, std::vector<std::string> arguments) {
    WriteFile(directory_ / "c.yml", config);
    arguments.insert(arguments.end(), {"--storage.path", (directory_ / "data").string()});
    exporter_ = std::make_unique<ExporterProcess>(REGISTRY_BACKEND_EXPORTER, directory_ / "c.yml",
                                                  arguments);
    url_ = exporter_->url();
  }

  [[nodiscard]] std::vector<std::string> Arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"drill", "--url", url_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  [[nodiscard]] RunResult Drill(const std::vector<std::string>& more = {}) const {
    return RunExporter(REGISTRY_BACKEND_EXPORTER, Arguments(more));
  }
  // One that runs on.
  [[nodiscard]] std::unique_ptr<Subprocess> BeginDrill(const std::vector<std::string>& more) const {
    std::vector<std::string> argv = Arguments(more);
    argv.insert(argv.begin(), REGISTRY_BACKEND_EXPORTER);
    return std::make_unique<Subprocess>(argv, HermeticOptions());
  }

  // Exactly one line on standard error that holds `what`, nothing on standard output.
  static void ExpectFailure(const RunResult& run, const std::string& what) {
    EXPECT_EQ(run.exit_code, 1) << run.out;
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, HasSubstr(what));
    EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
  }

  [[nodiscard]] std::optional<double> Present() const {
    return exporter_->Metric("registry_backend_endpoint_present",
                             {{"backend_host", "drill.registry-backend.invalid"}});
  }

  const TempDir directory_{"drill-command"};
  std::unique_ptr<ExporterProcess> exporter_;
  std::string url_;
};

TEST_F(DrillCommand, SaysWhatIsToBeSeenWhenAndHowToEndIt) {
  Serve(kOneTarget, {"--web.enable-lifecycle"});
  const RunResult run = Drill();
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("Drill of 'app' (127.0.0.1:1/team/app): "
                              "drill.registry-backend.invalid is shown as if it served blobs."),
                    HasSubstr(" UTC  it appears     RegistryBackendEndpointAdded fires"),
                    HasSubstr(" UTC  it vanishes    that resolves, RegistryBackendEndpointRemoved "
                              "fires"),
                    HasSubstr("drill --stop")));
  ASSERT_TRUE(Eventually(kSoon, [&] { return Present() == 1; }));

  ExpectFailure(Drill(), "/-/drill: a drill of 'app' is under way until ");
  const RunResult stopped = Drill({"--stop"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("The host has vanished"));
  ASSERT_TRUE(Eventually(kSoon, [&] { return Present() == 0; }));
  EXPECT_THAT(Drill({"--stop"}).out, HasSubstr("The drill has ended."));
  ASSERT_TRUE(Eventually(kSoon, [&] { return !Present(); }));
  ExpectFailure(Drill({"--stop"}), "/-/drill: no drill of 'app' is under way");
  EXPECT_THAT(exporter_->Stderr(), AllOf(HasSubstr("msg=\"Drill begun\" target=app"),
                                         HasSubstr("msg=\"Drill ended\" target=app")));
}

TEST_F(DrillCommand, WaitsForItsEnd) {
  Serve(kOneTarget, {"--web.enable-lifecycle"});
  const RunResult run = Drill({"--duration", "2s", "--serves", "manifests", "--wait"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("as if it served manifests."), HasSubstr(" UTC  it has vanished\n"),
                    HasSubstr(" UTC  its series have ended\n")));
  EXPECT_FALSE(Present());
}

TEST_F(DrillCommand, InterruptedItHasTheHostVanish) {
  Serve(kOneTarget, {"--web.enable-lifecycle"});
  const auto drill = BeginDrill({"--duration", "1h", "--wait"});
  ASSERT_TRUE(Eventually(kSoon, [&] { return Present() == 1; })) << drill->Stderr();
  drill->Signal(SIGINT);
  const auto ended = drill->Wait(kSoon);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 1) << "it was not let run to its end";
  EXPECT_THAT(drill->Stdout(), HasSubstr("The host has vanished"));
  EXPECT_TRUE(Eventually(kSoon, [&] { return Present() == 0; }));
}

TEST_F(DrillCommand, ARestartOfTheExporterEndsIt) {
  Serve(kOneTarget, {"--web.enable-lifecycle"});
  const auto drill = BeginDrill({"--duration", "1h", "--wait"});
  ASSERT_TRUE(Eventually(kSoon, [&] { return Present() == 1; })) << drill->Stderr();
  exporter_->Restart();
  EXPECT_FALSE(Present());
  const auto ended = drill->Wait(kSoon);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 1);
  EXPECT_THAT(drill->Stderr(), HasSubstr("the drill ended before its time"));
}

TEST_F(DrillCommand, SaysThatSomebodyElseEndedIt) {
  Serve(kOneTarget, {"--web.enable-lifecycle"});
  const auto drill = BeginDrill({"--duration", "1h", "--wait"});
  ASSERT_TRUE(Eventually(kSoon, [&] { return Present() == 1; })) << drill->Stderr();
  EXPECT_EQ(Drill({"--stop"}).exit_code, 0);
  ASSERT_TRUE(Eventually(kSoon, [&] {
    return drill->Stdout().find("it has vanished") != std::string::npos;
  })) << drill->Stdout();
  EXPECT_EQ(Drill({"--stop"}).exit_code, 0);
  const auto ended = drill->Wait(kSoon);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 1);
  EXPECT_THAT(drill->Stderr(), HasSubstr("the drill ended before its time: it was stopped"));
}

TEST_F(DrillCommand, NeedsTheNameOfOneOfSeveralTargets) {
  Serve(kTwoTargets, {"--web.enable-lifecycle"});
  ExpectFailure(Drill(), "there are 2 targets; name one: ?target=NAME (--target NAME)");
  ExpectFailure(Drill({"--target", "c"}), "/-/drill: there is no target 'c'");
  const RunResult run = Drill({"--target", "b & c", "--duration", "1s", "--wait"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Drill of 'b & c' (127.0.0.1:1/team/other)"));
}

TEST_F(DrillCommand, SaysWhichFlagTheExporterLacks) {
  Serve(kOneTarget, {});
  ExpectFailure(Drill(), "lifecycle calls are off; start with --web.enable-lifecycle");
}

TEST_F(DrillCommand, SaysWhyItCannotReachAnExporter) {
  url_ = "http://127.0.0.1:1";
  ExpectFailure(Drill(), "http://127.0.0.1:1/-/drill: ");
  HostileServer server;
  url_ = server.http() + "/prefix/";
  ExpectFailure(Drill(), "/prefix/-/drill: status 404: is it a registry_backend_exporter");
  server.On("/prefix/-/drill", HttpText(202, "<html>\x1b[2J"));
  ExpectFailure(Drill(), "the answer shows no drill");
  server.On("/prefix/-/drill", RedirectTo("/fine"));
  ExpectFailure(Drill(), "status 307");
  EXPECT_TRUE(server.Requests("/fine").empty());
  server.On("/prefix/-/drill", HttpText(409, R"({"status":"error","error":"\u001b[2Jno"})"));
  ExpectFailure(Drill(), "?[2Jno");
}

TEST_F(DrillCommand, BadFlagsAreAUsageError) {
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--duration", "2d"},
           {"--duration", "soon"},
           {"--serves", "layers"},
           {"--stop", "--wait"},
           {"--stop", "--duration", "5m"},
           {"--username", "u"},
           {"--password-file", "p"},
           {"--cert-file", "c"},
           {"--url", "ftp://127.0.0.1"},
           {"--url", "http://user:SECRET@127.0.0.1:1"},
           {"--username", "u", "--password-file", (directory_ / "none").string()}}) {
    url_ = "http://127.0.0.1:1";
    std::vector<std::string> arguments = {"drill"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const RunResult run = RunExporter(REGISTRY_BACKEND_EXPORTER, arguments);
    EXPECT_EQ(run.exit_code, 2) << ::testing::PrintToString(flags);
    EXPECT_NE(run.err, "");
    EXPECT_THAT(run.err, Not(HasSubstr("SECRET")));
  }
}

TEST_F(DrillCommand, ShowsPasswordAndCertificateWhereTheyAreAskedFor) {
  const CertificateFiles server = MakeSelfSigned(directory_ / "server");
  const CertificateFiles client =
      MakeSelfSigned(directory_ / "client", KeyType::kEc, "DNS:operator.example");
  crypt_data data{};
  WriteFile(directory_ / "web.yml",
            "tls_server_config:\n"
            "  cert_file: server/certificate.pem\n"
            "  key_file: server/key.pem\n"
            "  client_auth_type: RequireAndVerifyClientCert\n"
            "  client_ca_file: client/certificate.pem\n"
            "basic_auth_users: {operator: " +
                std::string(crypt_r("s3cret", "$2b$04$abcdefghijklmnopqrstuu", &data)) + "}\n");
  WriteFile(directory_ / "c.yml", kOneTarget);
  WriteFile(directory_ / "right", "s3cret\n");
  WriteFile(directory_ / "wrong", "guess\n");
  const auto process = WithFreePort([&](std::uint16_t port) {
    url_ = "https://127.0.0.1:" + std::to_string(port);
    return StartServer({REGISTRY_BACKEND_EXPORTER, "--config.file", (directory_ / "c.yml").string(),
                        "--storage.path", (directory_ / "data").string(), "--web.config.file",
                        (directory_ / "web.yml").string(), "--web.enable-lifecycle",
                        "--web.listen-address", "127.0.0.1:" + std::to_string(port)},
                       [](Subprocess& exporter) {
                         return exporter.Stderr().find("msg=Listening") != std::string::npos;
                       });
  });
  std::vector<std::string> flags = {"--ca-file",   server.certificate.string(),
                                    "--cert-file", client.certificate.string(),
                                    "--key-file",  client.key.string()};
  // A probe needs the certificate, but no password.
  std::vector<std::string> health = {"healthcheck", "--url", url_ + "/-/healthy"};
  health.insert(health.end(), flags.begin(), flags.end());
  const RunResult healthy = RunExporter(REGISTRY_BACKEND_EXPORTER, health);
  EXPECT_EQ(healthy.exit_code, 0) << healthy.err;

  ExpectFailure(Drill(), "certificate");
  ExpectFailure(Drill(flags), "it wants a password: --username and --password-file");
  flags.insert(flags.end(), {"--username", "operator", "--password-file"});
  flags.push_back((directory_ / "wrong").string());
  ExpectFailure(Drill(flags), "it does not take this user name and password");
  flags.back() = (directory_ / "right").string();
  const RunResult run = Drill(flags);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out + run.err, Not(HasSubstr("s3cret")));
  EXPECT_THAT(process->Stderr(), HasSubstr("msg=\"Drill begun\""));
  url_.erase(4, 1);  // http
  ExpectFailure(Drill(), "status 400 (400 this port speaks HTTPS, the request came in plain HTTP)");
}

}  // namespace
}  // namespace registry_backend::testing
