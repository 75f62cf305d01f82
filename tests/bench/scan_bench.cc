#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/http2_front.h"
#include "tests/bench/simulated_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/server_process.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

// What one scan costs beside what its latency, its width and libcurl alone make it cost. All are
// programs of their own: the exporter, the bare loop and the simulated registry.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using testing::ExporterProcess;
using testing::Http2Front;
using testing::SimulatedRegistry;
using testing::Subprocess;
using testing::TempDir;

constexpr std::chrono::milliseconds kLatency{50};
constexpr int kWide = 16;
constexpr std::chrono::seconds kLongestScan{120};

// What a program used, from its start to its end.
struct Cost {
  double requests = 0;
  double wall_s = 0;
  double cpu_s = 0;
  double peak_mib = 0;  // 0: not known
};

enum class Protocol { kHttp11, kHttp2 };

// The same simulated repository, reached over one protocol.
class Site {
 public:
  explicit Site(Protocol protocol) : registry_({.tls = protocol == Protocol::kHttp11}) {
    if (protocol == Protocol::kHttp2) front_ = std::make_unique<Http2Front>(registry_.host());
  }

  [[nodiscard]] const SimulatedRegistry& registry() const { return registry_; }
  [[nodiscard]] std::string url() const { return front_ ? front_->url() : registry_.url(); }
  [[nodiscard]] std::string ca_file() const {
    return (front_ ? front_->ca_file() : registry_.ca_file()).string();
  }

  // Runs `measure` and returns what the registry counted meanwhile. Throws when a request came over
  // another protocol than this site's.
  template <typename Measure>
  Json Count(Measure&& measure) const {
    registry_.ResetStats();
    const Http2Front::Served before = front_ ? front_->Count() : Http2Front::Served{};
    std::forward<Measure>(measure)();
    Json stats = registry_.Stats();
    if (front_) CheckHttp2(before, stats.at("total").get<int>());
    return stats;
  }

 private:
  void CheckHttp2(const Http2Front::Served& before, int requests) const {
    // nginx logs a request after its answer, perhaps after the program that asked has ended.
    const bool all = testing::Eventually(
        2s, [&] { return front_->Count().over_http2 - before.over_http2 == requests; });
    if (!all || front_->Count().requests - before.requests != requests) {
      throw std::runtime_error("not every request came over HTTP/2");
    }
  }

  const SimulatedRegistry registry_;
  std::unique_ptr<Http2Front> front_;
};

// Blocks: asking again and again would make the run longer by half of the pause. Neither program
// can hang: each has deadlines of its own.
void AwaitEnd(pid_t pid) {
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT);
}

Cost RunToEnd(const std::vector<std::string>& command) {
  const Clock::time_point start = Clock::now();
  Subprocess process(command, testing::HermeticOptions());
  AwaitEnd(process.pid());
  const Seconds wall = Clock::now() - start;
  const auto status = process.Wait(1s);
  if (!status || status->code != 0) throw std::runtime_error(command[0] + ": " + process.Stderr());
  return {.wall_s = wall.count(),
          .cpu_s = status->cpu_seconds(),
          .peak_mib = static_cast<double>(status->max_rss_kib) / 1024};
}

std::string WriteConfig(const Site& site, const std::filesystem::path& path) {
  testing::WriteFile(path, "scan: {timeout: 2m, max_requests_per_second: 0, max_concurrency: " +
                               std::to_string(kWide) + "}\ntargets:\n- registry: " + site.url() +
                               "\n  repository: " + testing::kBenchRepository +
                               "\n  tls_config: {ca_file: " + site.ca_file() + "}\n");
  return path.string();
}

Cost Measure(const Site& site, const std::vector<std::string>& command) {
  Cost cost;
  const Json stats = site.Count([&] { cost = RunToEnd(command); });
  cost.requests = stats.at("total").get<double>();
  return cost;
}

// How often the registry was asked so: `status` 0 is any.
double Asked(const Json& stats, std::string_view operation, int status = 0) {
  double count = 0;
  for (const Json& request : stats.at("requests")) {
    if (request.at("operation") != operation) continue;
    if (status != 0 && (request.at("status") != status || request.at("method") != "GET")) continue;
    count += request.at("count").get<double>();
  }
  return count;
}

