// What the exporter answers programs: /api/v1/, /config and the lifecycle calls, as a client sees
// it and as docs/openapi.yaml says it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::Eventually;
using testing::ExporterProcess;
using ::testing::HasSubstr;
using testing::HttpAnswer;
using testing::HttpGet;
using testing::HttpPost;
using ::testing::Not;
namespace sim = simulator;

constexpr char kFirstHost[] = "bucket.s3.eu-central-1.amazonaws.com";
constexpr char kOtherHost[] = "cdn.example:8443";

// Two targets at one registry: `app`, which can be scanned, and `shut`, whose password is wrong.
class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    sim::Options options;
    options.backend = kFirstHost;
    options.authentication = sim::Authentication::kBasic;
    options.username = "user";
    options.password = "s3cret";
    registry_ = std::make_unique<sim::Simulator>(
        options, sim::Generate({.repository = "team/app", .tags = 2, .layers_per_tag = 3}));
    const std::string registry = "  - registry: \"" + registry_->base_url() + "\"\n";
    testing::WriteFile(
        directory_ / "config.yml",
        "scan: {interval: 24h, retry_interval: 1h, max_requests_per_second: 0}\ntargets:\n" +
            registry +
            "    name: app\n    repository: team/app\n    team: platform\n"
            "    basic_auth: {username: user, password: s3cret}\n"
            "    policy: {approved_hosts: [\"*.amazonaws.com\"], allowed_regions: "
            "[eu-central-1]}\n" +
            registry +
            "    name: shut\n    repository: team/shut\n"
            "    basic_auth: {username: user, password: wr0ng}\n");
    Serve();
  }

  void Serve(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--storage.path", (directory_ / "data").string(),
                                          "--web.enable-lifecycle"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    exporter_.reset();  // the directory is of one process at a time
    exporter_ = std::make_unique<ExporterProcess>(REGISTRY_BACKEND_EXPORTER,
                                                  directory_ / "config.yml", arguments);
  }

  [[nodiscard]] json Data(const std::string& path) const {
    const HttpAnswer answer = HttpGet(exporter_->url() + path);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.Header("Content-Type"), "application/json");
    const json body = json::parse(answer.body);
    EXPECT_EQ(body.at("status"), "success");
    return body.at("data");
  }
  [[nodiscard]] json Target(const std::string& name) const {
    return Data("/api/v1/targets?target=" + name).at(0);
  }
  bool AwaitScans(const std::string& name, int count) const {
    return Eventually(30s, [&] {
      return exporter_->Metric("registry_backend_scans_total",
                               {{"repository", "team/" + name},
                                {"outcome", name == "app" ? "complete" : "failed"}}) >= count;
    });
  }
  void ScanApp(int count) const {
    ASSERT_EQ(HttpPost(exporter_->url() + "/-/scan?target=app").status, 202);
    ASSERT_TRUE(AwaitScans("app", count));
  }

  const testing::TempDir directory_{"api"};
  std::unique_ptr<sim::Simulator> registry_;
  std::unique_ptr<ExporterProcess> exporter_;
};

std::vector<std::string> HostsOf(const json& endpoints, const std::string& serves, bool present) {
  std::vector<std::string> hosts;
  for (const json& endpoint : endpoints) {
    if (endpoint.at("serves") == serves && endpoint.at("present") == present) {
      hosts.push_back(endpoint.at("backend_host"));
    }
  }
  return hosts;
}

TEST_F(ApiTest, TellsTargetsEndpointsAndChanges) {
  ASSERT_TRUE(AwaitScans("app", 1) && AwaitScans("shut", 1));
  const json app = Target("app");
  EXPECT_EQ(app.at("registry"), registry_->authority());
  EXPECT_EQ(app.at("team"), "platform");
  EXPECT_EQ(app.at("newest_scan").at("outcome"), "complete");
  EXPECT_EQ(app.at("newest_scan").at("asked").at("tags"), 2);
  EXPECT_EQ(app.at("last_success"), app.at("newest_scan").at("finished"));
  EXPECT_EQ(app.at("scan_interval_seconds"), 86400);
  EXPECT_TRUE(app.at("newest_scan").at("error").is_null());
  EXPECT_TRUE(app.at("last_change").is_null());

  const json shut = Target("shut");
  EXPECT_EQ(shut.at("newest_scan").at("outcome"), "failed");
  EXPECT_EQ(shut.at("newest_scan").at("reasons"), json::array({"auth"}));
  EXPECT_THAT(shut.at("newest_scan").at("error"), HasSubstr("401"));
  EXPECT_TRUE(shut.at("newest_usable_scan").is_null());
  EXPECT_EQ(Data("/api/v1/targets").size(), 2U);

  const json endpoints = Data("/api/v1/endpoints?target=app");
  EXPECT_EQ(HostsOf(endpoints, "blobs", true), std::vector<std::string>{kFirstHost});
  for (const json& endpoint : endpoints) {
    if (endpoint.at("serves") != "blobs") continue;
    EXPECT_EQ(endpoint.at("provider"), "s3");
    EXPECT_EQ(endpoint.at("storage_region"), "eu-central-1");
    EXPECT_EQ(endpoint.at("approved"), true);
    EXPECT_EQ(endpoint.at("region_allowed"), true);
    EXPECT_TRUE(endpoint.at("changed").is_null());
  }
  EXPECT_EQ(Data("/api/v1/changes"), json::array());

  registry_->SetBackend(kOtherHost);
  ScanApp(2);
  const json moved = Data("/api/v1/endpoints");
  EXPECT_EQ(HostsOf(moved, "blobs", true), std::vector<std::string>{kOtherHost});
  EXPECT_EQ(HostsOf(moved, "blobs", false), std::vector<std::string>{kFirstHost});
  registry_->SetBackend(kFirstHost);
  ScanApp(3);
  std::vector<std::string> changes;
  for (const json& change : Data("/api/v1/changes")) {
    EXPECT_EQ(change.at("target"), "app");
    changes.push_back(change.at("change").get<std::string>() + " " +
                      change.at("backend_host").get<std::string>());
  }
  ASSERT_EQ(changes.size(), 4U);
  EXPECT_THAT(std::vector(changes.begin(), changes.begin() + 2),
              ::testing::UnorderedElementsAre(std::string("added ") + kFirstHost,
                                              std::string("removed ") + kOtherHost))
      << "the newest first";
}

