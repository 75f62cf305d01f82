#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "exporter/monitor/monitor.h"
#include "tests/http/fake_transport.h"
#include "tests/http/shared_loop.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

// Other targets in the place of those there are, at every instant of a scan and its save.
namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Eventually;
using testing::FakeTransport;
using ::testing::HasSubstr;
using testing::MakeResponse;
using testing::SharedLoop;

constexpr auto kSoon = seconds(20);

TargetOptions MakeTarget(const std::string& name, const std::string& url = "https://r.example") {
  TargetOptions target{.name = name, .registry = {*Url::Parse(url), "team/" + name, nullptr}};
  target.scan.max_requests_per_second = 0;
  return target;
}

class MonitorReload : public ::testing::Test {
 protected:
  MonitorReload() {
    monitor_ = std::make_unique<Monitor>(Network{loop_, transport_, pacer_, nullptr},
                                         *Storage::Open(dir_.path()),
                                         std::vector{MakeTarget("a"), MakeTarget("b")}, Logger());
    monitor_->Start();
  }

  Result<Response> Serve(const Request& request) const {
    if (request.operation == "tags") return MakeResponse(200, R"({"tags":["t"]})");
    if (request.operation == "blob") {
      return MakeResponse(307, "", {{"Location", "https://" + backend_ + "/x"}});
    }
    return MakeResponse(
        200, R"({"schemaVersion":2,"config":{"digest":"sha256:)" + std::string(64, 'a') + R"("}})");
  }

  template <typename Condition>
  bool AdvanceUntil(Condition condition, Duration step = milliseconds(10)) {
    const Time until = Clock::now() + kSoon;
    while (!condition()) {
      if (Clock::now() > until) return false;
      loop_.Advance(step);
      std::this_thread::yield();  // to the workers
    }
    return true;
  }

  [[nodiscard]] std::shared_ptr<const TargetSnapshot> Target(const std::string& name) const {
    for (const auto& target : monitor_->Current()->targets) {
      if (target->name == name) return target;
    }
    return nullptr;
  }
  [[nodiscard]] std::uint64_t Scans(const std::string& name) const {
    const auto target = Target(name);
    const auto count = target->state.scans.find(ScanOutcome::kComplete);
    return count == target->state.scans.end() ? 0 : count->second;
  }
  bool AwaitScans(const std::string& name, std::uint64_t count) {
    return AdvanceUntil([&] { return Scans(name) == count && !Target(name)->scanning; });
  }

  // Has a thread reload, and reads for it what storage has.
  void BeginReload(std::vector<TargetOptions> targets) {
    if (reload_.joinable()) reload_.join();
    reloaded_ = false;
    reload_ = std::thread([this, targets = std::move(targets)]() mutable {
      status_ = monitor_->Reload(std::move(targets));
      reloaded_ = true;
    });
    ASSERT_TRUE(Eventually(kSoon, [this] { return loop_.waiting() > 0; }));
    loop_.Advance(milliseconds(0));
  }
  void EndReload() {
    ASSERT_TRUE(AdvanceUntil([this] { return reloaded_.load(); }, milliseconds(0)));
  }
  void Reload(std::vector<TargetOptions> targets) {
    BeginReload(std::move(targets));
    EndReload();
    EXPECT_TRUE(status_);
  }

  // Runs a scan up to its save.
  void ScanUpToTheSave(const std::string& name) {
    const std::size_t before = transport_.requests.size();
    ASSERT_EQ(monitor_->RequestScan(name), Monitor::ScanRequest::kAccepted);
    ASSERT_TRUE(AdvanceUntil([&] { return transport_.requests.size() == before + 3; }));
    loop_.Advance(seconds(1));
  }

  // The storage does not answer any more, from the next save of target b on, until it is let go.
  void BlockStorage() {
    pipe_ = (dir_.path() / "r.example%2Fteam%2Fb" / "state.json.tmp").string();
    ASSERT_EQ(mkfifo(pipe_.c_str(), 0600), 0);
    ScanUpToTheSave("b");
  }
  void LetStorageGo() {
    const int reader = open(pipe_.c_str(), O_RDONLY);
    std::array<char, 4096> bytes{};
    while (read(reader, bytes.data(), bytes.size()) > 0) continue;
    close(reader);
  }

