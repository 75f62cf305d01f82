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
#include <optional>

#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
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

// Exit statuses of the process that does a test.
constexpr int kHeld = 0;
constexpr int kFailed = 1;
constexpr int kBroken = 2;   // the test could not be made
constexpr int kMayNot = 77;  // this machine does not let us make namespaces

// Moves this process to namespaces of its own where every name server is silent; what it starts
// goes there too.
int EnterSilence(const std::string& resolv_conf) {
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
    Fail("unshare");
    return kMayNot;
  }
  const char* broken = nullptr;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 &&
      mount("/etc", "/etc", nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    broken = "mount /";
  } else if (mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) {
    broken = "mount /etc/resolv.conf";
  }
  if (broken != nullptr) {
    Fail(broken);
    return kBroken;
  }
  return BringLoopbackUp() && BindSilentNameServer() ? kHeld : kBroken;
}

// Does a test in silence and ends this process with what it returned.
[[noreturn]] void ExitFromSilence(int (*test)(const testing::TempDir&)) {
  int status = kBroken;
  {
    const testing::TempDir dir("silence");
    testing::WriteFile(dir / "resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n");
    status = EnterSilence((dir / "resolv.conf").string());
    if (status == kHeld) status = test(dir);
  }
  _exit(status);
}

// In a process of its own, since namespaces are left no more.
void DoInSilence(int (*test)(const testing::TempDir&)) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int code = 0;
  EXPECT_EXIT(
      ExitFromSilence(test),
      [&code](int status) {
        code = WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
        return code == kHeld || code == kMayNot;
      },
      "");
  if (code == kMayNot) GTEST_SKIP() << "needs root, or the right to make namespaces";
}

// Starts a call that cannot resolve its host, cancels it, and looks how long the loop stood still.
int CancelACall(const testing::TempDir&) {
  CurlTransport transport({}, nullptr);
  NetworkLoop loop(transport);
  const Time start = loop.Now();
  bool done = false;
  const CallId call =
      transport.Start({.url = *Url::Parse("https://registry.example/v2/")}, start + seconds(60),
                      [&done](const Result<Response>&) { done = true; });
  loop.At(start + milliseconds(200), [&] { transport.Cancel(call); });
  loop.At(start + milliseconds(300), [&] { loop.Stop(); });
  loop.Run();
  // Joining the resolver's thread would take the 5 s that resolv.conf gives a server.
  return !done && loop.Now() - start < seconds(4) ? kHeld : kFailed;
}

TEST(NameServer, ASilentOneDoesNotBlockTheLoopWhenACallIsCancelled) { DoInSilence(&CancelACall); }

// An exporter with a target whose name cannot be resolved, and one that needs no name.
int ScanTwoTargets(const testing::TempDir& dir) {
  simulator::Options options;
  options.backend = "cdn.example";
  const simulator::Simulator registry(
      options, simulator::Generate({.repository = "team/app", .tags = 2, .layers_per_tag = 3}));
  testing::WriteFile(
      dir / "config.yml",
      "scan: {max_requests_per_second: 0}\n"
      "targets:\n"
      "- {name: stuck, registry: \"https://registry.example\", repository: team/app}\n"
      "- {name: fine, registry: \"" +
          registry.base_url() + "\", repository: team/app}\n");
  testing::ExporterProcess exporter(
      REGISTRY_BACKEND_EXPORTER, dir / "config.yml",
      {"--web.enable-lifecycle", "--storage.path", (dir / "data").string()});
  const auto check = [&exporter](bool holds, const char* what) {
    if (!holds) std::fprintf(stderr, "%s\n%s\n", what, exporter.Stderr().c_str());
    return holds;
  };
  const testing::Labels fine = {{"registry", registry.authority()}, {"outcome", "complete"}};
  const testing::Labels stuck = {{"registry", "registry.example"}};
  const auto scan = [&](int number) {
    const bool finished = testing::Eventually(seconds(5), [&] {
      return exporter.Metric("registry_backend_scans_total", fine) >= number;
    });
    return check(finished, "no scan ends beside the one that is stuck") &&
           check(testing::Eventually(
                     seconds(5),
                     [&] {
                       return testing::HttpPost(exporter.url() + "/-/scan?target=fine").status ==
                              202;
                     }),
                 "no scan can be asked for");
  };
  // Until the name was given up once, and the call with it: that must hold nobody up either.
  int scans = 0;
  const bool given_up = testing::Eventually(seconds(60), [&] {
    testing::Labels timeout = stuck;
    timeout["reason"] = "timeout";
    return !scan(++scans) || exporter.Metric("registry_backend_http_retries_total", timeout) > 0;
  });
  if (!check(given_up, "the name was not given up") || !scan(++scans) || !scan(++scans)) {
    return kFailed;
  }
  if (!check(exporter.Metric("registry_backend_scan_in_progress", stuck) == 1,
             "the target is not stuck, so that nothing was tested")) {
    return kFailed;
  }
  const std::optional<testing::ExitStatus> end = exporter.Terminate(seconds(5));
  if (!check(end.has_value(), "still running 5 s after SIGTERM")) return kFailed;
  return check(end->code == 0, "it ended badly") ? kHeld : kFailed;
}

TEST(NameServer, ASilentOneHoldsUpItsTargetAlone) { DoInSilence(&ScanTwoTargets); }

}  // namespace
}  // namespace registry_backend
