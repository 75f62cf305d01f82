#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/measure.h"
#include "tests/bench/stored_inventory.h"
#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

// From the start of the program to the whole answer of its first scrape.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::Subprocess;
using testing::TempDir;

constexpr auto kLongest = 60s;
constexpr auto kBetweenTries = 100us;

double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A connection to the port, or -1.
int Connect(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    return descriptor;
  }
  ::close(descriptor);
  return -1;
}

// The bytes of the answer to a scrape.
std::size_t Scrape(int descriptor) {
  const std::string ask = "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
  if (::send(descriptor, ask.data(), ask.size(), MSG_NOSIGNAL) < 0) {
    throw std::runtime_error("the exporter hangs up");
  }
  std::string answer;
  char piece[65536];
  for (ssize_t got = 0; (got = ::recv(descriptor, piece, sizeof piece, 0)) > 0;) {
    answer.append(piece, static_cast<std::size_t>(got));
  }
  ::close(descriptor);
  if (!answer.starts_with("HTTP/1.1 200 ")) throw std::runtime_error("no scrape: " + answer);
  return answer.size();
}

struct Start {
  double listens_ms = 0;
  double scraped_ms = 0;
  double cpu_ms = 0;
  double resident_mib = 0;
  std::size_t bytes = 0;
};

Start StartOnce(const std::vector<std::string>& argv) {
  const std::uint16_t port = testing::FreePort();
  std::vector<std::string> all = argv;
  all.push_back("--web.listen-address=127.0.0.1:" + std::to_string(port));
  const Clock::time_point begun = Clock::now();
  Subprocess exporter(all, testing::HermeticOptions());
  int descriptor = -1;
  while ((descriptor = Connect(port)) < 0) {
    if (Clock::now() - begun > kLongest || !exporter.Running()) {
      throw std::runtime_error("the exporter does not listen: " + exporter.Stderr());
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
  Start start{.listens_ms = MsSince(begun)};
  start.bytes = Scrape(descriptor);
  start.scraped_ms = MsSince(begun);
  start.cpu_ms = testing::CpuSecondsOf(exporter.pid()) * 1000;
  start.resident_mib = testing::MemoryOf(exporter.pid(), "VmRSS") / testing::kMiB;
  return start;
}

// Starts again and again with the same inventory, and prints a row.
void Measure(int targets, int endpoints, int runs) {
  const TempDir dir("start-bench");
  testing::WriteFile(dir / "config.yml", testing::StoredTargetsConfig(targets));
  if (endpoints > 0) testing::FillStorage(dir / "data", targets, endpoints);
  std::vector<double> listens;
  std::vector<double> scraped;
  std::vector<double> cpu;
  Start last;
  for (int i = 0; i < runs; ++i) {
    last = StartOnce({REGISTRY_BACKEND_EXPORTER, "serve", "--log.level", "error", "--config.file",
                      (dir / "config.yml").string(), "--storage.path", (dir / "data").string()});
    listens.push_back(last.listens_ms);
    scraped.push_back(last.scraped_ms);
    cpu.push_back(last.cpu_ms);
  }
  std::printf("| %d | %d | %s | %s | %s | %.0f | %.1f |\n", targets, endpoints,
              testing::Spread(listens, 1).c_str(), testing::Spread(scraped, 1).c_str(),
              testing::Spread(cpu, 1).c_str(), static_cast<double>(last.bytes) / 1024,
              last.resident_mib);
  std::fflush(stdout);
}

void Run(int argc, char** argv) {
  const int runs = testing::NumberArgument(argc, argv, 1, 21, "start_bench [RUNS]");
  std::printf(
      "Medians of %d starts; 3 where there are many targets.\n\n"
      "| targets | hosts known of each | ms until it listens | until the first scrape is answered "
      "| CPU ms by then | KiB of the scrape | resident MiB |\n|---|---|---|---|---|---|---|\n",
      runs);
  Measure(1, 0, runs);
  Measure(1, 3, runs);
  Measure(100, 10, runs);
  Measure(1'000, 10, 3);
  Measure(1'000, 500, 3);
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  return registry_backend::testing::BenchMain("start_bench", registry_backend::Run, argc, argv);
}
