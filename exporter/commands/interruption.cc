#include "exporter/commands/interruption.h"

#include <pthread.h>

#include <chrono>
#include <utility>

namespace registry_backend {
namespace {

// Soon enough for a person. Looking needs neither a handler nor a thread, and so none of their
// cares.
constexpr std::chrono::milliseconds kBetweenLooks{100};

bool IsIgnored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interruption::Interruption(Loop& loop, std::function<void(std::string_view)> on_signal)
    : loop_(loop), on_signal_(std::move(on_signal)) {
  sigemptyset(&awaited_);
  for (const int signal : {SIGINT, SIGTERM}) {
    if (!IsIgnored(signal)) sigaddset(&awaited_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &awaited_, &before_);
  next_look_ = loop_.At(loop_.Now() + kBetweenLooks, [this] { Look(); });
}

Interruption::~Interruption() {
  if (next_look_) loop_.Cancel(*next_look_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Interruption::Look() {
  next_look_.reset();
  const timespec no_wait{};
  const int signal = sigtimedwait(&awaited_, nullptr, &no_wait);
  if (signal < 0) {
    next_look_ = loop_.At(loop_.Now() + kBetweenLooks, [this] { Look(); });
    return;
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);  // the next one ends the program
  on_signal_(signal == SIGTERM ? "SIGTERM" : "SIGINT");
}

}  // namespace registry_backend
