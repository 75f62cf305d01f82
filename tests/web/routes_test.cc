#include "exporter/web/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <latch>
#include <memory>
#include <thread>

#include "exporter/inventory/apply.h"
#include "exporter/web/status_page.h"
#include "tests/http/fake_transport.h"
#include "tests/http/shared_loop.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using testing::Eventually;
using testing::FakeTransport;
using ::testing::HasSubstr;
using testing::MakeResponse;
using ::testing::Not;
using testing::SharedLoop;
using ::testing::StartsWith;

constexpr auto kSoon = seconds(20);
const BuildInfo kBuild{"1.2.3", "abc", "g++"};

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() { Make({}); }

  // Two targets: one that can be scanned, and one whose password cannot be read.
  void Make(const WebOptions& options) {
    TargetOptions good{.name = "app",
                       .team = "platform",
                       .registry = {*Url::Parse("https://registry.example"), "team/app", nullptr}};
    TargetOptions bad{.name = "<script>alert('1')</script>",
                      .registry = {*Url::Parse("https://registry.example"), "team/bad", nullptr},
                      .credentials = {.kind = CredentialsSource::Kind::kBasic,
                                      .username = "u",
                                      .password_file = "/nonexistent/\"<b>&"}};
    monitor_.reset();  // gives the storage's lock back
    monitor_ = std::make_unique<Monitor>(Network{loop_, transport_, pacer_, &http_},
                                         *Storage::Open(storage_.path()),
                                         std::vector<TargetOptions>{good, bad}, Logger());
    router_ = *MakeRouter(options, kBuild, *monitor_, http_);
  }

  server::Response Ask(const std::string& method, const std::string& path,
                       std::vector<std::pair<std::string, std::string>> fields = {},
                       std::multimap<std::string, std::string> query = {}) {
    return router_.Handle({method, path, std::move(query), std::move(fields)});
  }

  static std::string Text(const server::Response& response) {
    return std::to_string(response.status) + " " + (response.body ? *response.body : "");
  }

  // What POST /-/scan says.
  std::string Scan(std::vector<std::pair<std::string, std::string>> fields = {},
                   std::multimap<std::string, std::string> query = {}) {
    return Text(Ask("POST", "/-/scan", std::move(fields), std::move(query)));
  }

  // Lets the network run until the target is no longer being scanned and was so `scans` times.
  bool Scanned(std::size_t target, std::uint64_t scans) {
    return Eventually(kSoon, [&] {
      loop_.Advance(milliseconds(10));
      const auto snapshot = monitor_->Current();
      std::uint64_t finished = 0;
      for (const auto& [outcome, count] : snapshot->targets[target]->state.scans) finished += count;
      return finished == scans && !snapshot->targets[target]->scanning;
    });
  }

  SharedLoop loop_;
  FakeTransport transport_{loop_.loop, [](const Request& request) {
                             if (request.operation == "tags")
                               return MakeResponse(200, R"({"tags":["t"]})");
                             if (request.operation == "blob") return MakeResponse(206);
                             return MakeResponse(
                                 200, R"({"schemaVersion":2,"config":{"digest":"sha256:)" +
                                          std::string(64, 'a') + R"("}})");
                           }};
  Pacer pacer_;
  HttpMetrics http_;
  const testing::TempDir storage_{"routes"};
  std::unique_ptr<Monitor> monitor_;
  server::Router router_;
};

