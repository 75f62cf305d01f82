#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/integration/exposition.h"
#include "tests/integration/self_signed.h"
#include "tests/integration/server_process.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"
#include "tests/support/stream_client.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

// What a scrape has to bear beside clients that are up to no good, and what they cost in memory.
// Each row is a fresh exporter with its own attackers.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::StreamClient;
using testing::StreamOptions;
using testing::Subprocess;
using testing::TempDir;

constexpr double kMiB = 1024 * 1024;
constexpr std::size_t kMany = 500;
constexpr int kTargets = 200;  // for metrics of half a megabyte
constexpr std::size_t kHuge = 200'000'000;
constexpr auto kAttackFor = 8s;
constexpr auto kBetweenScrapes = 50ms;
// What a row may come to.
constexpr double kSlowest = 0.1;  // seconds
constexpr double kPeak = 64 * kMiB;
constexpr double kLeft = 2 * kMiB;

class Exporter {
 public:
  explicit Exporter(bool tls) : tls_(tls) {
    std::string config = "scan: {interval: 24h}\ntargets:\n";
    for (int i = 0; i < kTargets; ++i) {
      config += "- {registry: 'http://127.0.0.1:1', repository: a/b" + std::to_string(i) + "}\n";
    }
    testing::WriteFile(dir_ / "config.yml", config);
    std::vector<std::string> argv = {REGISTRY_BACKEND_EXPORTER,
                                     "serve",
                                     "--config.file",
                                     (dir_ / "config.yml").string(),
                                     "--storage.path",
                                     (dir_ / "data").string(),
                                     "--log.level",
                                     "error"};
    if (tls) {
      files_ = testing::MakeSelfSigned(dir_ / "tls");
      testing::WriteFile(dir_ / "web.yml",
                         "tls_server_config:\n  cert_file: " + files_.certificate.string() +
                             "\n  key_file: " + files_.key.string() + "\n");
      argv.insert(argv.end(), {"--web.config.file", (dir_ / "web.yml").string()});
    }
    process_ = testing::WithFreePort([&](std::uint16_t port) {
      port_ = port;
      std::vector<std::string> all = argv;
      all.insert(all.end(), {"--web.listen-address", "127.0.0.1:" + std::to_string(port)});
      return testing::StartServer(all, [this](Subprocess&) { return Scrape().status == 200; });
    });
  }

  [[nodiscard]] testing::HttpAnswer Scrape() const {
    return testing::HttpGet(
        (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) + "/metrics",
        {.ca_file = files_.certificate});
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] StreamOptions stream() const { return {.tls = tls_, .patience = 5s}; }

  // KiB, of /proc/PID/status.
  [[nodiscard]] double Memory(const std::string& key) const {
    const std::string status =
        testing::ReadFile("/proc/" + std::to_string(process_->pid()) + "/status");
    return std::stod(status.substr(status.find(key + ":") + key.size() + 1)) * 1024;
  }

