#include "exporter/monitor/drill.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "exporter/metrics/exposition.h"
#include "exporter/metrics/families.h"
#include "exporter/monitor/monitor.h"
#include "tests/http/fake_transport.h"
#include "tests/http/shared_loop.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

// A host that appears and vanishes for trial, by clocks that the test sets.
namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Eventually;
using testing::FakeTransport;
using testing::MakeResponse;
using testing::SharedLoop;

constexpr auto kSoon = seconds(20);
const WallTime kStart = WallTime(seconds(1'795'424'400));

TEST(DrillDuration, IsOneSecondToADay) {
  EXPECT_EQ(*ParseDrillDuration("1s"), seconds(1));
  EXPECT_EQ(*ParseDrillDuration("1h30m"), minutes(90));
  EXPECT_EQ(*ParseDrillDuration("1d"), hours(24));
  EXPECT_EQ(*ParseDrillDuration(kDefaultDrillDuration), minutes(10));
  for (const char* text : {"", "0", "999ms", "24h1s", "10", "ten minutes", "-5m", "10m ", "1y"}) {
    const Result<Duration> duration = ParseDrillDuration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_NE(duration.error().message.find("expected"), std::string::npos) << text;
  }
}

class DrillTest : public ::testing::Test {
 protected:
  DrillTest() { Restart(); }
  ~DrillTest() override {
    if (reload_.joinable()) reload_.join();
  }

  static TargetOptions MakeTarget(const std::string& name) {
    TargetOptions target{.name = name,
                         .registry = {*Url::Parse("https://r.example"), "team/" + name, nullptr}};
    target.scan.max_requests_per_second = 0;
    return target;
  }

  // A process that knows only what the one before has stored.
  void Restart() {
    monitor_.reset();  // gives the storage's lock back
    monitor_ = std::make_unique<Monitor>(
        Network{loop_, transport_, pacer_, nullptr}, *Storage::Open(dir_.path()),
        std::vector{MakeTarget("a"), MakeTarget("b")}, Logger(), [this] { return wall_.load(); });
  }

  void Advance(Duration step) {
    wall_ = wall_.load() + std::chrono::duration_cast<WallClock::duration>(step);
    loop_.Advance(step);
  }

  [[nodiscard]] std::shared_ptr<const TargetSnapshot> Target(const std::string& name) const {
    for (const auto& target : monitor_->Current()->targets) {
      if (target->name == name) return target;
    }
    return nullptr;
  }
  [[nodiscard]] std::optional<Drill> Shown(const std::string& name) const {
    return Target(name)->drill;
  }

  Drills::Answer Begin(const std::string& name, Duration duration) {
    const Drills::Answer answer = monitor_->BeginDrill(*Target(name), Serves::kBlobs, duration);
    loop_.Advance(seconds(0));
    return answer;
  }
  Drills::Answer Stop(const std::string& name) {
    const Drills::Answer answer = monitor_->StopDrill(*Target(name));
    loop_.Advance(seconds(0));
    return answer;
  }

  void Reload(std::vector<TargetOptions> targets) {
    std::atomic<bool> done = false;
    reload_ = std::thread([&] {
      EXPECT_TRUE(monitor_->Reload(std::move(targets)));
      done = true;
    });
    EXPECT_TRUE(Eventually(kSoon, [&] {
      loop_.Advance(seconds(0));
      return done.load();
    }));
    reload_.join();
  }

  void Scan(const std::string& name) {
    const std::uint64_t before = ScansOf(name);
    ASSERT_EQ(monitor_->RequestScan(name), Monitor::ScanRequest::kAccepted);
    ASSERT_TRUE(Eventually(kSoon, [&] {
      loop_.Advance(milliseconds(10));
      return ScansOf(name) == before + 1 && !Target(name)->scanning;
    }));
  }
  [[nodiscard]] std::uint64_t ScansOf(const std::string& name) const {
    const auto& scans = Target(name)->state.scans;
    const auto count = scans.find(ScanOutcome::kComplete);
    return count == scans.end() ? 0 : count->second;
  }

  static Result<Response> Serve(const Request& request) {
    if (request.operation == "tags") return MakeResponse(200, R"({"tags":["t"]})");
    if (request.operation == "blob") {
      return MakeResponse(307, "", {{"Location", "https://cdn.example/x"}});
    }
    return MakeResponse(
        200, R"({"schemaVersion":2,"config":{"digest":"sha256:)" + std::string(64, 'a') + R"("}})");
  }

  SharedLoop loop_;
  FakeTransport transport_{loop_.loop, Serve};
  Pacer pacer_;
  const testing::TempDir dir_{"drill"};
  std::atomic<WallTime> wall_ = kStart;
  std::unique_ptr<Monitor> monitor_;
  std::thread reload_;
};

TEST_F(DrillTest, TheHostAppearsVanishesAndIsGone) {
  const Drills::Answer begun = Begin("a", minutes(10));
  EXPECT_TRUE(begun.accepted);
  const Drill present{
      .appeared = kStart, .vanishes = kStart + minutes(10), .ends = kStart + minutes(20)};
  EXPECT_EQ(begun.drill, present);
  EXPECT_EQ(Shown("a"), present);
  EXPECT_EQ(Shown("b"), std::nullopt);
  EXPECT_EQ(Shown("a")->changed(), kStart);
  Advance(minutes(10) - milliseconds(1));
  EXPECT_EQ(Shown("a"), present);
  Advance(milliseconds(1));
  Drill absent = present;
  absent.present = false;
  EXPECT_EQ(Shown("a"), absent);
  EXPECT_EQ(Shown("a")->changed(), kStart + minutes(10));
  Advance(minutes(10) - milliseconds(1));
  EXPECT_EQ(Shown("a"), absent);
  Advance(milliseconds(1));
  EXPECT_EQ(Shown("a"), std::nullopt);
  EXPECT_EQ(loop_.loop.pending(), 0U);
}

TEST_F(DrillTest, AfterALongOneTheHostIsAbsentForAQuarterOfAnHour) {
  EXPECT_EQ(Begin("a", hours(24)).drill->ends, kStart + hours(24) + minutes(15));
  Advance(hours(24));
  EXPECT_FALSE(Shown("a")->present);
  Advance(minutes(15));
  EXPECT_EQ(Shown("a"), std::nullopt);
}

TEST_F(DrillTest, OfATargetThereIsOneAtATime) {
  const Drills::Answer first = Begin("a", minutes(10));
  Advance(minutes(1));
  const Drills::Answer second = Begin("a", minutes(5));
  EXPECT_FALSE(second.accepted);
  EXPECT_EQ(second.drill, first.drill) << "it tells of the one under way, and leaves it alone";
  EXPECT_TRUE(Begin("b", minutes(5)).accepted);
  Advance(minutes(9));
  EXPECT_FALSE(Shown("a")->present);
  EXPECT_FALSE(Begin("a", minutes(5)).accepted) << "it is not over before its series end";
  Advance(minutes(10));
  EXPECT_TRUE(Begin("a", minutes(5)).accepted);
}

TEST_F(DrillTest, StoppedTheHostVanishesAndStoppedAgainItIsGone) {
  EXPECT_FALSE(Stop("a").accepted);
  Begin("a", minutes(10));
  Advance(minutes(2));
  const Drills::Answer stopped = Stop("a");
  EXPECT_TRUE(stopped.accepted);
  EXPECT_EQ(Shown("a"), stopped.drill);
  EXPECT_FALSE(Shown("a")->present);
  EXPECT_EQ(Shown("a")->vanishes, kStart + minutes(2));
  EXPECT_EQ(Shown("a")->ends, kStart + minutes(12));
  Advance(minutes(9));
  EXPECT_FALSE(Shown("a")->present) << "the timer of its own end is gone";
  const Drills::Answer ended = Stop("a");
  EXPECT_TRUE(ended.accepted);
  EXPECT_EQ(ended.drill, std::nullopt);
  EXPECT_EQ(Shown("a"), std::nullopt);
  EXPECT_EQ(loop_.loop.pending(), 0U);
  Begin("a", minutes(10));
  Advance(minutes(9));
  EXPECT_TRUE(Shown("a")->present) << "no timer of the one before is left";
}

// Calls come from many threads, and the network thread gets round to them later.
TEST_F(DrillTest, CallsThatOvertakeTheNetworkThreadLeaveTheLastWord) {
  const auto target = Target("a");
  EXPECT_TRUE(monitor_->BeginDrill(*target, Serves::kBlobs, minutes(10)).accepted);
  EXPECT_TRUE(monitor_->StopDrill(*target).accepted);
  EXPECT_TRUE(monitor_->StopDrill(*target).accepted);
  EXPECT_FALSE(monitor_->StopDrill(*target).accepted);
  EXPECT_TRUE(monitor_->BeginDrill(*target, Serves::kApi, minutes(5)).accepted);
  Advance(minutes(5) - milliseconds(1));
  EXPECT_EQ(Shown("a")->serves, Serves::kApi);
  EXPECT_TRUE(Shown("a")->present);
  Advance(milliseconds(1));
  EXPECT_FALSE(Shown("a")->present);
  Advance(minutes(5));
  EXPECT_EQ(Shown("a"), std::nullopt);
  EXPECT_EQ(loop_.loop.pending(), 0U);
}

TEST_F(DrillTest, StoppedAtTheVeryInstantOfItsEndItDoesNotSkipTheAbsence) {
  const auto target = Target("a");
  loop_.loop.At(loop_.Now() + minutes(10), [&] { monitor_->StopDrill(*target); });
  Begin("a", minutes(10));
  Advance(minutes(10));
  loop_.Advance(seconds(0));
  ASSERT_TRUE(Shown("a"));
  EXPECT_FALSE(Shown("a")->present);
  Advance(minutes(10));
  EXPECT_EQ(Shown("a"), std::nullopt);
}

TEST_F(DrillTest, ManyThreadsMayCallAtOnce) {
  const auto target = Target("a");
  std::atomic<int> at_work = 4;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, begins = i % 2 == 0] {
      for (int call = 0; call < 500; ++call) {
        if (begins) {
          monitor_->BeginDrill(*target, Serves::kBlobs, seconds(1));
        } else {
          monitor_->StopDrill(*target);
        }
      }
      --at_work;
    });
  }
  while (at_work > 0) loop_.Advance(milliseconds(100));
  threads.clear();
  while (Stop("a").accepted) continue;
  EXPECT_EQ(Shown("a"), std::nullopt);
  EXPECT_EQ(loop_.loop.pending(), 0U);
}