TEST_F(ApiTest, GivesTheNewestUsableReport) {
  ASSERT_TRUE(AwaitScans("app", 1) && AwaitScans("shut", 1));
  const std::string url = exporter_->url() + "/api/v1/report";
  const HttpAnswer first = HttpGet(url + "?target=app");
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(first.Header("Content-Type"), "application/json");
  EXPECT_EQ(first.Header("Content-Length"), std::to_string(first.body.size()));
  const json report = json::parse(first.body);
  EXPECT_EQ(report.at("outcome"), "complete");
  EXPECT_EQ(report.at("summary").at("s3_endpoints"), json::array({kFirstHost}));

  EXPECT_THAT(HttpGet(url).body, HasSubstr("there are 2 targets; name one"));
  EXPECT_EQ(HttpGet(url).status, 400);
  EXPECT_EQ(HttpGet(url + "?target=shut").status, 404);
  EXPECT_THAT(HttpGet(url + "?target=nobody").body, HasSubstr("there is no target 'nobody'"));

  // While one report takes another's place there is always one.
  for (int scan = 2; scan < 12; ++scan) {
    ASSERT_EQ(HttpPost(exporter_->url() + "/-/scan?target=app").status, 202);
    do {
      const HttpAnswer answer = HttpGet(url + "?target=app");
      ASSERT_EQ(answer.status, 200) << answer.body;
      ASSERT_TRUE(json::accept(answer.body));
    } while (exporter_->Metric("registry_backend_scans_total",
                               {{"repository", "team/app"}, {"outcome", "complete"}}) < scan);
  }
}

TEST_F(ApiTest, ShowsItsConfigurationWithoutSecrets) {
  const HttpAnswer answer = HttpGet(exporter_->url() + "/config");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("Content-Type"), "text/yaml; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("password: \"<secret>\""));
  EXPECT_THAT(answer.body, Not(HasSubstr("s3cret")));
  EXPECT_THAT(answer.body, Not(HasSubstr("wr0ng")));
  testing::WriteFile(directory_ / "config.yml",
                     "targets: [{registry: \"" + registry_->base_url() + "\", repository: a/b}]\n");
  EXPECT_THAT(HttpGet(exporter_->url() + "/config").body, Not(HasSubstr("a/b")));
  ASSERT_EQ(HttpPost(exporter_->url() + "/-/reload").status, 200);
  EXPECT_THAT(HttpGet(exporter_->url() + "/config").body, HasSubstr("a/b"));
}

TEST_F(ApiTest, NamesEachPresentHostOnceForDiscovery) {
  ASSERT_TRUE(AwaitScans("app", 1) && AwaitScans("shut", 1));
  registry_->SetBackend(kOtherHost);
  ScanApp(2);
  const HttpAnswer answer = HttpGet(exporter_->url() + "/api/v1/sd");
  EXPECT_EQ(answer.Header("Content-Type"), "application/json") << "what Prometheus insists on";
  const auto group = [](const std::string& address, const std::string& host,
                        const std::string& url) {
    return json{
        {"targets", {address}},
        {"labels", {{"__meta_registry_backend_host", host}, {"__meta_registry_backend_url", url}}}};
  };
  const std::string registry = registry_->authority();
  EXPECT_EQ(
      json::parse(answer.body),
      json::array({group(registry, registry, "http://" + registry + "/"),
                   group(kOtherHost, kOtherHost, std::string("https://") + kOtherHost + "/")}));
  registry_->SetBackend(kFirstHost);
  ScanApp(3);
  EXPECT_THAT(HttpGet(exporter_->url() + "/api/v1/sd").body,
              HasSubstr(std::string("[\"") + kFirstHost + ":443\"]"));
}

