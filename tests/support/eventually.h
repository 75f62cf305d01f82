#pragma once

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace registry_backend::testing {

// Asks `predicate` until it is true or `deadline` (counted from now) has passed; returns what it
// said last. Asks at once, then after waits that grow from 1 ms to 50 ms, and once more at the
// deadline. The way to wait for something another thread or process does: never sleep for luck.
template <typename Predicate>
[[nodiscard]] bool Eventually(std::chrono::milliseconds deadline, Predicate&& predicate) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + deadline;
  std::chrono::nanoseconds wait = std::chrono::milliseconds(1);
  while (!std::forward<Predicate>(predicate)()) {
    const auto left = std::chrono::nanoseconds(end - Clock::now());
    if (left.count() <= 0) return false;
    std::this_thread::sleep_for(std::min(wait, left));
    wait = std::min<std::chrono::nanoseconds>(wait * 3 / 2, std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace registry_backend::testing
