#include "exporter/monitor/monitor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Eventually;
using testing::HttpText;
using testing::RawConnection;
using testing::RawServer;

const std::string kImage =
    R"({"schemaVersion":2,"config":{"digest":"sha256:)" + std::string(64, 'a') + R"("}})";
constexpr auto kSoon = std::chrono::milliseconds(20'000);

// A registry with one tag; counts the tag lists it was asked for. It can hold its
// answers back, refuse, and want a password of user u.
class SmallRegistry {
 public:
  [[nodiscard]] Url url() const { return *Url::Parse(server_.url()); }

  std::atomic<int> lists = 0;
  std::atomic<bool> holding = false;
  std::atomic<bool> failing = false;
  std::string password;  // set before it is asked

 private:
  std::string Answer(const std::string& request) {
    if (failing) return HttpText(404, "", "");
    const bool allowed =
        password.empty() ||
        request.find("authorization: " + BasicAuthorization({"u", password})) != std::string::npos;
    if (!allowed) return HttpText(401, "", "WWW-Authenticate: Basic realm=x\r\n");
    if (request.find("/manifests/") != std::string::npos) return HttpText(200, kImage, "");
    if (request.find("/blobs/") != std::string::npos) {
      return HttpText(307, "", "Location: https://cdn.example/x\r\n");
    }
    return HttpText(200, R"({"tags":["t"]})", "");
  }

  RawServer server_{[this](RawConnection& connection) {
    while (true) {
      const std::string request = connection.ReadRequest();
      if (request.empty()) return;
      if (request.find("/tags/list") != std::string::npos) ++lists;
      while (holding && connection.Pause(milliseconds(5))) {
      }
      if (!connection.Send(Answer(request))) return;
    }
  }};
};

// A registry of three tags that can refuse the oldest one's manifest; notes which it is asked for.
class OrderedRegistry {
 public:
  [[nodiscard]] Url url() const { return *Url::Parse(server_.url()); }

  // Tags whose manifests were asked for, and none from then on.
  std::vector<std::string> TakeAsked() {
    const std::lock_guard lock(mutex_);
    return std::exchange(asked_, {});
  }

  std::atomic<bool> refusing = true;

 private:
  std::string Answer(const std::string& request) {
    if (request.find("/tags/list") != std::string::npos) {
      return HttpText(200, R"({"tags":["1.2.0","1.1.0","1.0.0"]})", "");
    }
    if (request.find("/blobs/") != std::string::npos) {
      return HttpText(307, "", "Location: https://cdn.example/x\r\n");
    }
    for (const std::string tag : {"1.2.0", "1.1.0", "1.0.0"}) {
      if (request.find("/manifests/" + tag) == std::string::npos) continue;
      const std::lock_guard lock(mutex_);
      asked_.push_back(tag);
      if (tag == "1.0.0" && refusing) return HttpText(403, "", "");
    }
    return request.starts_with("HEAD") ? HttpText(405, "", "") : HttpText(200, kImage, "");
  }

  std::mutex mutex_;
  std::vector<std::string> asked_;  // guarded by mutex_
  RawServer server_{[this](RawConnection& connection) {
    while (true) {
      const std::string request = connection.ReadRequest();
      if (request.empty() || !connection.Send(Answer(request))) return;
    }
  }};
};

// One life of the monitor and what it runs on.
class Life {
 public:
  Life(const std::filesystem::path& storage, std::vector<TargetOptions> targets)
      : monitor({loop, transport_, pacer_, nullptr}, *Storage::Open(storage), std::move(targets),
                Logger()) {
    monitor.Start();
    network_ = std::thread([this] { loop.Run(); });
  }
  ~Life() {
    loop.Stop();
    network_.join();
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  [[nodiscard]] std::shared_ptr<const TargetSnapshot> Target(std::size_t index = 0) const {
    return monitor.Current()->targets[index];
  }

  [[nodiscard]] std::uint64_t Scans(ScanOutcome outcome, std::size_t index = 0) const {
    const auto target = Target(index);
    const auto found = target->state.scans.find(outcome);
    return found == target->state.scans.end() ? 0 : found->second;
  }

  bool AwaitScans(ScanOutcome outcome, std::uint64_t count, std::size_t index = 0) const {
    return Eventually(kSoon, [&] { return Scans(outcome, index) >= count; });
  }

  void ScanNow() {
    EXPECT_TRUE(Eventually(
        kSoon, [&] { return monitor.RequestScan("") == Monitor::ScanRequest::kAccepted; }));
  }

 private:
  CurlTransport transport_{{}, nullptr};
  Pacer pacer_;

 public:
  NetworkLoop loop{transport_};
  Monitor monitor;

 private:
  std::thread network_;
};

class MonitorTest : public ::testing::Test {
 protected:
  TargetOptions Target(const std::string& name = "a") {
    TargetOptions target{.name = name, .registry = {registry_.url(), name, nullptr}};
    target.schedule.interval = hours(1);
    target.scan.max_requests_per_second = 0;
    return target;
  }

  // The one file of that name below the storage directory.
  [[nodiscard]] std::filesystem::path Find(const std::string& name) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (entry.path().filename().string().starts_with(name)) return entry.path();
    }
    return {};
  }

  const testing::TempDir dir_{"monitor"};
  SmallRegistry registry_;
};

TEST_F(MonitorTest, ScansEachTargetAtStartAndPublishes) {
  const Life life(dir_.path(), {Target("a"), Target("b")});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1, 0));
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1, 1));
  EXPECT_EQ(life.Target(0)->name, "a");
  EXPECT_EQ(life.Target(1)->repository, "b");
  EXPECT_FALSE(life.Target(0)->scanning);
  EXPECT_TRUE(life.Target(0)->loaded);
  EXPECT_TRUE(life.Target(0)->saved);
  EXPECT_GT(*life.Target(0)->next_scan, WallClock::now() + std::chrono::minutes(50));
}