TEST_F(ApiTest, GivesNoAllowlistThatLacksHosts) {
  ASSERT_TRUE(AwaitScans("app", 1) && AwaitScans("shut", 1));
  const std::string url = exporter_->url() + "/api/v1/allowlist";
  const HttpAnswer list = HttpGet(url + "?target=app");
  EXPECT_EQ(list.status, 200);
  EXPECT_THAT(list.body, HasSubstr(std::string("\n") + kFirstHost + "\n"));
  EXPECT_THAT(list.body, HasSubstr("\n127.0.0.1\n"));
  // Of the other target nothing is known.
  const HttpAnswer none = HttpGet(url);
  EXPECT_EQ(none.status, 503);
  EXPECT_THAT(none.body, HasSubstr("team/shut"));
  EXPECT_THAT(none.body, Not(HasSubstr(kFirstHost)));
}

TEST_F(ApiTest, IsWhatItsDocumentSays) {
  const auto check = [this](std::vector<std::string> requests) {
    std::vector<std::string> argv = {"python3", OPENAPI_CHECK_SCRIPT,
                                     REGISTRY_BACKEND_SOURCE_DIR "/docs/openapi.yaml",
                                     exporter_->url()};
    argv.insert(argv.end(), requests.begin(), requests.end());
    const testing::RunResult run = testing::RunToEnd(argv, {}, 60s);
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  };
  ASSERT_TRUE(AwaitScans("app", 1) && AwaitScans("shut", 1));
  registry_->SetBackend(kOtherHost);
  ScanApp(2);
  registry_->SetLatency(200ms);
  check({"GET / 200",
         "GET /metrics 200",
         "GET /-/healthy 200",
         "GET /-/ready 200",
         "GET /config 200",
         "GET /api/v1/targets 200",
         "GET /api/v1/targets?target=x 404",
         "GET /api/v1/endpoints 200",
         "GET /api/v1/endpoints?target=x 404",
         "GET /api/v1/changes 200",
         "GET /api/v1/changes?target=x 404",
         "GET /api/v1/report?target=app 200",
         "GET /api/v1/report 400",
         "GET /api/v1/report?target=shut 404",
         "GET /api/v1/sd 200",
         "GET /api/v1/allowlist?target=app 200",
         "GET /api/v1/allowlist?target=app&format=json 200",
         "GET /api/v1/allowlist?target=app&format=squid 200",
         "GET /api/v1/allowlist?target=app&format=cilium 200",
         "GET /api/v1/allowlist?target=app&format=config 200",
         "GET /api/v1/allowlist 503",
         "GET /api/v1/allowlist?format=xml 400",
         "GET /api/v1/allowlist?target=x 404",
         "POST /-/scan?target=app 202",
         "POST /-/scan?target=app 409",
         "POST /-/scan?target=x 404",
         "POST /-/drill 400",
         "POST /-/drill?target=x 404",
         "POST /-/drill?target=app&stop=true 409",
         "POST /-/drill?target=app 202",
         "GET /api/v1/targets 200",
         "POST /-/drill?target=app 409",
         "POST /-/drill?target=app&stop=true 202",
         "POST /-/drill?target=app&stop=true 202",
         "POST /-/reload 200"});
}

TEST_F(ApiTest, LifecycleCallsOfOtherSitesAreRefused) {
  ASSERT_TRUE(AwaitScans("app", 1));
  for (const char* path : {"/-/scan", "/-/reload", "/-/drill"}) {
    for (const auto& field : {std::pair<std::string, std::string>{"Origin", "https://evil.example"},
                              {"Origin", "null"},
                              {"Sec-Fetch-Site", "cross-site"}}) {
      const HttpAnswer answer =
          HttpPost(exporter_->url() + path, "", "text/plain", {.headers = {field}});
      EXPECT_EQ(answer.status, 403) << path << field.second;
      EXPECT_THAT(answer.body, HasSubstr("a request from another site is refused"));
    }
    EXPECT_EQ(HttpGet(exporter_->url() + path).status, 405) << "an image or a link of a page";
  }
  EXPECT_EQ(exporter_->Metric("registry_backend_scans_total",
                              {{"repository", "team/app"}, {"outcome", "complete"}}),
            1);
}

// Whether or not the proxy takes its own part of the path away, and with the Host of its own
// making.
TEST_F(ApiTest, IsServedBehindAReverseProxy) {
  Serve({"--web.external-url", "https://ops.example/backends/"});
  const std::string page = HttpGet(exporter_->url() + "/backends/").body;
  const std::string link = "href=\"/backends/api/v1/targets\"";
  EXPECT_THAT(page, HasSubstr(link));
  EXPECT_THAT(HttpGet(exporter_->url() + "/").body, HasSubstr(link));
  EXPECT_EQ(HttpGet(exporter_->url() + "/backends/api/v1/targets").status, 200);
  EXPECT_EQ(HttpGet(exporter_->url() + "/backends/-/healthy").status, 200);
  EXPECT_EQ(HttpPost(exporter_->url() + "/backends/-/reload", "", "text/plain",
                     {.headers = {{"Origin", "https://ops.example"}}})
                .status,
            200);
}

}  // namespace
}  // namespace registry_backend