// Every request of a scan as a URL a line. From what the registry was asked, because the report
// does not list configs.
std::string UrlsOf(const Json& stats, const std::string& base) {
  const std::string repository = base + "/v2/" + testing::kBenchRepository;
  std::string urls;
  for (const Json& request : stats.at("requests")) {
    const auto operation = request.at("operation").get<std::string>();
    const std::string path =
        operation == "tags" ? "/tags/list"
                            : "/" + operation + "s/" + request.at("reference").get<std::string>();
    for (int i = 0; i < request.at("count").get<int>(); ++i) urls += repository + path + "\n";
  }
  return urls;
}

// Both programs with their files for one protocol. Making it runs a scan without latency, which
// finds the URLs for the bare loop and warms the machine up.
class Contest {
 public:
  explicit Contest(Protocol protocol) : site_(protocol) {
    const Json stats = site_.Count([&] { RunToEnd(ScanCommand()); });
    testing::WriteFile(dir_ / "urls", UrlsOf(stats, site_.url()));
    site_.registry().SetLatency(kLatency);
  }

  [[nodiscard]] const Site& site() const { return site_; }
  [[nodiscard]] const std::string& config() const { return config_; }

  [[nodiscard]] Cost Scan() const { return Measure(site_, ScanCommand()); }
  [[nodiscard]] Cost BareLoop() const {
    return Measure(site_,
                   {BARE_LOOP, (dir_ / "urls").string(), site_.ca_file(), std::to_string(kWide)});
  }

 private:
  [[nodiscard]] std::vector<std::string> ScanCommand() const {
    return {REGISTRY_BACKEND_EXPORTER, "scan", "--config.file", config_};
  }

  const TempDir dir_{"scan-bench"};
  const Site site_;
  const std::string config_ = WriteConfig(site_, dir_ / "config.yml");
};

// One scan by the running exporter.
struct ServedScan {
  Cost cost;
  Json stats;
};

double Sum(const ExporterProcess& exporter, std::string_view name) {
  double sum = 0;
  for (const testing::Sample& sample : exporter.Metrics()) {
    if (sample.name == name) sum += sample.value;
  }
  return sum;
}

// Asks seldom: each scrape is CPU time of the exporter's too.
void AwaitScans(const ExporterProcess& exporter, double scans) {
  const Clock::time_point deadline = Clock::now() + kLongestScan;
  while (Sum(exporter, "registry_backend_scans_total") < scans) {
    if (Clock::now() > deadline) throw std::runtime_error("no scan: " + exporter.Output());
    std::this_thread::sleep_for(500ms);
  }
  if (Sum(exporter, "registry_backend_scan_success") != 1) {
    throw std::runtime_error("the scan failed: " + exporter.Output());
  }
}

ServedScan Finished(const ExporterProcess& exporter, Json stats, double cpu_before) {
  const auto requests = stats.at("total").get<double>();
  return {.cost = {.requests = requests,
                   .wall_s = Sum(exporter, "registry_backend_scan_duration_seconds"),
                   .cpu_s = Sum(exporter, "process_cpu_seconds_total") - cpu_before},
          .stats = std::move(stats)};
}

// The first scan of a new exporter, its start included, and one more of the same repository.
std::vector<ServedScan> Serve(const Contest& contest) {
  const TempDir storage("scan-bench-storage");
  std::unique_ptr<ExporterProcess> exporter;
  std::vector<ServedScan> scans;
  Json stats = contest.site().Count([&] {
    exporter = std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, contest.config(),
        std::vector<std::string>{"--storage.path", storage.path().string(),
                                 "--web.enable-lifecycle"});
    AwaitScans(*exporter, 1);
  });
  scans.push_back(Finished(*exporter, std::move(stats), 0));
  const double cpu_before = Sum(*exporter, "process_cpu_seconds_total");
  stats = contest.site().Count([&] {
    const int status = testing::HttpPost(exporter->url() + "/-/scan").status;
    if (status != 202) throw std::runtime_error("POST /-/scan: " + std::to_string(status));
    AwaitScans(*exporter, 2);
  });
  scans.push_back(Finished(*exporter, std::move(stats), cpu_before));
  if (const auto ended = exporter->Terminate(10s)) {
    scans.back().cost.peak_mib = static_cast<double>(ended->max_rss_kib) / 1024;
  }
  return scans;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Cost Median(const std::vector<Cost>& costs) {
  const auto of = [&costs](double Cost::*member) {
    std::vector<double> values;
    for (const Cost& cost : costs) values.push_back(cost.*member);
    return Median(std::move(values));
  };
  return {.requests = of(&Cost::requests),
          .wall_s = of(&Cost::wall_s),
          .cpu_s = of(&Cost::cpu_s),
          .peak_mib = of(&Cost::peak_mib)};
}