  void TearDown() override {
    if (reload_.joinable()) reload_.join();
  }

  std::string backend_ = "one.example";
  SharedLoop loop_;
  FakeTransport transport_{loop_.loop, [this](const Request& request) { return Serve(request); }};
  Pacer pacer_;
  const testing::TempDir dir_;
  std::unique_ptr<Monitor> monitor_;
  std::thread reload_;
  std::atomic<bool> reloaded_ = false;
  Status status_ = Ok();
  std::string pipe_;
};

TEST_F(MonitorReload, LeavesAScanAloneWhoseAnswersTheEditDoesNotTouch) {
  transport_.latency = seconds(1);
  ASSERT_TRUE(AdvanceUntil([this] { return !transport_.requests.empty(); }));
  TargetOptions edited = MakeTarget("a");
  edited.name = "renamed";
  edited.team = "platform";
  edited.policy = std::make_shared<const Policy>(Policy{.allowed_regions = {"x"}});
  edited.schedule.interval = hours(1);
  edited.inventory.absent_after = 2;
  Reload({edited, MakeTarget("b")});
  EXPECT_EQ(transport_.cancelled, 0U);
  EXPECT_TRUE(Target("renamed")->scanning);
  EXPECT_EQ(Target("renamed")->team, "platform");
  EXPECT_EQ(monitor_->RequestScan("renamed"), Monitor::ScanRequest::kAlreadyScanning);
  ASSERT_TRUE(AwaitScans("renamed", 1) && AwaitScans("b", 1));
  EXPECT_EQ(transport_.requests.size(), 6U) << "a tag list, a manifest and a blob for each";
}

TEST_F(MonitorReload, BeginsAScanAnewThatAsksForSomethingElse) {
  // So long that both have asked for their tags before one has them, however long it takes to load
  // what is known of the other.
  transport_.latency = seconds(20);
  ASSERT_TRUE(AdvanceUntil([this] { return transport_.requests.size() == 2; }));
  TargetOptions edited = MakeTarget("a");
  edited.scan.newest_tags = 1;
  edited.inventory.selection = "newest 1\n";
  Reload({edited, MakeTarget("b")});
  EXPECT_EQ(transport_.cancelled, 1U) << "that of the other one goes on";
  ASSERT_TRUE(AwaitScans("a", 1) && AwaitScans("b", 1));
  EXPECT_EQ(transport_.requests.size(), 7U);
  EXPECT_EQ(Target("a")->state.selection, "newest 1\n");
}

TEST_F(MonitorReload, ScansOnceWhereTheEditCameWhileCredentialsWereRead) {
  ASSERT_TRUE(AwaitScans("a", 1) && AwaitScans("b", 1));
  const std::string pipe = (dir_.path() / "token").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int writer = open(pipe.c_str(), O_RDWR);
  TargetOptions a = MakeTarget("a");
  a.credentials = {.kind = CredentialsSource::Kind::kToken, .token_file = pipe};
  Reload({a, MakeTarget("b")});
  ASSERT_EQ(monitor_->RequestScan("a"), Monitor::ScanRequest::kAccepted);
  loop_.Advance(milliseconds(0));  // the token is waited for
  Reload({MakeTarget("a"), MakeTarget("b")});
  ASSERT_EQ(write(writer, "late\n", 5), 5);
  close(writer);
  ASSERT_TRUE(AwaitScans("a", 2));
  EXPECT_EQ(transport_.requests.size(), 9U);
  EXPECT_EQ(transport_.cancelled, 0U);
}

TEST_F(MonitorReload, GivesSwappedNamesTheirOwnScans) {
  transport_.latency = seconds(1);
  ASSERT_TRUE(AdvanceUntil([this] { return transport_.requests.size() == 2; }));
  TargetOptions a = MakeTarget("a");
  TargetOptions b = MakeTarget("b");
  std::swap(a.name, b.name);
  Reload({a, b});
  ASSERT_TRUE(AwaitScans("a", 1) && AwaitScans("b", 1));
  EXPECT_EQ(Target("b")->repository, "team/a");
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(monitor_->RequestScan(name), Monitor::ScanRequest::kAccepted);
    EXPECT_TRUE(AwaitScans(name, 2));
  }
}

