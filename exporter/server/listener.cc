#include "exporter/server/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace registry_backend::server {
namespace {

constexpr int kBacklog = 511;
constexpr int kSendBytes = 128 * 1024;
constexpr int kReceiveBytes = 32 * 1024;
constexpr int kPauseMilliseconds = 10;  // where there are no more files or no more memory

struct FreeAddresses {
  void operator()(addrinfo* found) const { freeaddrinfo(found); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// The socket, or minus one with errno set.
int Listen(const addrinfo& address, bool both_families) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) return -1;
  const int on = 1;
  const int only_v6 = both_families ? 0 : 1;
  // No SO_REUSEPORT: a second process must not share the port unseen.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // What connects has these too: else the system would keep megabytes for each client that does not
  // read, or sends what is not read yet.
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBytes, sizeof kSendBytes);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof kReceiveBytes);
  if (address.ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int fault = errno;
  close(fd);
  errno = fault;
  return -1;
}

std::uint16_t PortOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

Listener::Listener(ListenAddress address, int socket, int wake)
    : address_(std::move(address)), socket_(socket), wake_(wake) {}

Listener::~Listener() { Stop(); }

Result<std::unique_ptr<Listener>> Listener::Bind(const ListenAddress& wanted) {
  const auto failure = [&wanted](const char* why) {
    return Error{ErrorKind::kInternal, "cannot listen on " + wanted.text() + ": " + why};
  };
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  int socket = -1;
  // Without a host IPv6 and with it IPv4; on a machine without IPv6 the latter alone.
  for (const char* host : {wanted.host.empty() ? "::" : wanted.host.c_str(), "0.0.0.0"}) {
    addrinfo* found = nullptr;
    const int fault = getaddrinfo(host, std::to_string(wanted.port).c_str(), &hints, &found);
    if (fault != 0) return failure(gai_strerror(fault));
    const Addresses addresses(found);
    for (const addrinfo* one = found; one != nullptr && socket < 0; one = one->ai_next) {
      // As other exporters have it, :: is all of both families.
      socket = Listen(*one, wanted.host.empty() || wanted.host == "::");
    }
    if (socket >= 0 || !wanted.host.empty() || errno == EADDRINUSE) break;
  }
  if (socket < 0) return failure(std::strerror(errno));
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    const int fault = errno;
    close(socket);
    return failure(std::strerror(fault));
  }
  ListenAddress bound = wanted;
  bound.port = PortOf(socket);
  return std::unique_ptr<Listener>(new Listener(std::move(bound), socket, wake));
}

void Listener::Begin(Take take, MakeRoom make_room) {
  thread_ = std::thread(
      [this, take = std::move(take), make_room = std::move(make_room)] { Run(take, make_room); });
}

void Listener::Run(const Take& take, const MakeRoom& make_room) const {
  while (true) {
    std::array<pollfd, 2> waiting{{{wake_, POLLIN, 0}, {socket_, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), -1) < 0) continue;
    if (waiting[0].revents != 0) return;
    const int client = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) {
      const int on = 1;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      take(client);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
      if (errno == EMFILE || errno == ENFILE) make_room();
      poll(waiting.data(), 1, kPauseMilliseconds);
    }
  }
}

void Listener::Stop() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    while (write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  for (int* fd : {&socket_, &wake_}) {
    if (*fd >= 0) close(std::exchange(*fd, -1));
  }
}

}  // namespace registry_backend::server