double CpuOfOne(const Cost& cost) { return cost.cpu_s / cost.requests; }

void PrintRow(const char* program, const char* protocol, const Cost& cost, const Cost& bare) {
  const double ideal = cost.requests * Seconds(kLatency).count() / kWide;
  char peak[16] = "";
  if (cost.peak_mib > 0) std::snprintf(peak, sizeof peak, "%.1f", cost.peak_mib);
  std::printf("| %s | %s | %.0f | %.2f | %.3f | %.0f | %.2f | %s |\n", program, protocol,
              cost.requests, cost.wall_s, cost.wall_s / ideal, CpuOfOne(cost) * 1e6,
              CpuOfOne(cost) / CpuOfOne(bare), peak);
}

// What the runs over one protocol cost.
struct Rows {
  std::vector<Cost> bare;
  std::vector<Cost> scan;

  void Run(const Contest& contest) {
    bare.push_back(contest.BareLoop());
    scan.push_back(contest.Scan());
    if (bare.back().requests != scan.back().requests) {
      throw std::runtime_error("the bare loop asked for something else than the scan");
    }
  }

  void Print(const char* protocol) const {
    PrintRow("bare curl multi loop", protocol, Median(bare), Median(bare));
    PrintRow("`scan`", protocol, Median(scan), Median(bare));
  }
};

void PrintRequests(const char* name, const Json& stats) {
  std::printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", name, Asked(stats, "tags"),
              Asked(stats, "manifest"), Asked(stats, "manifest", 200), Asked(stats, "blob"));
}

void Run(int runs) {
  const Contest http11(Protocol::kHttp11);
  const Contest http2(Protocol::kHttp2);
  Rows rows11;
  Rows rows2;
  // In turn, so that what else the machine does befalls all of them.
  for (int i = 0; i < runs; ++i) {
    rows11.Run(http11);
    rows2.Run(http2);
  }
  const std::vector<ServedScan> served = Serve(http11);

  const testing::SimulatedRegistryOptions repository;
  std::printf("%d tags x %d layers, half shared, %d ms, TLS, %d wide; medians of %d runs\n\n",
              repository.tags, repository.layers, static_cast<int>(kLatency.count()), kWide, runs);
  std::printf(
      "| program | protocol | requests | wall s | wall / ideal | CPU µs a request | CPU / bare "
      "loop | peak MiB |\n|---|---|---|---|---|---|---|---|\n");
  rows11.Print("HTTP/1.1");
  rows2.Print("HTTP/2");
  PrintRow("`serve`, first scan", "HTTP/1.1", served[0].cost, Median(rows11.bare));
  PrintRow("`serve`, unchanged rescan", "HTTP/1.1", served[1].cost, Median(rows11.bare));
  std::printf(
      "\n| `serve` | tag lists | manifest requests | manifest bodies | blob requests |\n"
      "|---|---|---|---|---|\n");
  PrintRequests("first scan", served[0].stats);
  PrintRequests("unchanged rescan", served[1].stats);
}

int Runs(int argc, char** argv) {
  if (argc == 1) return 3;
  int runs = 0;
  const std::string_view text = argv[1];
  std::from_chars(text.data(), text.data() + text.size(), runs);
  if (argc != 2 || runs < 1) throw std::runtime_error("usage: scan_bench [RUNS]");
  return runs;
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  try {
    registry_backend::Run(registry_backend::Runs(argc, argv));
    return 0;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "scan_bench: %s\n", fault.what());
    return 1;
  }
}
