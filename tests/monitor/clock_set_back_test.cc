#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "exporter/monitor/monitor.h"
#include "tests/http/fake_transport.h"
#include "tests/http/shared_loop.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

// A wall clock that is set while the exporter runs.
namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::FakeTransport;
using testing::MakeResponse;
using testing::SharedLoop;

class ClockSetBack : public ::testing::TestWithParam<const char*> {
 protected:
  // A failing registry is enough: what counts is when it is asked.
  SharedLoop loop_;
  FakeTransport transport_{loop_.loop, [](const Request&) { return MakeResponse(403); }};
  Pacer pacer_;
  const testing::TempDir dir_;
  std::atomic<WallTime> wall_ = WallClock::now();

  void Advance(minutes step) {
    wall_ = wall_.load() + step;
    loop_.Advance(step);
  }

  [[nodiscard]] std::vector<TargetOptions> Targets() const {
    TargetOptions target{.name = "a",
                         .registry = {*Url::Parse("https://r.example"), "team/app", nullptr}};
    target.schedule.retry_interval = hours(20);
    if (*GetParam() != '\0') target.schedule.cron = CronSchedule::Parse(GetParam()).value();
    return {target, target};
  }
};

TEST_P(ClockSetBack, PutsNoScanOff) {
  std::vector<TargetOptions> targets = Targets();
  targets[1].name = "b";
  targets[1].registry.repository = "team/other";
  Monitor monitor({loop_, transport_, pacer_, nullptr}, *Storage::Open(dir_.path()), targets,
                  Logger(), [this] { return wall_.load(); });
  const auto await_scans = [&](std::uint64_t count) {
    return testing::Eventually(milliseconds(20'000), [&] {
      Advance(minutes(1));
      return std::ranges::all_of(monitor.Current()->targets, [count](const auto& target) {
        const auto failed = target->state.scans.find(ScanOutcome::kFailed);
        return failed != target->state.scans.end() && failed->second >= count;
      });
    });
  };
  monitor.Start();
  ASSERT_TRUE(await_scans(1));
  const std::size_t requests = transport_.requests.size();
  Advance(minutes(30));
  EXPECT_EQ(transport_.requests.size(), requests) << "none is due";
  wall_ = wall_.load() - hours(10'000);
  EXPECT_TRUE(await_scans(2));
}

INSTANTIATE_TEST_SUITE_P(Schedules, ClockSetBack, ::testing::Values("", "0 6 1 1 *"));

}  // namespace
}  // namespace registry_backend
