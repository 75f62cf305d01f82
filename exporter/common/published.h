#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace registry_backend {

// The newest version of an immutable value, handed from one thread to many. Readers keep the
// version they took for as long as they hold the pointer. Thread-safe.
template <typename T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first) : current_(std::move(first)) {}

  [[nodiscard]] std::shared_ptr<const T> Get() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  // The old version dies with the argument, after the lock is released.
  void Set(std::shared_ptr<const T> next) {
    const std::lock_guard lock(mutex_);
    current_.swap(next);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> current_;  // guarded by mutex_, never null
};

}  // namespace registry_backend
