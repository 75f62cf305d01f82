// The status page, and the page that `scan --output html` writes, as Chromium shows them: look.mjs
// says what each must be.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "exporter/common/log.h"
#include "exporter/inventory/apply.h"
#include "exporter/report/html.h"
#include "exporter/server/server.h"
#include "exporter/web/status_page.h"
#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::hours;

const WallTime kNow = WallTime(std::chrono::seconds(1'795'424'400));
const std::string kDigest = "sha256:" + std::string(64, 'd');
const char kIndex[] = "application/vnd.oci.image.index.v1+json";
const char kImage[] = "application/vnd.oci.image.manifest.v1+json";
// Ends an element, opens others, and turns the direction of what follows.
const std::string kEvil =
    "</textarea></details><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"
    "\u202e\u05d0\u05d1\u05d2 " +
    std::string(300, 'W');

// A scan of so many hosts of blobs, and of so many tags.
ScanResult ScanOf(int hosts, int tags, WallTime finished) {
  ScanResult result;
  result.outcome = ScanOutcome::kComplete;
  result.started = finished - 95s;
  result.finished = finished;
  result.took = 95s;
  auto texts = std::make_shared<TextArena>();
  const auto keep = [&texts](const std::string& text) { return texts->Keep(text); };
  result.endpoints[{Serves::kApi, *Host::Parse("registry.example")}] = {{.delivery = "direct"}, 0};
  result.endpoints[{Serves::kTokens, *Host::Parse("auth.registry.example")}] = {};
  for (int i = 0; i < hosts; ++i) {
    const std::string bucket = fmt::format("prod-eu-central-{}-layers", i + 1);
    const std::string host = bucket + ".s3.dualstack.eu-central-1.amazonaws.com";
    result.endpoints[{Serves::kBlobs, *Host::Parse(host)}] = {
        {"s3", bucket, "eu-central-1", "redirect", "https"}, static_cast<std::uint64_t>(i) * 7 + 3};
    result.routes.push_back({*Host::Parse(host)});
  }
  result.manifests[kDigest] = {
      .media_type = kIndex,
      .size = 1234,
      .is_index = true,
      .manifests = {{"linux/amd64", "sha256:amd64"}, {"linux/arm64/v8", "sha256:arm64"}}};
  for (const char* digest : {"sha256:amd64", "sha256:arm64"}) {
    result.manifests[digest] = {
        .media_type = kImage, .size = 567, .config = "sha256:c", .layers = {"l1", "l2", "l3"}};
  }
  for (int i = tags; i > 0; --i) {
    result.tags.push_back({keep(fmt::format("v2026{:02}-1", i)), kDigest});
  }
  result.texts = std::move(texts);
  result.asked = {static_cast<std::uint64_t>(tags), 3, static_cast<std::uint64_t>(hosts) * 20};
  return result;
}

TargetSnapshot Watched(const std::string& name) {
  return {.name = name,
          .team = "platform",
          .registry = "registry.example",
          .scheme = "https",
          .repository = "team/" + name,
          .interval = hours(6),
          .next_scan = kNow + 5h};
}

TargetSnapshot WithHosts(const std::string& name, int hosts) {
  TargetSnapshot target = Watched(name);
  registry_backend::Apply(ScanOf(hosts, 24, kNow - 50h), {}, target.state);
  registry_backend::Apply(ScanOf(hosts, 24, kNow - 1h), {}, target.state);
  return target;
}

// Hosts have come and gone, one is not approved, and one is where it may not be.
TargetSnapshot Moved(const std::string& name) {
  TargetSnapshot target = Watched(name);
  for (int i = 0; i < 8; ++i) {
    registry_backend::Apply(ScanOf(1 + i % 4, 24, kNow - hours(200 - 20 * i)), {}, target.state);
  }
  ScanResult newest = ScanOf(2, 24, kNow - 2h);
  newest.endpoints[{Serves::kBlobs, *Host::Parse("d1kxnf28g.cloudfront.net")}] = {
      {"cloudfront", "", "", "redirect", "https"}, 61};
  registry_backend::Apply(newest, {}, target.state);
  target.policy = std::make_shared<const Policy>(
      Policy{{*HostPattern::Parse("*.amazonaws.com"), *HostPattern::Parse("auth.registry.example")},
             {"eu-central-1"}});
  target.report_file = "report.json";
  return target;
}

ScanResult Failure(const std::string& why) {
  ScanResult result;
  result.started = kNow - 10min;
  result.finished = kNow - 9min;
  result.took = 60s;
  result.AddError({ScanError::Scope::kTarget, "", "", {ErrorKind::kTimeout, why}});
  return result;
}

TargetSnapshot Failed(const std::string& name) {
  TargetSnapshot target = WithHosts(name, 2);
  for (int i = 0; i < 3; ++i) {
    registry_backend::Apply(Failure("https://registry.example/v2/team/shut/tags/list: no answer "
                                    "within 30s, asked 4 times"),
                            {}, target.state);
  }
  return target;
}

TargetSnapshot Hostile() {
  TargetSnapshot target = Watched(kEvil);
  target.repository = kEvil;
  ScanResult scan = ScanOf(1, 1, kNow - 1h);
  registry_backend::Apply(scan, {}, target.state);
  // The longest name there is, and one that looks like another's.
  const std::string label(60, 'w');
  scan.endpoints[{Serves::kBlobs, *Host::Parse(label + "." + label + "." + label + "." + label)}] =
      {{kEvil, kEvil, kEvil, kEvil, "https"}, 1};
  scan.endpoints[{Serves::kBlobs, *Host::Parse("xn--80ak6aa92e.com:8443")}] = {};
  registry_backend::Apply(scan, {}, target.state);
  registry_backend::Apply(Failure(kEvil), {}, target.state);
  target.state.tags = {{.name = kEvil,
                        .media_type = kEvil,
                        .platforms = std::string(1000, 'p'),
                        .digest = kEvil,
                        .layers = 3}};
  target.saved = false;
  target.loaded = false;
  return target;
}

// Serves pages, and has them looked at.
class PageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(BROWSER_TESTS "/node_modules")) {
      GTEST_SKIP() << "tests/browser/node_modules is not there; scripts/test makes it";
    }
  }

  void Serve(const std::string& name, const std::vector<TargetSnapshot>& targets,
             const std::vector<std::string>& shows) {
    Snapshot snapshot;
    for (const TargetSnapshot& target : targets) {
      snapshot.targets.push_back(std::make_shared<const TargetSnapshot>(target));
    }
    ServePage(name, StatusPage(snapshot, {"1.2.3", "abc", "g++"}, {}, kNow), shows);
  }
  void ServePage(const std::string& name, server::Response page,
                 const std::vector<std::string>& shows) {
    router_.Add("GET", "/" + name,
                [page = std::move(page)](const server::Request&) { return page; });
    pages_.push_back({{"name", name}, {"url", "/" + name}, {"shows", shows}});
  }
  void ServeFile(const std::string& name, const std::vector<ReportedScan>& scans,
                 const std::vector<std::string>& shows) {
    auto text = std::make_shared<std::string>();
    WriteHtml(scans, [&text](std::string_view piece) { *text += piece; });
    server::Response page;
    page.content_type = "text/html";  // as any web server sends files
    page.body = std::move(text);
    ServePage(name, std::move(page), shows);
  }

  // All that was served.
  void LookAtThem() {
    server::Server server({.addresses = {*server::ParseListenAddress("127.0.0.1:0")}}, router_,
                          Logger());
    ASSERT_TRUE(server.Start());
    const std::string url = "http://" + server.addresses().at(0).text();
    for (json& page : pages_) page["url"] = url + page["url"].get<std::string>();
    Look();
  }
  void Look() {
    testing::WriteFile(directory_ / "pages.json", json{{"pages", pages_}}.dump());
    const testing::RunResult run = testing::RunToEnd(
        {"node", BROWSER_TESTS "/look.mjs", (directory_ / "pages.json").string()}, {}, 250s);
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  }

  const testing::TempDir directory_{"browser"};
  server::Router router_;
  std::vector<json> pages_;
};