TEST_F(RoutesTest, MetricsComeInTheFormatAskedFor) {
  const server::Response text = Ask("GET", "/metrics");
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(*text.body,
              AllOf(HasSubstr("\nregistry_backend_scans_total{registry=\"registry.example\","
                              "repository=\"team/app\",outcome=\"complete\"} 0\n"),
                    HasSubstr("\nregistry_backend_exporter_build_info{version=\"1.2.3\","
                              "revision=\"abc\",compiler=\"g++\"} 1\n"),
                    HasSubstr("\nprocess_cpu_seconds_total "), Not(HasSubstr("# EOF"))));

  const server::Response open =
      Ask("GET", "/metrics", {{"Accept", "application/openmetrics-text;version=1.0.0"}});
  EXPECT_EQ(open.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_THAT(*open.body,
              AllOf(HasSubstr("# TYPE registry_backend_scans counter\n"), EndsWith("\n# EOF\n")));
}

TEST_F(RoutesTest, MetricsFollowTheScans) {
  http_.OnRetry("registry.example", "timeout");
  Make({.enable_lifecycle = true});
  EXPECT_THAT(*Ask("GET", "/metrics").body, Not(HasSubstr("scan_outcome")));
  ASSERT_THAT(Scan(), StartsWith("202"));
  ASSERT_TRUE(Scanned(0, 1) && Scanned(1, 1));
  const std::string body = *Ask("GET", "/metrics").body;
  EXPECT_THAT(body, HasSubstr("\nregistry_backend_scan_outcome{registry=\"registry.example\","
                              "repository=\"team/app\",outcome=\"complete\"} 1\n"));
  EXPECT_THAT(body, HasSubstr("\nregistry_backend_scan_error{registry=\"registry.example\","
                              "repository=\"team/bad\",reason=\"credentials\"} 1\n"));
  EXPECT_THAT(body, HasSubstr("\nregistry_backend_http_retries_total{"));
  EXPECT_EQ(transport_.requests.size(), 3U) << "scraping never causes a scan";
}

TEST_F(RoutesTest, TheTelemetryPathMayBeAnother) {
  Make({.telemetry_path = "/custom"});
  EXPECT_EQ(Ask("GET", "/metrics").status, 404);
  EXPECT_THAT(*Ask("GET", "/custom").body, HasSubstr("registry_backend_target_info"));
  EXPECT_THAT(*Ask("GET", "/").body, HasSubstr("<a href=\"/custom\">"));
  Make({.telemetry_path = "/"});
  EXPECT_THAT(*Ask("GET", "/").body, HasSubstr("registry_backend_target_info"));
}

TEST_F(RoutesTest, LinksBeginWithTheExternalPath) {
  Make({.enable_lifecycle = true, .external_host = "ops.example", .path_prefix = "/a/b"});
  ASSERT_THAT(Scan(), StartsWith("202"));
  ASSERT_TRUE(Scanned(0, 1));
  const std::string page = *Ask("GET", "/").body;
  EXPECT_THAT(
      page,
      AllOf(HasSubstr("<a href=\"/a/b/metrics\">"), HasSubstr("<a href=\"/a/b/config\">"),
            HasSubstr("<a href=\"/a/b/api/v1/report?target="),
            HasSubstr("<a href=\"/a/b/api/v1/allowlist?format="), Not(HasSubstr("href=\"/api"))));
}

// The proxy may send its own name as Host.
TEST_F(RoutesTest, TheExternalHostsPagesMayAct) {
  Make({.enable_lifecycle = true, .external_host = "ops.example"});
  EXPECT_THAT(Scan({{"Host", "127.0.0.1:9877"}, {"Origin", "https://ops.example"}}),
              StartsWith("202"));
  EXPECT_THAT(Scan({{"Host", "127.0.0.1:9877"}, {"Origin", "https://other.example"}}),
              StartsWith("403"));
  Make({.enable_lifecycle = true});
  EXPECT_THAT(Scan({{"Host", "127.0.0.1:9877"}, {"Origin", "https://"}}), StartsWith("403"));
}

TEST_F(RoutesTest, TheTelemetryPathIsNoOthers) {
  for (const char* taken : {"/-/healthy", "/-/scan", "/api/v1/targets"}) {
    const auto router = MakeRouter({.telemetry_path = taken}, kBuild, *monitor_, http_);
    ASSERT_FALSE(router);
    EXPECT_THAT(router.error().message, HasSubstr(taken));
  }
  server::Router router;
  const auto route = [](const server::Request&) { return server::Response::Text(200, "a"); };
  router.Add("GET", "/a", route);
  router.Add("POST", "/a", route);
  EXPECT_THROW(router.Add("GET", "/a", route), std::logic_error);
}

// What tests/integration/api_test.cc then holds to the answers.
TEST_F(RoutesTest, AreAllInTheOpenApiDocument) {
  const ConfigurationAccess configuration{[] { return Ok(); }, [] { return ReloadState(); },
                                          [] { return std::string(); }};
  std::ifstream file(REGISTRY_BACKEND_SOURCE_DIR "/docs/openapi.yaml");
  std::vector<std::string> documented;
  std::string path;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("  /") && line.ends_with(":")) path = line.substr(2, line.size() - 3);
    if (line == "    get:") documented.push_back("GET " + path);
    if (line == "    post:") documented.push_back("POST " + path);
  }
  EXPECT_THAT(documented, ::testing::UnorderedElementsAreArray(
                              MakeRouter({}, kBuild, *monitor_, http_, configuration)->Routes()));
}

