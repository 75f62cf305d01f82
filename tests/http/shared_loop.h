#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/http/fake_loop.h"

namespace registry_backend::testing {

// A FakeLoop to which other threads post; the test's is the network thread.
class SharedLoop final : public Loop {
 public:
  [[nodiscard]] Time Now() const override { return loop.Now(); }
  TimerId At(Time when, std::function<void()> task) override {
    return loop.At(when, std::move(task));
  }
  void Cancel(TimerId timer) override { loop.Cancel(timer); }
  void Post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }

  // Posted, and not yet run.
  [[nodiscard]] std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return posted_.size();
  }

  void Advance(Duration step) {
    std::vector<std::function<void()>> posted;
    {
      const std::lock_guard lock(mutex_);
      posted.swap(posted_);
    }
    for (auto& task : posted) loop.Post(std::move(task));
    loop.Advance(step);
  }

  FakeLoop loop;

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
};

}  // namespace registry_backend::testing
