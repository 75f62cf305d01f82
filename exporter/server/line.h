#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>

#include "exporter/common/time.h"

namespace registry_backend::server {

// A few places, and those who wait for one. The lane that was served longest ago has the next, and
// in it the one that came first: a crowd in one lane keeps nobody in another waiting. Thread-safe.
class Line {
 public:
  explicit Line(std::size_t places) : free_(places) {}

  // One that waits, and then has a place for as long as it lives, which the line outlives.
  class Turn {
   public:
    explicit Turn(Line& line) : line_(line) {}
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // Once. False: no place within `until`, or it is cancelled, or the line is closed.
    bool Await(const std::string& lane, Time until);

    // It waits no longer, now or when it would. By any thread.
    void Cancel();

   private:
    friend class Line;
    Line& line_;
    std::condition_variable called_;
    std::string lane_;  // guarded by the line's mutex, as all below
    bool has_place_ = false;
    bool cancelled_ = false;
  };

  // Lets nobody wait any longer.
  void Close();

  [[nodiscard]] std::size_t waiting() const;

 private:
  void CallNext();

  mutable std::mutex mutex_;
  std::size_t free_;                             // guarded by mutex_, as all below
  std::list<Turn*> waiting_;                     // in the order they came
  std::map<std::string, std::uint64_t> served_;  // lane → when, counted in turns
  std::uint64_t turns_ = 0;
  bool closed_ = false;
};

}  // namespace registry_backend::server
