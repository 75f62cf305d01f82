#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "tests/support/temp_dir.h"

// What happens when the name server does not answer, in a network namespace with such a server.
namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool Fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  return false;
}

bool BringLoopbackUp() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  close(socket);
  return up || Fail("lo");
}

// A name server that takes questions and never answers.
bool BindSilentNameServer() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || Fail("bind");
}

constexpr int kMayNot = 77;  // exit status: this machine does not let us make namespaces

// Moves this process to namespaces of its own where every name server is silent.
bool EnterSilence(const std::string& resolv_conf) {
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
    Fail("unshare");
    _exit(kMayNot);
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 &&
      mount("/etc", "/etc", nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return Fail("mount /");
  }
  if (mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) {
    return Fail("mount /etc/resolv.conf");
  }
  return BringLoopbackUp() && BindSilentNameServer();
}

// Starts a call that cannot resolve its host, cancels it, and looks how long the loop stood still.
void CancelInSilence(const std::string& resolv_conf) {
  if (!EnterSilence(resolv_conf)) _exit(2);
  CurlTransport transport({}, nullptr);
  NetworkLoop loop(transport);
  const Time start = loop.Now();
  const CallId call =
      transport.Start({.url = *Url::Parse("https://registry.example/v2/")}, start + seconds(60),
                      [](const Result<Response>&) { _exit(3); });
  loop.At(start + milliseconds(200), [&] { transport.Cancel(call); });
  loop.At(start + milliseconds(300), [&] { loop.Stop(); });
  loop.Run();
  // Joining the resolver's thread would take the 5 s that resolv.conf gives a server.
  _exit(loop.Now() - start < seconds(4) ? 0 : 1);
}

TEST(NameServer, ASilentOneDoesNotBlockTheLoopWhenACallIsCancelled) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const testing::TempDir dir("resolv");
  testing::WriteFile(dir / "resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n");
  int code = 0;
  EXPECT_EXIT(
      CancelInSilence((dir / "resolv.conf").string()),
      [&code](int status) {
        code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        return code == 0 || code == kMayNot;
      },
      "");
  if (code == kMayNot) GTEST_SKIP() << "needs root, or the right to make namespaces";
}

}  // namespace
}  // namespace registry_backend