TEST_F(RoutesTest, ReloadsThatHangKeepNobodyFromThePage) {
  std::latch begun(20);
  std::promise<void> may_end;
  const std::shared_future<void> end = may_end.get_future().share();
  const ConfigurationAccess configuration{[&begun, end] {
                                            begun.count_down();
                                            end.wait();
                                            return Ok();
                                          },
                                          [] { return ReloadState(); },
                                          [] { return std::string(); }};
  const server::Router router =
      *MakeRouter({.enable_lifecycle = true}, kBuild, *monitor_, http_, configuration);
  std::vector<std::thread> reloads;
  for (int i = 0; i < 20; ++i) {
    reloads.emplace_back([&router] {
      EXPECT_EQ(router.Handle({"POST", "/-/reload", {}, {}}).status, 200);
    });
  }
  EXPECT_TRUE(Eventually(seconds(20), [&begun] { return begun.try_wait(); }));
  auto page = std::async(std::launch::async, [&router] {
    return router.Handle({"GET", "/", {}, {}}).status;
  });
  EXPECT_EQ(page.wait_for(seconds(20)), std::future_status::ready);
  may_end.set_value();
  for (std::thread& reload : reloads) reload.join();
  EXPECT_EQ(page.get(), 200);
}

TEST_F(RoutesTest, SaysThatItLives) {
  EXPECT_EQ(Text(Ask("GET", "/-/healthy")), "200 Healthy\n");
  EXPECT_EQ(Text(Ask("GET", "/-/ready")), "200 Ready\n");
  EXPECT_EQ(Ask("HEAD", "/-/healthy").status, 200);
  EXPECT_EQ(Ask("POST", "/-/healthy").status, 405);
  EXPECT_EQ(Ask("GET", "/-/").status, 404);
}

TEST_F(RoutesTest, ScansOnlyWithLifecycle) {
  EXPECT_EQ(Scan(),
            "403 {\"status\":\"error\",\"error\":\"lifecycle calls are off; start with "
            "--web.enable-lifecycle\"}\n");
  loop_.Advance(milliseconds(10));
  EXPECT_FALSE(monitor_->Current()->targets[0]->scanning);
  EXPECT_EQ(Ask("POST", "/-/scan").content_type, "application/json");
}

TEST_F(RoutesTest, ScansOnRequestButNotTwiceAtOnce) {
  Make({.enable_lifecycle = true});
  EXPECT_EQ(Scan({}, {{"target", "app"}}),
            "202 {\"status\":\"success\",\"data\":\"scan started\"}\n");
  EXPECT_EQ(Scan({}, {{"target", "app"}}),
            "409 {\"status\":\"error\",\"error\":\"a scan is under way\"}\n");
  EXPECT_EQ(Scan(), "202 {\"status\":\"success\",\"data\":\"scan started\"}\n")
      << "the other target";
  EXPECT_EQ(Scan(), "409 {\"status\":\"error\",\"error\":\"a scan is under way\"}\n");
  ASSERT_TRUE(Scanned(0, 1) && Scanned(1, 1));
  EXPECT_THAT(Scan({}, {{"target", "app"}}), StartsWith("202"));
  ASSERT_TRUE(Scanned(0, 2));
  EXPECT_EQ(monitor_->Current()->targets[1]->state.scans.at(ScanOutcome::kFailed), 1U);
}