TEST_F(DrillTest, IsTimedByAClockThatNobodySets) {
  Begin("a", minutes(10));
  wall_ = kStart - hours(100);
  Advance(minutes(10));
  EXPECT_FALSE(Shown("a")->present);
  EXPECT_EQ(Shown("a")->changed(), wall_.load()) << "an alert looks for a change by that clock";
  Advance(minutes(10));
  EXPECT_EQ(Shown("a"), std::nullopt);
}

TEST_F(DrillTest, OutlastsAnEditOfTheTargetButNotItsEnd) {
  Begin("a", minutes(10));
  Begin("b", minutes(10));
  TargetOptions renamed = MakeTarget("a");
  renamed.name = "b";
  renamed.team = "platform";
  Reload({renamed});
  ASSERT_EQ(monitor_->Current()->targets.size(), 1U);
  EXPECT_EQ(Target("b")->repository, "team/a");
  ASSERT_TRUE(Shown("b"));
  EXPECT_FALSE(Begin("b", minutes(10)).accepted);
  Reload({MakeTarget("a"), MakeTarget("b")});
  EXPECT_TRUE(Shown("a"));
  EXPECT_EQ(Shown("b"), std::nullopt) << "it ended with its target";
  EXPECT_TRUE(Begin("b", minutes(20)).accepted);
  Advance(minutes(10));
  EXPECT_FALSE(Shown("a")->present);
  EXPECT_TRUE(Shown("b")->present);
}

