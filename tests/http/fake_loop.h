#pragma once

#include <functional>
#include <map>
#include <utility>

#include "exporter/http/loop.h"

namespace registry_backend::testing {

// A Loop whose clock the test sets. Single-threaded.
class FakeLoop final : public Loop {
 public:
  [[nodiscard]] Time Now() const override { return now_; }

  TimerId At(Time when, std::function<void()> task) override {
    const auto timer = static_cast<TimerId>(++last_);
    tasks_.emplace(std::pair(when, timer), std::move(task));
    return timer;
  }

  void Cancel(TimerId timer) override {
    std::erase_if(tasks_, [timer](const auto& task) { return task.first.second == timer; });
  }

  void Post(std::function<void()> task) override { At(now_, std::move(task)); }

  // Runs what is due now, and what that makes due.
  void RunDue() {
    while (!tasks_.empty() && tasks_.begin()->first.first <= now_) {
      const auto task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
      task();
    }
  }

  // Moves the clock by `step`, stopping at each timer on the way.
  void Advance(Duration step) {
    const Time end = now_ + step;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      now_ = std::max(now_, tasks_.begin()->first.first);
      RunDue();
    }
    now_ = end;
  }

  [[nodiscard]] std::size_t pending() const { return tasks_.size(); }

 private:
  Time now_ = Time(std::chrono::hours(1000));
  std::uint64_t last_ = 0;
  std::map<std::pair<Time, TimerId>, std::function<void()>> tasks_;
};

}  // namespace registry_backend::testing
