#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string_view>

#include "exporter/http/loop.h"

namespace registry_backend {

// While there is one, the first SIGINT or SIGTERM does not end the program: it runs a task on the
// loop instead. The second one ends the program at once, as do all before and after. One that the
// program was started to ignore (nohup, `&` in a script) stays ignored. Network thread only; make
// it before other threads.
class Interruption {
 public:
  // `on_signal` is given the signal's name.
  Interruption(Loop& loop, std::function<void(std::string_view)> on_signal);
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

 private:
  void Look();

  Loop& loop_;
  const std::function<void(std::string_view)> on_signal_;
  sigset_t awaited_;
  sigset_t before_;
  std::optional<TimerId> next_look_;
};

}  // namespace registry_backend
