#include "exporter/http/network_loop.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

namespace registry_backend {
namespace {

using std::chrono::milliseconds;

// Waits on nothing but Wake.
class WakeOnly final : public Poller {
 public:
  void Poll(milliseconds timeout) override {
    std::unique_lock lock(mutex_);
    woken_.wait_for(lock, timeout, [this] { return wake_; });
    wake_ = false;
  }
  void Wake() override {
    {
      const std::lock_guard lock(mutex_);
      wake_ = true;
    }
    woken_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  bool wake_ = false;
};

TEST(NetworkLoop, RunsTimersInTheirOrderAndNotTheCancelledOnes) {
  WakeOnly poller;
  NetworkLoop loop(poller);
  std::string order;
  const Time now = loop.Now();
  loop.At(now + milliseconds(20), [&] {
    order += "c";
    loop.Stop();
  });
  loop.At(now + milliseconds(10), [&] { order += "a"; });
  loop.At(now + milliseconds(10), [&] { order += "b"; });
  const TimerId cancelled = loop.At(now + milliseconds(5), [&] { order += "x"; });
  loop.Cancel(cancelled);
  loop.Cancel(cancelled);
  loop.Run();
  EXPECT_EQ(order, "abc");
}

TEST(NetworkLoop, ATimerMayCancelAnotherThatIsDue) {
  WakeOnly poller;
  NetworkLoop loop(poller);
  bool ran = false;
  const Time now = loop.Now();
  TimerId second{};
  loop.At(now, [&] { loop.Cancel(second); });
  second = loop.At(now, [&] { ran = true; });
  loop.At(now + milliseconds(1), [&] { loop.Stop(); });
  loop.Run();
  EXPECT_FALSE(ran);
}

TEST(NetworkLoop, RunsWhatOtherThreadsPostAndWakesForIt) {
  WakeOnly poller;
  NetworkLoop loop(poller);
  int count = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.Post([&] { ++count; });
    loop.Post([&] { loop.Stop(); });
  });
  loop.Run();
  other.join();
  EXPECT_EQ(count, 1000);
}

TEST(NetworkLoop, StopBeforeRunHolds) {
  WakeOnly poller;
  NetworkLoop loop(poller);
  bool ran = false;
  loop.Post([&] { ran = true; });
  loop.Stop();
  loop.Run();
  EXPECT_TRUE(ran) << "what was posted is not lost";
}

}  // namespace
}  // namespace registry_backend
