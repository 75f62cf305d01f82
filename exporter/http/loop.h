#pragma once

#include <cstdint>
#include <functional>

#include "exporter/common/time.h"

namespace registry_backend {

enum class TimerId : std::uint64_t {};

// Runs everything that speaks to registries on one thread, so that none of it needs locks. Tests
// put a loop with a hand-set clock in its place.
class Loop {
 public:
  virtual ~Loop() = default;

  // Network thread only, as At and Cancel are.
  [[nodiscard]] virtual Time Now() const = 0;
  // Runs `task` once at `when` or soon after; tasks of one instant run in the order they were
  // given.
  virtual TimerId At(Time when, std::function<void()> task) = 0;
  // A timer that has run or was cancelled is ignored.
  virtual void Cancel(TimerId timer) = 0;

  // Runs `task` once, soon. Thread-safe.
  virtual void Post(std::function<void()> task) = 0;
};

}  // namespace registry_backend