// The scan of `a` ends behind what the reload has to read of `c`: its save ends after the reload.
TEST_F(MonitorReload, KeepsWhatIsBeingSaved) {
  ASSERT_TRUE(AwaitScans("a", 1) && AwaitScans("b", 1));
  BlockStorage();
  TargetOptions edited = MakeTarget("a");
  edited.scan.newest_tags = 1;
  BeginReload({edited, MakeTarget("b"), MakeTarget("c")});
  backend_ = "two.example";
  ScanUpToTheSave("a");
  LetStorageGo();
  EndReload();
  ASSERT_TRUE(AwaitScans("a", 2) && AwaitScans("c", 1));
  EXPECT_EQ(Target("a")->state.changes.at(ChangeKind::kAdded), 1U);
  EXPECT_EQ(Target("a")->state.journal.size(), 2U);
  const std::size_t requests = transport_.requests.size();
  for (int i = 0; i < 100; ++i) loop_.Advance(milliseconds(10));
  EXPECT_EQ(transport_.requests.size(), requests) << "the scan had ended: it does not begin anew";
  EXPECT_EQ(requests, 15U) << "a, b, b, a and c, three each";
  EXPECT_EQ(monitor_->RequestScan("a"), Monitor::ScanRequest::kAccepted);
  EXPECT_TRUE(AwaitScans("a", 3));
}

TEST_F(MonitorReload, KeepsWhatIsBeingSavedOfATargetThatGoes) {
  ASSERT_TRUE(AwaitScans("a", 1) && AwaitScans("b", 1));
  BlockStorage();
  BeginReload({MakeTarget("b"), MakeTarget("c")});
  backend_ = "two.example";
  ScanUpToTheSave("a");
  LetStorageGo();
  EndReload();
  EXPECT_EQ(Target("a"), nullptr);
  EXPECT_EQ(monitor_->RequestScan("a"), Monitor::ScanRequest::kUnknownTarget);
  Reload({MakeTarget("a"), MakeTarget("b")});
  EXPECT_EQ(Scans("a"), 2U);
  EXPECT_EQ(Target("a")->state.changes.at(ChangeKind::kAdded), 1U);
}

TEST_F(MonitorReload, IsGivenUpWhereTheExporterStops) {
  ASSERT_TRUE(AwaitScans("a", 1) && AwaitScans("b", 1));
  BlockStorage();
  BeginReload({MakeTarget("c")});
  EXPECT_FALSE(reloaded_);
  monitor_->Stop();
  ASSERT_TRUE(Eventually(kSoon, [this] { return reloaded_.load(); }));
  ASSERT_FALSE(status_);
  EXPECT_EQ(status_.error().message, "the exporter stops");
  LetStorageGo();
  ASSERT_TRUE(Eventually(kSoon, [this] { return loop_.waiting() == 2; }));
  loop_.Advance(milliseconds(0));
  EXPECT_NE(Target("a"), nullptr);
  EXPECT_EQ(Target("c"), nullptr);
}

TEST_F(MonitorReload, TellsTheNewUrlInReports) {
  ASSERT_TRUE(AwaitScans("a", 1) && AwaitScans("b", 1));
  Reload({MakeTarget("a", "http://r.example"), MakeTarget("b")});
  EXPECT_EQ(Scans("a"), 1U) << "the same repository";
  ASSERT_EQ(monitor_->RequestScan("a"), Monitor::ScanRequest::kAccepted);
  ASSERT_TRUE(AwaitScans("a", 2));
  const auto report = monitor_->OpenReport(*Target("a"));
  ASSERT_TRUE(report && *report);
  std::string text((*report)->size(), '\0');
  ASSERT_EQ((*report)->Read(0, text), text.size());
  EXPECT_THAT(text, HasSubstr("\"registry\":\"http://r.example\""));
}

}  // namespace
}  // namespace registry_backend
