#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/integration/exporter_process.h"
#include "tests/integration/hostile_server.h"
#include "tests/support/free_port.h"
#include "tests/support/temp_dir.h"

// `healthcheck`, which a container's HEALTHCHECK runs.
namespace registry_backend::testing {
namespace {

using ::testing::HasSubstr;

RunResult Healthcheck(const std::string& url, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"healthcheck", "--url", url};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunExporter(REGISTRY_BACKEND_EXPORTER, arguments);
}

// Exactly one line that holds `what`, and exit status 1.
void ExpectSick(const RunResult& run, const std::string& what) {
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr(what));
  EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
}

TEST(Healthcheck, OfARunningExporterSaysNothing) {
  const TempDir directory("healthcheck");
  WriteFile(directory / "c.yml",
            "targets: [{registry: \"http://127.0.0.1:1\", repository: team/app}]\n");
  const ExporterProcess exporter(REGISTRY_BACKEND_EXPORTER, directory / "c.yml",
                                 {"--storage.path", (directory / "data").string()});
  for (const char* path : {"", "/", "/-/healthy"}) {
    const RunResult run = Healthcheck(exporter.url() + path);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.out + run.err, "");
  }
  ExpectSick(Healthcheck(exporter.url() + "/elsewhere"), "/elsewhere/-/healthy: status 404");
}

TEST(Healthcheck, WhereNobodyListensIsAFailure) {
  ExpectSick(Healthcheck("http://127.0.0.1:1"), "http://127.0.0.1:1/-/healthy");
}

TEST(Healthcheck, AnyOtherStatusIsAFailureAndNoRedirectIsFollowed) {
  HostileServer server;
  server.On("/-/healthy", HttpText(503, "no"));
  ExpectSick(Healthcheck(server.http()), "/-/healthy: status 503");
  server.On("/-/healthy", RedirectTo("/fine"));
  server.On("/fine", HttpText(200, "yes"));
  ExpectSick(Healthcheck(server.http()), "/-/healthy: status 307");
  EXPECT_TRUE(server.Requests("/fine").empty());
}

TEST(Healthcheck, VerifiesTheCertificateUnlessToldNotTo) {
  HostileServer server;
  server.On("/-/healthy", HttpText(200, "yes"));
  ExpectSick(Healthcheck(server.https()), "certificate");
  EXPECT_EQ(Healthcheck(server.https(), {"--insecure-skip-verify"}).exit_code, 0);
}

TEST(Healthcheck, GoesPastTheEnvironmentsProxy) {
  HostileServer server;
  HostileServer proxy;
  server.On("/-/healthy", HttpText(200, "yes"));
  SubprocessOptions options = HermeticOptions();
  options.env["http_proxy"] = proxy.http();
  EXPECT_EQ(RunExporter(REGISTRY_BACKEND_EXPORTER, {"healthcheck", "--url", server.http()}, options)
                .exit_code,
            0);
  EXPECT_EQ(proxy.accepted(), 0);
}

TEST(Healthcheck, EndsWhereNoAnswerComes) {
  HostileServer server;
  server.On("/-/healthy", [](const HostileRequest&, HostilePeer& peer) {
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
    peer.raw().Stall();
  });
  const auto start = std::chrono::steady_clock::now();
  ExpectSick(Healthcheck(server.http()), "/-/healthy");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

TEST(Healthcheck, AUrlThatCannotBeUsedIsAUsageError) {
  for (const char* url : {"ftp://127.0.0.1", "nowhere", "http://user:SECRET@127.0.0.1:1",
                          "http://127.0.0.1:1/?t=SECRET"}) {
    const RunResult run = Healthcheck(url);
    EXPECT_EQ(run.exit_code, 2) << url;
    EXPECT_THAT(run.err, ::testing::Not(HasSubstr("SECRET")));
  }
}

}  // namespace
}  // namespace registry_backend::testing
