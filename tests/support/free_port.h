#pragma once

#include <cstdint>
#include <stdexcept>

namespace registry_backend::testing {

// A TCP port that was free on 127.0.0.1 a moment ago. Prefer programs that bind port 0 themselves
// and say what they got: between this answer and the program's bind another process may take the
// port. The race is small: the port is drawn at random from 12000..31999, below the range from
// which the kernel serves outgoing connections. Use WithFreePort to be safe. Thread-safe.
[[nodiscard]] std::uint16_t FreePort();

// Calls `start(port)` with free ports until it returns something true (a pointer or an optional:
// false means "the port was taken"), at most `attempts` times; then throws std::runtime_error.
// Other failures should be thrown by `start`, so that they are not repeated.
template <typename Start>
[[nodiscard]] auto WithFreePort(Start&& start, int attempts = 5) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (auto started = start(FreePort())) return started;
  }
  throw std::runtime_error("every free port was taken before the program could bind it");
}

}  // namespace registry_backend::testing