TEST_F(RoutesTest, ScansNoTargetThatItDoesNotHave) {
  Make({.enable_lifecycle = true});
  EXPECT_EQ(Scan({}, {{"target", "team/app"}}),
            "404 {\"status\":\"error\",\"error\":\"there is no target 'team/app'\"}\n");
  EXPECT_EQ(
      Scan({}, {{"target", "\"<b>\n\xff"}}),
      "404 {\"status\":\"error\",\"error\":\"there is no target '\\\"<b>\\n\xEF\xBF\xBD'\"}\n");
  std::string umlauts = "x";
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  EXPECT_THAT(Scan({}, {{"target", umlauts}}), AllOf(StartsWith("404 {"), EndsWith("'\"}\n")));
  EXPECT_LT(Scan({}, {{"target", umlauts}}).size(), 300U);
}

TEST_F(RoutesTest, NoOtherSiteCanMakeItScan) {
  Make({.enable_lifecycle = true});
  const struct {
    std::vector<std::pair<std::string, std::string>> fields;
    bool refused;
  } kCases[] = {
      {{{"Host", "exporter:9877"}, {"Origin", "https://evil.example"}}, true},
      {{{"Host", "exporter:9877"}, {"Origin", "http://exporter"}}, true},
      {{{"Host", "exporter:9877"}, {"Origin", "http://exporter:9877.evil.example"}}, true},
      {{{"Host", "exporter:9877"}, {"Origin", "null"}}, true},
      {{{"Host", "exporter:9877"}, {"Origin", "exporter:9877"}}, true},
      {{{"Origin", "http://exporter:9877"}}, true},
      {{{"Host", "exporter:9877"}, {"Sec-Fetch-Site", "cross-site"}}, true},
      {{{"Host", "exporter:9877"}, {"Sec-Fetch-Site", "same-site"}}, true},
      {{{"Host", "exporter:9877"},
        {"Origin", "http://exporter:9877"},
        {"Sec-Fetch-Site", "cross-site"}},
       true},
      {{{"Host", "exporter:9877"},
        {"Origin", "https://evil.example"},
        {"Sec-Fetch-Site", "same-origin"}},
       true},
      {{{"Host", "exporter:9877"},
        {"Origin", "http://exporter:9877"},
        {"Sec-Fetch-Site", "same-origin"}},
       false},
      {{{"host", "exporter:9877"}, {"origin", "https://exporter:9877"}}, false},
      {{{"Host", "exporter:9877"}, {"Sec-Fetch-Site", "none"}}, false},
      {{}, false},
  };
  for (const auto& c : kCases) {
    std::string shown;
    for (const auto& [name, value] : c.fields) shown += name + ": " + value + "; ";
    // No such target: nothing begins, and 404 says that it would have.
    const std::string answer = Scan(c.fields, {{"target", "none"}});
    if (c.refused) {
      EXPECT_EQ(answer,
                "403 {\"status\":\"error\",\"error\":\"a request from another site is refused\"}\n")
          << shown;
    } else {
      EXPECT_THAT(answer, StartsWith("404 ")) << shown;
    }
  }
}

TEST_F(RoutesTest, AScanIsNotMadeByGet) {
  Make({.enable_lifecycle = true});
  for (const std::string method : {"GET", "HEAD", "PUT"}) {
    const server::Response response = Ask(method, "/-/scan");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.fields.at(0), std::pair(std::string("Allow"), std::string("POST")));
  }
  loop_.Advance(milliseconds(10));
  EXPECT_FALSE(monitor_->Current()->targets[0]->scanning);
}