TEST_F(MonitorTest, PublishesThePolicyAndTheTagsOfEachTarget) {
  TargetOptions target = Target("b");
  target.policy = std::make_shared<const Policy>(Policy{.allowed_regions = {"us-east-1"}});
  const Life life(dir_.path(), {Target("a"), target});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1, 1));
  EXPECT_EQ(life.Target(0)->policy, nullptr);
  EXPECT_EQ(life.Target(1)->policy, target.policy);
  ASSERT_EQ(life.Target(1)->state.tags.size(), 1U);
  EXPECT_EQ(life.Target(1)->state.tags[0].name, "t");
  EXPECT_EQ(life.Target(1)->state.tags[0].blobs, 1U);
}

TEST_F(MonitorTest, ScansAgainAtTheInterval) {
  TargetOptions target = Target();
  target.schedule.interval = milliseconds(20);
  const Life life(dir_.path(), {target});
  EXPECT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 3));
}

TEST_F(MonitorTest, GoesByTheCronScheduleWhereThereIsOne) {
  TargetOptions target = Target();
  target.schedule.cron = CronSchedule::Parse("0 6 * * MON-FRI").value();
  const Life life(dir_.path(), {target});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  const auto shown = life.Target();
  EXPECT_EQ(shown->interval, hours(72));
  EXPECT_EQ(shown->next_scan, target.schedule.cron->NextAfter(shown->state.newest->started));
}

TEST_F(MonitorTest, AScanThatFailedIsTriedAgainSooner) {
  registry_.failing = true;
  TargetOptions target = Target();
  target.schedule.retry_interval = milliseconds(10);
  const Life life(dir_.path(), {target});
  EXPECT_TRUE(life.AwaitScans(ScanOutcome::kFailed, 3));
  registry_.failing = false;
  EXPECT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  EXPECT_GT(*life.Target()->next_scan, WallClock::now() + std::chrono::minutes(50));
}

TEST_F(MonitorTest, ScansOnRequestButNotTwiceAtOnce) {
  registry_.holding = true;
  Life life(dir_.path(), {Target("a"), Target("b")});
  ASSERT_TRUE(Eventually(kSoon, [&] { return registry_.lists == 2; }));
  EXPECT_TRUE(life.Target()->scanning);
  EXPECT_EQ(life.monitor.RequestScan("a"), Monitor::ScanRequest::kAlreadyScanning);
  EXPECT_EQ(life.monitor.RequestScan(""), Monitor::ScanRequest::kAlreadyScanning);
  EXPECT_EQ(life.monitor.RequestScan("x"), Monitor::ScanRequest::kUnknownTarget);
  registry_.holding = false;
  ASSERT_TRUE(Eventually(
      kSoon, [&] { return life.monitor.RequestScan("a") == Monitor::ScanRequest::kAccepted; }));
  EXPECT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 2, 0));
  EXPECT_EQ(life.Scans(ScanOutcome::kComplete, 1), 1U);
}

