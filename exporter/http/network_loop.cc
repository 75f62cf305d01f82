#include "exporter/http/network_loop.h"

#include <algorithm>

namespace registry_backend {
namespace {

constexpr std::chrono::milliseconds kLongestWait{60'000};

}  // namespace

void NetworkLoop::Run() {
  while (!stopping_.load()) {
    RunPosted();
    RunDueTimers();
    if (stopping_.load()) break;
    poller_.Poll(UntilNextTimer());
  }
  RunPosted();
}

void NetworkLoop::Stop() {
  stopping_.store(true);
  poller_.Wake();
}

TimerId NetworkLoop::At(Time when, std::function<void()> task) {
  const auto timer = static_cast<TimerId>(++last_timer_);
  timers_.emplace(TimerKey{when, timer}, std::move(task));
  timer_times_.emplace(timer, when);
  return timer;
}

void NetworkLoop::Cancel(TimerId timer) {
  const auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return;
  timers_.erase({found->second, timer});
  timer_times_.erase(found);
}

void NetworkLoop::Post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  poller_.Wake();
}

void NetworkLoop::RunPosted() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

void NetworkLoop::RunDueTimers() {
  const Time now = Now();
  // A task may add timers; those of this very instant wait for the next round, so that a timer that
  // sets itself anew cannot keep the sockets waiting.
  const std::uint64_t newest = last_timer_;
  while (!timers_.empty()) {
    const auto first = timers_.begin();
    const auto [when, timer] = first->first;
    if (when > now || static_cast<std::uint64_t>(timer) > newest) break;
    const std::function<void()> task = std::move(first->second);
    timers_.erase(first);
    timer_times_.erase(timer);
    task();
  }
}

std::chrono::milliseconds NetworkLoop::UntilNextTimer() const {
  if (timers_.empty()) return kLongestWait;
  const auto wait =
      std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Now());
  return std::clamp(wait, std::chrono::milliseconds::zero(), kLongestWait);
}

}  // namespace registry_backend