TEST_F(RoutesTest, ThePageEscapesWhatItShows) {
  Make({.telemetry_path = "/m\"><i>", .enable_lifecycle = true});
  ASSERT_THAT(Scan(), StartsWith("202"));
  ASSERT_TRUE(Scanned(1, 1));
  const server::Response page = Ask("GET", "/");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(
      *page.body,
      AllOf(HasSubstr("<h2><bdi>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</bdi></h2>"),
            HasSubstr("/nonexistent/&quot;&lt;b&gt;&amp;: No such file or directory"),
            HasSubstr("href=\"/m&quot;&gt;&lt;i&gt;\""),
            HasSubstr("?target=%3Cscript%3Ealert%28%271%27%29%3C%2Fscript%3E\""),
            Not(HasSubstr("<script>alert")), Not(HasSubstr("<b>")), Not(HasSubstr("<i>"))));
  const std::map<std::string, std::string> fields(page.fields.begin(), page.fields.end());
  EXPECT_THAT(fields.at("Content-Security-Policy"),
              ::testing::MatchesRegex("default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; "
                                      "script-src 'sha256-[A-Za-z0-9+/=]+'; base-uri 'none'; "
                                      "form-action 'none'; frame-ancestors 'none'"));
  EXPECT_EQ(fields.at("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(fields.at("Referrer-Policy"), "no-referrer");
}

const WallTime kNow = WallTime(seconds(1'795'424'400));  // 2026-11-23 09:00:00 UTC

std::string Page(const std::vector<TargetSnapshot>& targets, WallTime now = kNow) {
  Snapshot snapshot;
  for (const TargetSnapshot& target : targets) {
    snapshot.targets.push_back(std::make_shared<const TargetSnapshot>(target));
  }
  return *StatusPage(snapshot, kBuild, WebOptions(), now).body;
}
std::string Page(const TargetSnapshot& target, WallTime now = kNow) {
  return Page(std::vector{target}, now);
}

// A time as the page writes it, and how far off it is.
std::string At(const std::string& distance, const std::string& hour) {
  return distance + " <span class=\"soft\"><time datetime=\"2026-11-23T" + hour +
         ":00:00.000Z\">2026-11-23 " + hour + ":00:00 UTC</time></span>";
}

ScanResult FinishedScan(ScanOutcome outcome) {
  ScanResult result;
  result.outcome = outcome;
  result.finished = kNow;
  result.took = seconds(90);
  result.asked = {4, 10, 86};
  if (outcome != ScanOutcome::kComplete) {
    result.unresolved.blobs = 25;
    result.AddError({ScanError::Scope::kBlob, "", "d", {ErrorKind::kTimeout, "too slow"}});
  }
  result.endpoints[{Serves::kBlobs, *Host::Parse("cdn.example")}] = {{"s3", "b", "eu-west-1", ""},
                                                                     61};
  return result;
}

TEST(StatusPage, BeforeAnyScan) {
  TargetSnapshot target{.name = "app"};
  EXPECT_THAT(Page(target), AllOf(HasSubstr("<dt>Newest scan</dt><dd class=\"\">none yet</dd>"),
                                  HasSubstr("<span class=\"badge none\">not scanned yet</span>"),
                                  HasSubstr("None are known yet."), HasSubstr("No list yet: "),
                                  HasSubstr("Version 1.2.3, revision abc"),
                                  Not(HasSubstr("<dt>Next scan</dt>")), Not(HasSubstr("1970-"))));
  target.scanning = true;
  target.next_scan = kNow + hours(3);
  EXPECT_THAT(Page(target),
              AllOf(HasSubstr("<dt>Now</dt><dd class=\"\">scanning</dd>"),
                    HasSubstr("<span class=\"badge none\">first scan</span>"),
                    HasSubstr("<dt>Next scan</dt><dd class=\"\">" + At("in 3 h", "12") + "</dd>"),
                    Not(HasSubstr("none yet"))));
}

TEST(StatusPage, AfterScans) {
  TargetSnapshot target{.name = "app"};
  registry_backend::Apply(FinishedScan(ScanOutcome::kComplete), {}, target.state);
  EXPECT_THAT(
      Page(target, kNow + std::chrono::minutes(5)),
      AllOf(HasSubstr("<span class=\"badge good\">up to date</span>"),
            HasSubstr("<dt>Newest scan</dt><dd class=\"good\">complete</dd>"),
            HasSubstr("<dt>Ended</dt><dd class=\"\">" + At("5 min ago", "09") + "</dd>"),
            HasSubstr("<dt>Took</dt><dd class=\"\">1m30s</dd>"),
            HasSubstr("<dt>Coverage</dt><dd class=\"\">100.0 %</dd>"),
            HasSubstr("<dt>Blobs</dt><dd class=\"\">86</dd>"),
            HasSubstr("<th scope=\"row\"><code>cdn.example</code></th>"
                      "<td data-label=\"Serves\">blobs</td>"
                      "<td data-label=\"State\"><span class=\"badge good\">present</span></td>"
                      "<td data-label=\"Provider\"><bdi>s3</bdi><small>bucket <bdi>b</bdi></small>"
                      "</td><td data-label=\"Region\"><bdi>eu-west-1</bdi></td>"
                      "<td data-label=\"Blobs\">61</td>"),
            HasSubstr("\ncdn.example\n</textarea>"), Not(HasSubstr("class=\"note"))));

  registry_backend::Apply(FinishedScan(ScanOutcome::kPartial), {}, target.state);
  EXPECT_THAT(Page(target), AllOf(HasSubstr("<dt>Newest scan</dt><dd class=\"fair\">partial</dd>"),
                                  HasSubstr("<strong>The newest scan is not complete:</strong> "
                                            "<bdi>too slow</bdi></p>"),
                                  HasSubstr("<dt>Coverage</dt><dd class=\"\">75.0 %</dd>")));

  registry_backend::Apply(FinishedScan(ScanOutcome::kFailed), {}, target.state);
  EXPECT_THAT(Page(target),
              AllOf(HasSubstr("<dt>Newest scan</dt><dd class=\"bad\">failed</dd>"),
                    HasSubstr("(2 in a row without a complete one):</strong> <bdi>too slow</bdi>"),
                    HasSubstr("<dt>Coverage</dt><dd class=\"\">75.0 %</dd>")));
}

TEST(StatusPage, ShowsWhatCameAndWentTheNewestFirst) {
  TargetSnapshot target{.name = "app"};
  ScanResult scan = FinishedScan(ScanOutcome::kComplete);
  registry_backend::Apply(scan, {}, target.state);
  EXPECT_THAT(Page(target), HasSubstr("None since "));
  scan.finished += hours(1);
  scan.endpoints.clear();
  registry_backend::Apply(scan, {}, target.state);
  const std::string page = Page(target, kNow + hours(3));
  EXPECT_THAT(page, AllOf(HasSubstr("<span class=\"badge none\">absent</span><small>went 2 h ago"),
                          HasSubstr("<li class=\"removed\"><span class=\"at\">2 h ago"),
                          Not(HasSubstr("Latest changes"))));
  for (int i = 2; i < 12; ++i) {
    scan.finished += hours(1);
    scan.endpoints = i % 2 == 0 ? FinishedScan(ScanOutcome::kComplete).endpoints
                                : std::map<EndpointKey, SeenEndpoint>();
    registry_backend::Apply(scan, {}, target.state);
  }
  const std::string folded = Page(target, kNow + hours(20));
  EXPECT_THAT(folded, HasSubstr("<summary>6 earlier changes</summary>"));
  EXPECT_LT(folded.find(">9 h ago"), folded.find("10 h ago"));
  EXPECT_LT(folded.find("10 h ago"), folded.find("earlier changes"));
}

TEST(StatusPage, BeginsWithWhatAllTargetsHaveInCommon) {
  TargetSnapshot moved{.name = "moved"};
  ScanResult scan = FinishedScan(ScanOutcome::kComplete);
  registry_backend::Apply(scan, {}, moved.state);
  scan.endpoints.clear();
  registry_backend::Apply(scan, {}, moved.state);
  const std::string page = Page({TargetSnapshot{.name = "a&b"}, moved});
  EXPECT_THAT(page, AllOf(HasSubstr("2 targets, as of "), HasSubstr("<h2>Latest changes</h2>"),
                          HasSubstr(" · <a href=\"#target-2\"><bdi>moved</bdi></a></li>"),
                          HasSubstr("<a href=\"#target-1\"><bdi>a&amp;b</bdi></a>"),
                          HasSubstr("<section id=\"target-1\">"),
                          HasSubstr("/api/v1/endpoints?target=a%26b\"")));
}

TEST(StatusPage, SaysWhatIsStale) {
  TargetSnapshot target{.name = "app", .interval = hours(6)};
  registry_backend::Apply(FinishedScan(ScanOutcome::kComplete), {}, target.state);
  EXPECT_THAT(Page(target, kNow + hours(12)), HasSubstr(">up to date</span>"));
  EXPECT_THAT(Page(target, kNow + hours(12) + seconds(1)),
              HasSubstr("<span class=\"badge fair\">stale</span>"));
}

TEST(StatusPage, HoldsHostsAgainstThePolicy) {
  TargetSnapshot target{.name = "app"};
  registry_backend::Apply(FinishedScan(ScanOutcome::kComplete), {}, target.state);
  EXPECT_THAT(Page(target), Not(HasSubstr("Approved")));
  target.policy =
      std::make_shared<const Policy>(Policy{{*HostPattern::Parse("other.example")}, {"us-east-1"}});
  EXPECT_THAT(
      Page(target),
      AllOf(HasSubstr("<td data-label=\"Approved\"><span class=\"badge bad\">no</span></td>"),
            HasSubstr("<bdi>eu-west-1</bdi> <span class=\"badge bad\">not allowed</span>")));
}

TEST(StatusPage, ShowsTheNewestTags) {
  TargetSnapshot target{.name = "app"};
  registry_backend::Apply(FinishedScan(ScanOutcome::kComplete), {}, target.state);
  EXPECT_THAT(Page(target), Not(HasSubstr("<h3>Tags</h3>")));
  const std::string digest = "sha256:" + std::string(64, 'd');
  target.state.tags = {
      {"v2", "application/vnd.oci.image.index.v1+json", "linux/amd64,linux/arm64", 9, digest, 7},
      {"v1", "odd/type", "", 3}};
  EXPECT_THAT(
      Page(target),
      AllOf(HasSubstr("<summary>2 newest of 4 tags</summary>"),
            HasSubstr("<code>v2</code></th><td data-label=\"Digest\"><code title=\"" + digest +
                      "\">sha256:dddddddddddd…</code></td>"
                      "<td data-label=\"Type\"><bdi>OCI index</bdi></td>"
                      "<td data-label=\"Platforms\"><bdi>linux/amd64, linux/arm64</bdi></td>"
                      "<td data-label=\"Layers\">7</td><td data-label=\"Blobs\">9</td>"),
            HasSubstr("<bdi>odd/type</bdi>")));
}

TEST(StatusPage, SaysWhatIsNotOnDisk) {
  TargetSnapshot target{.name = "app"};
  EXPECT_THAT(Page(target), Not(HasSubstr("disk")));
  target.saved = false;
  target.loaded = false;
  EXPECT_THAT(Page(target), AllOf(HasSubstr("could not be written to disk"),
                                  HasSubstr("could not be read at the start")));
}

TEST(StatusPage, CountsWhatHasNoAnswerAndWhatCannotBePulledOnlyWhereThereIsSome) {
  TargetSnapshot target{.name = "app"};
  ScanResult result = FinishedScan(ScanOutcome::kComplete);
  registry_backend::Apply(result, {}, target.state);
  EXPECT_THAT(Page(target), AllOf(Not(HasSubstr("unresolved")), Not(HasSubstr("unpullable"))));

  result.unpullable = {1, 2, 3};
  registry_backend::Apply(result, {}, target.state);
  EXPECT_THAT(Page(target),
              AllOf(Not(HasSubstr("unresolved")),
                    HasSubstr("<dt>Manifests</dt><dd class=\"fair\">10, 2 unpullable</dd>")));

  registry_backend::Apply(FinishedScan(ScanOutcome::kPartial), {}, target.state);
  EXPECT_THAT(Page(target),
              AllOf(HasSubstr("<dt>Blobs</dt><dd class=\"fair\">86, 25 unresolved</dd>"),
                    Not(HasSubstr("unpullable"))));
}

TEST(StatusPage, NeedsNothingFromElsewhere) {
  const std::string page = Page(TargetSnapshot{.name = "app"});
  for (const std::string_view outside :
       {" src=", "<link", "<img", "http://", "https://", "@import", "url(", " style="}) {
    EXPECT_THAT(page, Not(HasSubstr(std::string(outside))));
  }
}

}  // namespace
}  // namespace registry_backend