TEST_F(MonitorTest, AnIntervalShorterThanAScanDoesNotPileUp) {
  registry_.holding = true;
  TargetOptions target = Target();
  target.schedule.interval = milliseconds(5);
  Life life(dir_.path(), {target});
  ASSERT_TRUE(Eventually(kSoon, [&] { return registry_.lists == 1; }));
  // The loop's own timers, set behind the interval's, show that several were due meanwhile.
  std::atomic<int> intervals = 0;
  std::function<void()> count = [&] {
    if (++intervals < 5) life.loop.At(life.loop.Now() + milliseconds(10), count);
  };
  life.loop.Post(count);
  ASSERT_TRUE(Eventually(kSoon, [&] { return intervals == 5; }));
  EXPECT_EQ(registry_.lists, 1);
}

TEST_F(MonitorTest, ReadsCredentialsAnewForEachScanAndSaysWhenItCannot) {
  registry_.password = "second";
  TargetOptions target = Target();
  target.schedule.retry_interval = hours(1);
  target.credentials.kind = CredentialsSource::Kind::kBasic;
  target.credentials.username = "u";
  target.credentials.password_file = (dir_ / "secret").string();
  Life life(dir_ / "storage", {target});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kFailed, 1));
  EXPECT_TRUE(life.Target()->state.newest->reasons.contains(ErrorKind::kCredentials));
  testing::WriteFile(dir_ / "secret", "first");
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kFailed, 2));
  EXPECT_TRUE(life.Target()->state.newest->reasons.contains(ErrorKind::kAuth));
  testing::WriteFile(dir_ / "secret", "second");
  life.ScanNow();
  EXPECT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
}

TEST_F(MonitorTest, AScanBeginsWithWhatTheLastOneHadNoAnswerForAlsoAfterARestart) {
  OrderedRegistry registry;
  TargetOptions target = Target();
  target.registry.registry = registry.url();
  target.scan.max_concurrency = 1;
  using Tags = std::vector<std::string>;
  {
    Life life(dir_.path(), {target});
    ASSERT_TRUE(life.AwaitScans(ScanOutcome::kPartial, 1));
    EXPECT_EQ(registry.TakeAsked(), (Tags{"1.2.0", "1.1.0", "1.0.0"}));
    EXPECT_EQ(life.Target()->state.unresolved, Tags{"1.0.0"});
    life.ScanNow();
    ASSERT_TRUE(life.AwaitScans(ScanOutcome::kPartial, 2));
    EXPECT_EQ(registry.TakeAsked().front(), "1.0.0");
  }
  Life life(dir_.path(), {target});
  registry.refusing = false;
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  EXPECT_EQ(registry.TakeAsked().front(), "1.0.0");
  EXPECT_TRUE(life.Target()->state.unresolved.empty());
}

TEST_F(MonitorTest, EndsInTheMiddleOfAScan) {
  registry_.holding = true;
  const Life life(dir_.path(), {Target()});
  ASSERT_TRUE(Eventually(kSoon, [&] { return registry_.lists == 1; }));
}

TEST_F(MonitorTest, AfterARestartAllStandsAndAScanIsMadeOnlyWhenDue) {
  TargetState before;
  std::optional<WallTime> next;
  {
    const Life life(dir_.path(), {Target()});
    ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
    before = life.Target()->state;
    next = life.Target()->next_scan;
  }
  const Life life(dir_.path(), {Target()});
  ASSERT_TRUE(Eventually(kSoon, [&] { return life.Target()->next_scan.has_value(); }));
  EXPECT_EQ(life.Target()->state.scans, before.scans);
  EXPECT_EQ(life.Target()->state.report, before.report);
  EXPECT_FALSE(before.report.empty());
  EXPECT_EQ(UnixSeconds(*life.Target()->state.baseline), UnixSeconds(*before.baseline));
  EXPECT_EQ(UnixSeconds(*life.Target()->next_scan), UnixSeconds(*next));
  EXPECT_EQ(registry_.lists, 1);
}

TEST_F(MonitorTest, ARenamedTargetKeepsItsHistory) {
  { EXPECT_TRUE(Life(dir_.path(), {Target()}).AwaitScans(ScanOutcome::kComplete, 1)); }
  TargetOptions renamed = Target();
  renamed.name = "another name";
  EXPECT_EQ(Life(dir_.path(), {renamed}).Scans(ScanOutcome::kComplete), 1U);
}