 private:
  const bool tls_;
  const TempDir dir_{"server-bench"};
  testing::CertificateFiles files_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

using Stop = std::atomic<bool>;

struct Attack {
  std::string name;
  std::function<void(const Exporter&, const Stop&)> run;  // until it is to stop
};

// So many clients that each say `hello` and are opened anew when the server has closed them. Every
// second those that are open say `more`.
void Crowd(const Exporter& exporter, const Stop& stop, const StreamOptions& options,
           const std::function<std::string()>& hello, std::string_view more = "") {
  std::vector<std::unique_ptr<StreamClient>> clients(kMany);
  while (!stop) {
    const auto begun = Clock::now();
    for (auto& client : clients) {
      if (stop) return;
      if (client != nullptr && !client->Closed()) {
        client->Send(more);
        continue;
      }
      client = std::make_unique<StreamClient>(exporter.port(), options);
      client->Send(hello());
    }
    while (!stop && Clock::now() - begun < 1s) std::this_thread::sleep_for(10ms);
  }
}

void NeverRead(const Exporter& exporter, const Stop& stop, const std::string& path,
               const std::string& fields) {
  StreamOptions options = exporter.stream();
  options.receive_bytes = 4096;
  Crowd(exporter, stop, options,
        [&] { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n"; });
}

// One client after another that sends `hello` and then `piece` until 200 MB have gone.
void Flood(const Exporter& exporter, const Stop& stop, const std::string& hello,
           const std::string& piece) {
  while (!stop) {
    StreamClient client(exporter.port(), exporter.stream());
    if (!client.Send(hello)) continue;
    for (std::size_t sent = 0; sent < kHuge && !stop; sent += piece.size()) {
      if (!client.Send(piece)) break;
    }
  }
}

// One that sends 10,000 requests and reads the answers when it has sent a hundred.
void Pipeline(const Exporter& exporter, const Stop& stop) {
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  while (!stop) {
    StreamClient client(exporter.port(), exporter.stream());
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += request;
    for (int i = 0; i < 100 && !stop && client.Send(requests); ++i) {
      for (int n = 0; n < 100 && !stop; ++n) {
        if (client.ReadAnswer().empty()) break;
      }
    }
  }
}

std::string RandomBytes() {
  static std::mt19937 random(1);
  std::string bytes(4096, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::vector<Attack> Attacks() {
  const auto nothing = [] { return std::string(); };
  const auto half = [] { return std::string("GET /metrics HTTP/1.1\r\nHost: x\r\nX-"); };
  return {
      {"nobody else", [](const Exporter&, const Stop&) {}},
      {"500 half-open requests",
       [=](const Exporter& e, const Stop& stop) { Crowd(e, stop, e.stream(), half); }},
      {"500 silent connections",
       [=](const Exporter& e, const Stop& stop) { Crowd(e, stop, {}, nothing); }},
      {"1,000 silent connections, in pairs of 500",
       [=](const Exporter& e, const Stop& stop) {
         std::thread other([&] { Crowd(e, stop, {}, nothing); });
         Crowd(e, stop, {}, nothing);
         other.join();
       }},
      {"500 heads at a byte a second",
       [=](const Exporter& e, const Stop& stop) { Crowd(e, stop, e.stream(), half, "x"); }},
      {"500 half handshakes",
       [](const Exporter& e, const Stop& stop) { Crowd(e, stop, {}, testing::ClientHello); }},
      {"500 that ask for /metrics and never read",
       [](const Exporter& e, const Stop& stop) { NeverRead(e, stop, "/metrics", ""); }},
      {"500 that ask for / and never read",
       [](const Exporter& e, const Stop& stop) { NeverRead(e, stop, "/", ""); }},
      {"500 that ask for / in gzip and never read",
       [](const Exporter& e, const Stop& stop) {
         NeverRead(e, stop, "/", "Accept-Encoding: gzip\r\n");
       }},
      {"500 that ask for all targets in gzip and never read",
       [](const Exporter& e, const Stop& stop) {
         NeverRead(e, stop, "/api/v1/targets", "Accept-Encoding: gzip\r\n");
       }},
      {"a header line of 200 MB",
       [](const Exporter& e, const Stop& stop) {
         Flood(e, stop, "GET / HTTP/1.1\r\nHost: x\r\nX-A: ", std::string(65536, 'a'));
       }},
      {"a chunked body of 200 MB",
       [](const Exporter& e, const Stop& stop) {
         Flood(e, stop, "POST /-/scan HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
               "10000\r\n" + std::string(65536, 'a') + "\r\n");
       }},
      {"10,000 pipelined requests", Pipeline},
      {"500 of random bytes",
       [](const Exporter& e, const Stop& stop) { Crowd(e, stop, {}, RandomBytes); }},
  };
}

// How long the machine lets a thread wait that only wants to run for a moment, at most: what other
// programs on it add to a scrape.
class Stall {
 public:
  Stall()
      : thread_([this] {
          while (!stop_) {
            const auto begun = Clock::now();
            std::this_thread::sleep_for(1ms);
            longest_ =
                std::max(longest_, std::chrono::duration<double>(Clock::now() - begun).count());
          }
        }) {}
  ~Stall() { End(); }
  Stall(const Stall&) = delete;
  Stall& operator=(const Stall&) = delete;

  // Seconds.
  double End() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return longest_;
  }

 private:
  std::atomic<bool> stop_ = false;
  double longest_ = 0;
  std::thread thread_;
};

struct Row {
  std::vector<double> seconds;  // of each scrape, sorted
  double stall = 0;             // seconds
  std::size_t failed = 0;
  double before = 0;  // bytes, as all below
  double most = 0;
  double after = 0;
};

Row Measure(const Attack& attack, bool tls) {
  const Exporter exporter(tls);
  Row row;
  // What has been used once stays with the process: the first crowd is an honest one.
  for (int i = 0; i < 20; ++i) static_cast<void>(exporter.Scrape());
  row.before = exporter.Memory("VmRSS");
  Stop stop = false;
  Stall stall;
  std::thread attacker([&] { attack.run(exporter, stop); });
  const auto until = Clock::now() + kAttackFor;
  while (Clock::now() < until) {
    const auto begun = Clock::now();
    const bool good = exporter.Scrape().status == 200;
    row.seconds.push_back(std::chrono::duration<double>(Clock::now() - begun).count());
    row.failed += good ? 0 : 1;
    std::this_thread::sleep_for(kBetweenScrapes);
  }
  row.stall = stall.End();
  stop = true;
  attacker.join();
  row.most = exporter.Memory("VmHWM");
  const auto is_back = [&] {
    row.after = exporter.Memory("VmRSS");
    return row.after <= row.before + kLeft;
  };
  static_cast<void>(testing::Eventually(15s, is_back));
  std::ranges::sort(row.seconds);
  return row;
}

// Prints the row and returns whether it is within bounds.
bool Print(const std::string& name, bool tls, const Row& row) {
  const double slowest = row.seconds.back();
  const bool is_within = row.failed == 0 && slowest < kSlowest + row.stall && row.most < kPeak &&
                         row.after <= row.before + kLeft;
  std::printf("| %s | %s | %zu | %zu | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f%s |\n", name.c_str(),
              tls ? "TLS" : "plain", row.seconds.size(), row.failed,
              row.seconds[row.seconds.size() / 2] * 1000, slowest * 1000, row.stall * 1000,
              row.before / kMiB, row.most / kMiB, row.after / kMiB, is_within ? "" : " (!)");
  std::fflush(stdout);
  return is_within;
}

bool Run(std::string_view word) {
  std::printf(
      "| beside | over | scrapes | failed | p50 ms | max ms | stall ms | MiB before | most | after "
      "|\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  bool all_within = true;
  for (const bool tls : {false, true}) {
    for (const Attack& attack : Attacks()) {
      if (attack.name.find(word) == std::string::npos) continue;
      if (!Print(attack.name, tls, Measure(attack, tls))) all_within = false;
    }
  }
  return all_within;
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  try {
    if (argc > 2) throw std::runtime_error("usage: server_bench [WORDS OF A ROW'S NAME]");
    const bool all_within = registry_backend::Run(argc == 2 ? argv[1] : "");
    if (!all_within) std::fprintf(stderr, "server_bench: a row is out of bounds: see (!)\n");
    return all_within ? 0 : 1;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "server_bench: %s\n", fault.what());
    return 1;
  }
}
