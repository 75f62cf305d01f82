#include "exporter/monitor/monitor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

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

constexpr auto kSoon = std::chrono::milliseconds(20'000);

// A registry with an empty repository; counts the tag lists it gave, and can hold its answers back.
class EmptyRegistry {
 public:
  [[nodiscard]] Url url() const { return *Url::Parse(server_.url()); }

  std::atomic<int> lists = 0;
  std::atomic<bool> holding = false;

 private:
  RawServer server_{[this](RawConnection& connection) {
    while (!connection.ReadRequest().empty()) {
      ++lists;
      while (holding && connection.Pause(milliseconds(5))) {
      }
      if (!connection.Send(HttpText(200, R"({"tags":[]})", ""))) return;
    }
  }};
};

class MonitorTest : public ::testing::Test {
 protected:
  TargetOptions Target(const std::string& name) {
    TargetOptions target{.name = name, .registry = {registry_.url(), name, nullptr}};
    target.interval = hours(1);
    target.scan.max_requests_per_second = 0;
    return target;
  }

  void Start(std::vector<TargetOptions> targets) {
    monitor_ = std::make_unique<Monitor>(Network{loop_, transport_, pacer_, nullptr},
                                         std::move(targets), Logger());
    monitor_->Start();
    network_ = std::thread([this] { loop_.Run(); });
  }

  void TearDown() override {
    loop_.Stop();
    if (network_.joinable()) network_.join();
  }

  [[nodiscard]] std::uint64_t Scans(std::size_t target, ScanOutcome outcome) const {
    const auto snapshot = monitor_->Current();
    const auto& scans = snapshot->targets[target]->state.scans;
    const auto found = scans.find(outcome);
    return found == scans.end() ? 0 : found->second;
  }

  EmptyRegistry registry_;
  CurlTransport transport_{{}, nullptr};
  NetworkLoop loop_{transport_};
  Pacer pacer_;
  std::unique_ptr<Monitor> monitor_;
  std::thread network_;
};

TEST_F(MonitorTest, ScansEachTargetAtStartAndPublishes) {
  Start({Target("a"), Target("b")});
  ASSERT_TRUE(Eventually(kSoon, [&] {
    return Scans(0, ScanOutcome::kComplete) == 1 && Scans(1, ScanOutcome::kComplete) == 1;
  }));
  const auto snapshot = monitor_->Current();
  EXPECT_EQ(snapshot->targets[0]->name, "a");
  EXPECT_EQ(snapshot->targets[1]->repository, "b");
  EXPECT_FALSE(snapshot->targets[0]->scanning);
  EXPECT_GT(*snapshot->targets[0]->next_scan, WallClock::now() + std::chrono::minutes(50));
}

TEST_F(MonitorTest, ScansAgainAtTheInterval) {
  TargetOptions target = Target("a");
  target.interval = milliseconds(20);
  Start({target});
  EXPECT_TRUE(Eventually(kSoon, [&] { return Scans(0, ScanOutcome::kComplete) >= 3; }));
}

TEST_F(MonitorTest, ScansOnRequestButNotTwiceAtOnce) {
  registry_.holding = true;
  Start({Target("a"), Target("b")});
  ASSERT_TRUE(Eventually(kSoon, [&] { return registry_.lists == 2; }));
  EXPECT_TRUE(monitor_->Current()->targets[0]->scanning);
  EXPECT_EQ(monitor_->RequestScan("a"), Monitor::ScanRequest::kAlreadyScanning);
  EXPECT_EQ(monitor_->RequestScan(""), Monitor::ScanRequest::kAlreadyScanning);
  EXPECT_EQ(monitor_->RequestScan("x"), Monitor::ScanRequest::kUnknownTarget);
  registry_.holding = false;
  ASSERT_TRUE(Eventually(
      kSoon, [&] { return monitor_->RequestScan("a") == Monitor::ScanRequest::kAccepted; }));
  EXPECT_TRUE(Eventually(kSoon, [&] { return Scans(0, ScanOutcome::kComplete) == 2; }));
  EXPECT_EQ(Scans(1, ScanOutcome::kComplete), 1U);
}

TEST_F(MonitorTest, AnIntervalShorterThanAScanDoesNotPileUp) {
  registry_.holding = true;
  TargetOptions target = Target("a");
  target.interval = milliseconds(5);
  Start({target});
  ASSERT_TRUE(Eventually(kSoon, [&] { return registry_.lists == 1; }));
  // The loop's own timers, set behind the interval's, show that several were due meanwhile.
  std::atomic<int> intervals = 0;
  std::function<void()> count = [&] {
    if (++intervals < 5) loop_.At(loop_.Now() + milliseconds(10), count);
  };
  loop_.Post(count);
  ASSERT_TRUE(Eventually(kSoon, [&] { return intervals == 5; }));
  EXPECT_EQ(registry_.lists, 1);
}

TEST_F(MonitorTest, ReadsCredentialsAnewForEachScanAndSaysWhenItCannot) {
  const testing::TempDir dir("monitor");
  TargetOptions target = Target("a");
  target.credentials.kind = CredentialsSource::Kind::kBasic;
  target.credentials.username = "u";
  target.credentials.password_file = (dir / "secret").string();
  Start({target});
  ASSERT_TRUE(Eventually(kSoon, [&] { return Scans(0, ScanOutcome::kFailed) == 1; }));
  EXPECT_TRUE(
      monitor_->Current()->targets[0]->state.newest->reasons.contains(ErrorKind::kCredentials));
  testing::WriteFile(dir / "secret", "s");
  ASSERT_TRUE(Eventually(
      kSoon, [&] { return monitor_->RequestScan("a") == Monitor::ScanRequest::kAccepted; }));
  EXPECT_TRUE(Eventually(kSoon, [&] { return Scans(0, ScanOutcome::kComplete) == 1; }));
}

TEST_F(MonitorTest, EndsInTheMiddleOfAScan) {
  registry_.holding = true;
  Start({Target("a")});
  ASSERT_TRUE(Eventually(kSoon, [&] { return registry_.lists == 1; }));
  loop_.Stop();
  network_.join();
  monitor_.reset();
}

}  // namespace
}  // namespace registry_backend