TEST_F(MonitorTest, OneReportIsKeptAndItIsTheOneTheStateNames) {
  Life life(dir_.path(), {Target()});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  const std::string first = life.Target()->state.report;
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 2));
  const std::string second = life.Target()->state.report;
  EXPECT_NE(first, second);
  // It goes when the snapshot that names the second one is out.
  EXPECT_TRUE(Eventually(std::chrono::seconds(20), [&] { return Find(first).empty(); }));
  EXPECT_NE(testing::ReadFile(Find(second)).find("\"outcome\":\"complete\""), std::string::npos);
}

TEST_F(MonitorTest, AFailedScanKeepsTheReportOfTheGoodOne) {
  Life life(dir_.path(), {Target()});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  registry_.failing = true;
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kFailed, 1));
  EXPECT_NE(testing::ReadFile(Find("report-")).find("\"outcome\":\"complete\""), std::string::npos);
}

TEST_F(MonitorTest, AStateThatCannotBeUsedIsSetAsideAndANewOneBegun) {
  const std::string newer = R"({"version": 99})";
  for (const std::string& broken : {std::string(), std::string("{\"version\": 1, \"endp"), newer}) {
    { EXPECT_TRUE(Life(dir_.path(), {Target()}).AwaitScans(ScanOutcome::kComplete, 1)); }
    const std::filesystem::path state = Find("state.json");
    testing::WriteFile(state, broken);
    const Life life(dir_.path(), {Target()});
    EXPECT_FALSE(life.Target()->loaded);
    ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1)) << "it is scanned anew";
    EXPECT_EQ(testing::ReadFile(Find("state.json.corrupt-")), broken);
    std::filesystem::remove(Find("state.json.corrupt-"));
  }
}

TEST_F(MonitorTest, AStateThatCannotEvenBeReadIsSetAsideToo) {
  { EXPECT_TRUE(Life(dir_.path(), {Target()}).AwaitScans(ScanOutcome::kComplete, 1)); }
  const std::filesystem::path state = Find("state.json");
  std::filesystem::remove(state);
  std::filesystem::create_directory(state);  // cannot be read as a file, by root neither
  const Life life(dir_.path(), {Target()});
  EXPECT_FALSE(life.Target()->loaded);
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  EXPECT_TRUE(life.Target()->saved);
  EXPECT_TRUE(std::filesystem::is_directory(Find("state.json.corrupt-")));
}

TEST_F(MonitorTest, WhatCannotBeSetAsideIsNotOverwritten) {
  { EXPECT_TRUE(Life(dir_.path(), {Target()}).AwaitScans(ScanOutcome::kComplete, 1)); }
  const std::filesystem::path state = Find("state.json");
  testing::WriteFile(state, "broken");
  std::filesystem::remove(dir_ / ".lock");
  std::filesystem::create_symlink(dir_ / "no" / "where", dir_ / ".lock");
  Life life(dir_.path(), {Target()});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  EXPECT_FALSE(life.Target()->saved);
  EXPECT_EQ(testing::ReadFile(state), "broken");
  std::filesystem::remove(dir_ / ".lock");
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 2));
  EXPECT_TRUE(life.Target()->saved);
  EXPECT_EQ(testing::ReadFile(Find("state.json.corrupt-")), "broken");
}

TEST_F(MonitorTest, AFailedScanRemovesNoReport) {
  Life life(dir_.path(), {Target()});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  const std::string report = life.Target()->state.report;
  registry_.failing = true;  // a failed scan writes no report and removes none
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kFailed, 1));
  EXPECT_TRUE(life.Target()->saved);
  EXPECT_EQ(life.Target()->state.report, report);
  EXPECT_FALSE(Find(report).empty());
}

TEST_F(MonitorTest, AStorageThatCannotBeWrittenIsToldAndLosesNothingInMemory) {
  Life life(dir_.path(), {Target()});
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 1));
  const std::filesystem::path state = Find("state.json");
  // A directory where the temporary file would be: no right of root's gets past it.
  std::filesystem::create_directory(state.string() + ".tmp");
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 2));
  EXPECT_FALSE(life.Target()->saved);
  std::filesystem::remove(state.string() + ".tmp");
  life.ScanNow();
  ASSERT_TRUE(life.AwaitScans(ScanOutcome::kComplete, 3));
  EXPECT_TRUE(life.Target()->saved);
}

}  // namespace
}  // namespace registry_backend
