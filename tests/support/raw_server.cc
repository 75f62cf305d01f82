#include "tests/support/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace registry_backend::testing {
namespace {

[[noreturn]] void ThrowErrno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::string RawConnection::ReadUntil(std::string_view end) {
  while (true) {
    const std::size_t found = buffer_.find(end);
    if (found != std::string::npos) {
      std::string result = buffer_.substr(0, found + end.size());
      buffer_.erase(0, result.size());
      return result;
    }
    if (!ReadMore()) return std::exchange(buffer_, {});
  }
}

std::string RawConnection::Read(std::size_t size) {
  while (buffer_.size() < size && ReadMore()) {
  }
  std::string result = buffer_.substr(0, size);
  buffer_.erase(0, result.size());
  return result;
}

bool RawConnection::ReadMore() {
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t got = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    return true;
  }
}

bool RawConnection::Send(std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawConnection::Drip(std::string_view data, std::size_t piece,
                         std::chrono::milliseconds pause) {
  while (!data.empty()) {
    if (!Pause(pause) || !Send(data.substr(0, piece))) return false;
    data.remove_prefix(std::min(piece, data.size()));
  }
  return true;
}

void RawConnection::Stall() {
  while (Pause(std::chrono::hours(1))) {
  }
}

bool RawConnection::Pause(std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    // Not POLLIN: what the peer sends meanwhile may wait. Hang-ups are always reported.
    pollfd wanted{.fd = fd_, .events = POLLRDHUP, .revents = 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<long>(0, left.count())));
    if (ready == 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    return false;
  }
}

void RawConnection::ResetOnClose() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

RawServer::RawServer(Handler handler, std::string address)
    : handler_(std::move(handler)), address_(std::move(address)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0) ThrowErrno("socket");
  sockaddr_in bound{};
  bound.sin_family = AF_INET;
  socklen_t size = sizeof bound;
  auto* const generic = reinterpret_cast<sockaddr*>(&bound);
  if (::inet_pton(AF_INET, address_.c_str(), &bound.sin_addr) != 1 ||
      ::bind(listener_, generic, size) != 0 || ::listen(listener_, SOMAXCONN) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    const int error = errno;
    ::close(listener_);
    throw std::system_error(error, std::generic_category(), "listen on " + address_);
  }
  port_ = ntohs(bound.sin_port);
  acceptor_ = std::thread([this] { AcceptAll(); });
}

RawServer::~RawServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const Connection& connection : connections_) {
      if (connection.fd >= 0) ::shutdown(connection.fd, SHUT_RDWR);
    }
  }
  ::shutdown(listener_, SHUT_RDWR);  // wakes accept
  acceptor_.join();
  // From here on nobody adds to the list, and each thread only clears its own fd.
  for (Connection& connection : connections_) connection.thread.join();
  ::close(listener_);
}

int RawServer::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

int RawServer::open() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(
      std::ranges::count_if(connections_, [](const Connection& one) { return one.fd >= 0; }));
}

void RawServer::AcceptAll() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    JoinFinished();
    const std::lock_guard lock(mutex_);
    if (fd < 0 || stopping_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    ++accepted_;
    Connection& connection = connections_.emplace_back();
    connection.fd = fd;
    connection.thread = std::thread([this, &connection, fd] { Serve(connection, fd); });
  }
}

void RawServer::Serve(Connection& connection, int fd) {
  RawConnection raw(fd);
  handler_(raw);
  const std::lock_guard lock(mutex_);
  ::close(fd);
  connection.fd = -1;
}

// Keeps a long test from collecting thousands of threads that have ended.
void RawServer::JoinFinished() {
  std::list<Connection> finished;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = connections_.begin(); it != connections_.end();) {
      const auto next = std::next(it);
      if (it->fd < 0) finished.splice(finished.end(), connections_, it);
      it = next;
    }
  }
  for (Connection& connection : finished) connection.thread.join();
}

std::string HttpText(int status, std::string_view body, std::string_view headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Scripted\r\nConnection: close\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" +
         std::string(body);
}

}  // namespace registry_backend::testing
