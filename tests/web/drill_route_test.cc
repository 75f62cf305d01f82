#include "exporter/web/drill_route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "exporter/web/routes.h"
#include "exporter/web/status_page.h"
#include "tests/http/fake_transport.h"
#include "tests/http/shared_loop.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using testing::Eventually;
using testing::FakeTransport;
using ::testing::HasSubstr;
using testing::MakeResponse;
using ::testing::Not;
using testing::SharedLoop;

const WallTime kNow = WallTime(seconds(1'795'424'400));  // 2026-11-23 09:00:00 UTC
const std::string kHost(Drill::kHost);
using Query = std::multimap<std::string, std::string>;

class DrillRoute : public ::testing::Test {
 protected:
  DrillRoute() { Make({"app"}, {.enable_lifecycle = true}); }

  void Make(const std::vector<std::string>& names, const WebOptions& options) {
    std::vector<TargetOptions> targets;
    for (const std::string& name : names) {
      targets.push_back(
          {.name = name, .registry = {*Url::Parse("https://r.example"), "team/" + name, nullptr}});
      targets.back().scan.max_requests_per_second = 0;
    }
    monitor_.reset();  // gives the storage's lock back
    monitor_ = std::make_unique<Monitor>(Network{loop_, transport_, pacer_, &http_},
                                         *Storage::Open(storage_.path()), std::move(targets),
                                         Logger(), [] { return kNow; });
    router_ = *MakeRouter(options, {"1.2.3", "abc", "g++"}, *monitor_, http_);
  }

  std::string Ask(const std::string& method, const std::string& path, Query query = {},
                  std::vector<std::pair<std::string, std::string>> fields = {}) {
    const server::Response response =
        router_.Handle({method, path, std::move(query), std::move(fields)});
    loop_.Advance(seconds(0));
    return std::to_string(response.status) + " " + (response.body ? *response.body : "");
  }
  std::string Post(Query query = {}) { return Ask("POST", "/-/drill", std::move(query)); }

  // A refusal's status and message.
  static std::string Refusal(const std::string& status, const std::string& message) {
    return status + " {\"status\":\"error\",\"error\":\"" + message + "\"}\n";
  }

  SharedLoop loop_;
  FakeTransport transport_{loop_.loop, [](const Request& request) {
                             if (request.operation == "tags") {
                               return MakeResponse(200, R"({"tags":["t"]})");
                             }
                             if (request.operation == "blob") return MakeResponse(206);
                             return MakeResponse(
                                 200, R"({"schemaVersion":2,"config":{"digest":"sha256:)" +
                                          std::string(64, 'a') + R"("}})");
                           }};
  Pacer pacer_;
  HttpMetrics http_;
  const testing::TempDir storage_{"drill-route"};
  std::unique_ptr<Monitor> monitor_;
  server::Router router_;
};

TEST_F(DrillRoute, BeginsOneAndSaysWhatIsToBeSeenWhen) {
  EXPECT_EQ(Post({{"duration", "5m"}}),
            "202 {\"status\":\"success\",\"data\":{\"target\":\"app\",\"registry\":\"r.example\","
            "\"repository\":\"team/app\",\"drill\":{\"serves\":\"blobs\",\"backend_host\":"
            "\"drill.registry-backend.invalid\",\"present\":true,"
            "\"appeared\":\"2026-11-23T09:00:00.000Z\",\"vanishes\":\"2026-11-23T09:05:00.000Z\","
            "\"ends\":\"2026-11-23T09:10:00.000Z\"}}}\n");
  EXPECT_EQ(Post(), Refusal("409",
                            "a drill of 'app' is under way until 2026-11-23T09:10:00.000Z; "
                            "stop=true ends it sooner"));
}

TEST_F(DrillRoute, EndsOneBeforeItsTime) {
  EXPECT_EQ(Post({{"stop", "true"}}), Refusal("409", "no drill of 'app' is under way"));
  EXPECT_THAT(Post({{"serves", "tokens"}}), HasSubstr("\"vanishes\":\"2026-11-23T09:10:00.000Z\""))
      << "by default it is there for ten minutes";
  EXPECT_THAT(Post({{"stop", "true"}}),
              AllOf(HasSubstr("202 "), HasSubstr("\"serves\":\"tokens\""),
                    HasSubstr("\"present\":false"), HasSubstr("\"ends\":\"2026-11-23T09:10:00")));
  EXPECT_THAT(Post({{"stop", "true"}}), AllOf(HasSubstr("202 "), HasSubstr("\"drill\":null")));
  EXPECT_THAT(Post({{"stop", "true"}}), HasSubstr("409 "));
}

