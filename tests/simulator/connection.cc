#include "tests/simulator/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace registry_backend::simulator {
namespace {

constexpr std::size_t kMostHeld = 16384;  // bytes; a TLS record holds no more

void SetSocketOptions(int descriptor, std::chrono::seconds io_timeout) {
  // Without it the second packet of an answer waits 40 ms for the peer's delayed acknowledgement.
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  timeval timeout{};
  timeout.tv_sec = io_timeout.count();
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

// The events that came, 0 at the timeout. `timeout` may be negative: for ever.
int Poll(int descriptor, int events, std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    pollfd polled{};
    polled.fd = descriptor;
    polled.events = static_cast<short>(events);
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const int wait = timeout.count() < 0 ? -1 : std::max(0, static_cast<int>(left.count()));
    const int ready = ::poll(&polled, 1, wait);
    if (ready > 0) return polled.revents;
    if (ready == 0) return 0;
    if (errno != EINTR) return POLLERR;
  }
}

}  // namespace

Connection::Connection(int descriptor, SSL_CTX* tls, std::chrono::seconds io_timeout)
    : descriptor_(descriptor) {
  SetSocketOptions(descriptor, io_timeout);
  if (tls == nullptr) return;
  ssl_.reset(SSL_new(tls));
  if (!ssl_ || SSL_set_fd(ssl_.get(), descriptor) != 1) muted_ = true;
}

bool Connection::Handshake() {
  if (muted_) return false;
  if (!ssl_) return true;
  ERR_clear_error();
  if (SSL_accept(ssl_.get()) == 1) return true;
  muted_ = true;
  return false;
}

bool Connection::WaitForRequest(std::chrono::milliseconds timeout) {
  response_begun_ = false;
  if (input_begin_ < input_end_ || (ssl_ && SSL_pending(ssl_.get()) > 0)) return true;
  return (Poll(descriptor_, POLLIN, timeout) & POLLIN) != 0;
}

bool Connection::WaitWhileOpen(std::chrono::milliseconds duration) {
  // POLLIN is left out: a pipelined request must not end the wait.
  const auto timeout = duration.count() == 0 ? std::chrono::milliseconds(-1) : duration;
  return Poll(descriptor_, POLLRDHUP, timeout) == 0;
}

ssize_t Connection::read(char* data, std::size_t size) {
  if (input_begin_ == input_end_ && !Fill()) return -1;
  const std::size_t count = std::min(size, input_end_ - input_begin_);
  std::memcpy(data, input_.data() + input_begin_, count);
  input_begin_ += count;
  return static_cast<ssize_t>(count);
}

bool Connection::Fill() {
  // A `100 Continue` must be out before its body can come.
  if (!held_.empty()) {
    if (!Finish()) return false;
    response_begun_ = false;
  }
  input_begin_ = input_end_ = 0;
  ssize_t count = 0;
  if (ssl_) {
    ERR_clear_error();
    count = SSL_read(ssl_.get(), input_.data(), static_cast<int>(input_.size()));
  } else {
    do {
      count = ::recv(descriptor_, input_.data(), input_.size(), 0);
    } while (count < 0 && errno == EINTR);
  }
  if (count <= 0) return false;
  input_end_ = static_cast<std::size_t>(count);
  return true;
}

ssize_t Connection::write(const char* data, std::size_t size) {
  if (muted_) return -1;
  if (!response_begun_) {
    response_begun_ = true;
    held_.assign(data, size);
    return static_cast<ssize_t>(size);
  }
  const bool together = !held_.empty() && held_.size() + size <= kMostHeld;
  if (together) held_.append(data, size);
  if (!Finish()) return -1;
  if (!together && !SendAll(data, size)) return -1;
  return static_cast<ssize_t>(size);
}

bool Connection::Finish() {
  if (muted_) return false;
  const std::string held = std::exchange(held_, {});
  return held.empty() || SendAll(held.data(), held.size());
}

bool Connection::SendAll(const char* data, std::size_t size) {
  while (size > 0) {
    ssize_t count = 0;
    if (ssl_) {
      ERR_clear_error();
      count = SSL_write(ssl_.get(), data, static_cast<int>(std::min<std::size_t>(size, 1 << 20)));
    } else {
      count = ::send(descriptor_, data, size, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
    }
    if (count <= 0) {
      muted_ = true;
      return false;
    }
    data += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

void Connection::Close() {
  if (ssl_ && !muted_) SSL_shutdown(ssl_.get());
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace registry_backend::simulator