TEST_F(PageTest, OfNoOneAndFortyHostsCanBeReadByAnyone) {
  Serve("unscanned", {Watched("app")}, {"not scanned yet", "None are known yet."});
  Serve("one", {WithHosts("app", 1)}, {"up to date", "20 newest of 24 tags", "1 h ago"});
  Serve("forty", {WithHosts("app", 40)}, {"prod-eu-central-40-layers.s3."});
  LookAtThem();
}

TEST_F(PageTest, OfTargetsInEveryStateCanBeReadByAnyone) {
  Serve("none", {}, {"0 targets"});
  Serve("moved", {Moved("app")}, {"not allowed", "added", "earlier changes"});
  Serve("several", {Moved("app"), Failed("shut"), Watched("new")},
        {"Latest changes", "The newest scan failed", "no answer within 30s"});
  LookAtThem();
}

TEST_F(PageTest, OfHostileNamesShowsThemAsText) {
  Serve("hostile", {Hostile(), Moved("app")},
        {kEvil, "xn--80ak6aa92e.com:8443", "could not be written to disk"});
  LookAtThem();
}

TEST_F(PageTest, AsAFileIsTheSame) {
  const ScanResult one = ScanOf(2, 4, kNow);
  ScanResult hostile = ScanOf(1, 2, kNow);
  hostile.outcome = ScanOutcome::kPartial;
  hostile.tags[0].name = kEvil;
  hostile.manifests.at(kDigest).manifests[0].platform = kEvil;
  hostile.AddError({ScanError::Scope::kTag, kEvil, "", {ErrorKind::kHttp, kEvil}});
  hostile.unresolved.tags = 1;
  const ScanResult failed = Failure(kEvil);
  const ReportSubject subject = {*Url::Parse("https://registry.example"), "team/app"};
  ServeFile("file", {{subject, &one}},
            {"linux/arm64/v8", "v202604-1", "registry.example/team/app"});
  ServeFile("file-hostile", {{{subject.registry, kEvil}, &hostile}, {subject, &failed}}, {kEvil});
  LookAtThem();
}