TEST_F(DrillRoute, SaysWhatIsWrongWithARequest) {
  EXPECT_EQ(
      Post({{"duration", "soon"}}),
      Refusal("400", "duration: 'soon' is not a duration (expected one like 90s, 1h30m or 30d)"));
  EXPECT_EQ(Post({{"duration", "25h"}}),
            Refusal("400", "duration: '25h' is no duration for a drill (expected 1s to 1d)"));
  EXPECT_EQ(Post({{"serves", "layers"}}),
            Refusal("400", "serves: 'layers' is not one of api, tokens, manifests, blobs"));
  EXPECT_EQ(Post({{"stop", "yes"}}), Refusal("400", "stop: expected true or false"));
  EXPECT_EQ(Post({{"target", "none"}}), Refusal("404", "there is no target 'none'"));
  EXPECT_EQ(Post({{"stop", "true"}, {"duration", "5m"}}),
            Refusal("400", "stop=true goes with neither duration nor serves"));
  EXPECT_EQ(
      Post({{"durations", "1s"}}),
      Refusal("400", "unknown parameter 'durations': there are target, duration, serves and stop"));
  EXPECT_EQ(Ask("POST", "/-/drill", {}, {{"Content-Length", "9"}}),
            Refusal("400", "parameters belong into the URL, not into the body"));
  EXPECT_THAT(Post({{"duration", std::string(5000, 'x')}, {"target", "app"}}).size(),
              ::testing::Lt(300U));
  EXPECT_EQ(monitor_->Current()->targets[0]->drill, std::nullopt) << "none of these began one";
}

TEST_F(DrillRoute, WantsANameWhereThereAreSeveralTargets) {
  Make({"app", "other"}, {.enable_lifecycle = true});
  EXPECT_EQ(Post(), Refusal("400", "there are 2 targets; name one: ?target=NAME"));
  EXPECT_THAT(Post({{"target", "other"}}), HasSubstr("202 "));
  EXPECT_EQ(monitor_->Current()->targets[0]->drill, std::nullopt);
  EXPECT_TRUE(monitor_->Current()->targets[1]->drill);
}

TEST_F(DrillRoute, IsForThoseWhoMayMakeTheExporterAct) {
  EXPECT_EQ(Ask("POST", "/-/drill", {}, {{"Sec-Fetch-Site", "cross-site"}}),
            Refusal("403", "a request from another site is refused"));
  EXPECT_THAT(Ask("GET", "/-/drill"), HasSubstr("405 "));
  Make({"app"}, {});
  EXPECT_EQ(Post(), Refusal("403", "lifecycle calls are off; start with --web.enable-lifecycle"));
  EXPECT_EQ(monitor_->Current()->targets[0]->drill, std::nullopt);
}

TEST_F(DrillRoute, ItsHostIsInTheMetricsAndMarkedOnThePageAndNowhereElse) {
  ASSERT_EQ(monitor_->RequestScan("app"), Monitor::ScanRequest::kAccepted);
  ASSERT_TRUE(Eventually(seconds(20), [&] {
    loop_.Advance(std::chrono::milliseconds(10));
    return !monitor_->Current()->targets[0]->scanning;
  }));
  const std::vector<std::string> paths = {"/api/v1/endpoints", "/api/v1/changes", "/api/v1/sd",
                                          "/api/v1/allowlist"};
  std::map<std::string, std::string> before;
  for (const std::string& path : paths) {
    before[path] = Ask("GET", path);
    EXPECT_THAT(before[path], HasSubstr("200 ")) << path;
  }
  ASSERT_THAT(Post(), HasSubstr("202 "));
  for (const std::string& path : paths) EXPECT_EQ(Ask("GET", path), before[path]) << path;

  const json target = json::parse(Ask("GET", "/api/v1/targets").substr(4)).at("data").at(0);
  EXPECT_EQ(target.at("drill").at("backend_host"), kHost);
  EXPECT_THAT(Ask("GET", "/metrics"),
              HasSubstr("registry_backend_endpoint_present{registry=\"r.example\",repository="
                        "\"team/app\",serves=\"blobs\",backend_host=\"" +
                        kHost + "\"} 1\n"));
  const std::string page = Ask("GET", "/");
  EXPECT_THAT(page, HasSubstr("<strong>A drill is under way:</strong> <code>" + kHost));
  EXPECT_EQ(page.find(kHost), page.rfind(kHost)) << "not among the hosts, nor in the allowlist";
}

std::string Page(const std::vector<TargetSnapshot>& targets, WallTime now) {
  Snapshot snapshot;
  for (const TargetSnapshot& target : targets) {
    snapshot.targets.push_back(std::make_shared<const TargetSnapshot>(target));
  }
  return *StatusPage(snapshot, {}, {}, now).body;
}

TEST(StatusPage, SaysThatADrillIsUnderWay) {
  TargetSnapshot target{.name = "app"};
  EXPECT_THAT(Page({target}, kNow), Not(HasSubstr("drill")));
  target.drill = {.appeared = kNow, .vanishes = kNow + minutes(10), .ends = kNow + minutes(20)};
  EXPECT_THAT(Page({target}, kNow),
              AllOf(HasSubstr("It vanishes in 10 min <span"), HasSubstr("end in 20 min <span"),
                    Not(HasSubstr(">drill</span>"))));
  target.drill->present = false;
  const std::string page = Page({target, {.name = "other"}}, kNow + minutes(15));
  EXPECT_THAT(page, AllOf(HasSubstr("It vanished 5 min ago <span"), HasSubstr("end in 5 min <span"),
                          HasSubstr(" <span class=\"badge fair\">drill</span>")));
}

}  // namespace
}  // namespace registry_backend