TEST_F(DrillTest, OfATargetThatIsGoneAlreadyThereIsNone) {
  const auto gone = Target("b");
  Reload({MakeTarget("a")});
  EXPECT_TRUE(monitor_->BeginDrill(*gone, Serves::kBlobs, minutes(10)).accepted);
  loop_.Advance(seconds(0));
  EXPECT_FALSE(monitor_->StopDrill(*gone).accepted);
  EXPECT_EQ(loop_.loop.pending(), 0U);
}

TEST_F(DrillTest, NothingOfItIsStoredNorEntersWhatIsKnown) {
  Scan("a");
  Begin("a", hours(1));
  const TargetState before = Target("a")->state;
  Scan("a");
  const TargetState after = Target("a")->state;
  EXPECT_TRUE(Shown("a")) << "a scan leaves it alone";
  EXPECT_EQ(after.endpoints.size(), before.endpoints.size());
  EXPECT_TRUE(after.journal.empty() && after.changes == before.changes && !after.last_change);
  monitor_.reset();  // its worker has written, and removed, what it had to
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(testing::ReadFile(entry.path()).find("drill"), std::string::npos) << entry.path();
  }
  EXPECT_GE(files, 2U) << "a state and a report";
  Restart();
  EXPECT_EQ(Shown("a"), std::nullopt);
  const TargetState& restored = Target("a")->state;
  EXPECT_EQ(restored.scans, after.scans);
  EXPECT_EQ(restored.endpoints.size(), before.endpoints.size());
  EXPECT_TRUE(restored.journal.empty());
}

TEST_F(DrillTest, AddsTwoSeriesToTheMetricsAndChangesNoOther) {
  Scan("a");
  const auto metrics = [this] {
    return WriteExposition(TargetFamilies(*monitor_->Current()), ExpositionFormat::kText);
  };
  const std::string before = metrics();
  const auto with_drill = [&](const std::string& present, const std::string& changed) {
    const std::string labels = R"({registry="r.example",repository="team/a",serves="blobs",)"
                               R"(backend_host="drill.registry-backend.invalid"} )";
    return std::vector<std::string>{
        "registry_backend_endpoint_present" + labels + present,
        "registry_backend_endpoint_changed_timestamp_seconds" + labels + changed};
  };
  // Lines that are there now and were not before, and the other way round.
  const auto added = [&](const std::string& now, const std::string& then) {
    std::vector<std::string> lines;
    std::istringstream in(now);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("#") && then.find(line + "\n") == std::string::npos) {
        lines.push_back(line);
      }
    }
    return lines;
  };
  Begin("a", minutes(10));
  EXPECT_EQ(added(metrics(), before), with_drill("1", "1795424400"));
  EXPECT_TRUE(added(before, metrics()).empty());
  Advance(minutes(10));
  EXPECT_EQ(added(metrics(), before), with_drill("0", "1795425000"));
  EXPECT_TRUE(added(before, metrics()).empty());
  Advance(minutes(10));
  EXPECT_EQ(metrics(), before);
}

}  // namespace
}  // namespace registry_backend
