#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "exporter/http/loop.h"

namespace registry_backend {

// What a NetworkLoop waits on: sockets.
class Poller {
 public:
  virtual ~Poller() = default;
  // Waits until there is something to do, at most `timeout`, and does it. Network thread only.
  virtual void Poll(std::chrono::milliseconds timeout) = 0;
  // Makes a Poll under way, or the next one, return at once. Thread-safe.
  virtual void Wake() = 0;
};

// The real Loop: timers and posted tasks around a Poller.
class NetworkLoop final : public Loop {
 public:
  explicit NetworkLoop(Poller& poller) : poller_(poller) {}  // `poller` outlives the loop

  // Runs until Stop. The calling thread is the network thread; what was posted and not yet run is
  // run before Run returns, timers are not.
  void Run();
  // Thread-safe, also before Run.
  void Stop();

  [[nodiscard]] Time Now() const override { return Clock::now(); }
  TimerId At(Time when, std::function<void()> task) override;
  void Cancel(TimerId timer) override;
  void Post(std::function<void()> task) override;

 private:
  using TimerKey = std::pair<Time, TimerId>;

  void RunPosted();
  void RunDueTimers();
  [[nodiscard]] std::chrono::milliseconds UntilNextTimer() const;

  Poller& poller_;
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_

  // Network thread only.
  std::uint64_t last_timer_ = 0;
  std::map<TimerKey, std::function<void()>> timers_;
  std::unordered_map<TimerId, Time> timer_times_;
};

}  // namespace registry_backend