// The program itself, after a change, and with a target that it cannot scan.
TEST_F(PageTest, OfTheRunningExporterGivesItsAllowlist) {
  simulator::Options options;
  options.backend = "bucket.s3.eu-central-1.amazonaws.com";
  simulator::Simulator registry(
      options, simulator::Generate({.repository = "team/app", .tags = 3, .layers_per_tag = 3}));
  testing::WriteFile(directory_ / "config.yml",
                     "scan: {interval: 24h, max_requests_per_second: 0}\ntargets:\n"
                     "  - {name: app, registry: \"" +
                         registry.base_url() + "\", repository: team/app}\n");
  const testing::ExporterProcess exporter(
      REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
      {"--storage.path", (directory_ / "data").string(), "--web.enable-lifecycle"});
  ASSERT_TRUE(testing::Eventually(30s, [&] {
    return exporter.Metric("registry_backend_scans_total", {{"outcome", "complete"}}) == 1;
  }));
  registry.SetBackend("cdn.example:8443");
  ASSERT_TRUE(exporter.ScanNow());
  const testing::HttpAnswer list = testing::HttpGet(exporter.url() + "/api/v1/allowlist");
  ASSERT_EQ(list.status, 200);
  pages_.push_back({{"name", "running"},
                    {"url", exporter.url() + "/"},
                    {"shows",
                     {"cdn.example:8443", "bucket.s3.eu-central-1.amazonaws.com", "absent",
                      "up to date", list.body}},
                    {"list", list.body}});
  Look();
}

}  // namespace
}  // namespace registry_backend
