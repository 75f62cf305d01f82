#include "tests/support/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <system_error>

namespace registry_backend::testing {
namespace {

constexpr int kFirstPort = 12000;
constexpr int kLastPort = 31999;

bool CanBind(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "socket");
  // As servers do, so that a port whose old connections linger in TIME_WAIT counts as free.
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Several sockets may be bound with SO_REUSEADDR; only listening tells that the port is taken.
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    ::listen(fd, 1) == 0;
  ::close(fd);
  return free;
}

}  // namespace

std::uint16_t FreePort() {
  std::random_device random;
  std::uniform_int_distribution<int> draw(kFirstPort, kLastPort);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(draw(random));
    if (CanBind(port)) return port;
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

}  // namespace registry_backend::testing
