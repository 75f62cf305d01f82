#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/contest.h"
#include "tests/bench/measure.h"
#include "tests/integration/exporter_process.h"
#include "tests/support/http_get.h"

// What one scan costs beside what its latency, its width and libcurl alone make it cost. All are
// programs of their own: the exporter, the bare loop and the simulated registry.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using testing::Asked;
using testing::Contest;
using testing::ContestOptions;
using testing::Cost;
using testing::ExporterProcess;
using testing::Protocol;
using testing::Rivals;
using testing::Spread;
using testing::TempDir;

constexpr const char* kUsage =
    "scan_bench [RUNS], scan_bench matrix [RUNS], or scan_bench instructions";
constexpr std::chrono::seconds kLongestScan{120};

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

void PrintRow(const char* program, Protocol protocol, const Contest& contest,
              const std::vector<Cost>& costs, const std::string& cpu_ratio) {
  std::vector<double> walls;
  std::vector<double> ratios;
  for (const Cost& cost : costs) {
    walls.push_back(cost.wall_s);
    ratios.push_back(cost.wall_s / contest.IdealSeconds(cost.requests));
  }
  const Cost middle = Median(costs);
  char peak[16] = "";
  if (middle.peak_mib > 0) std::snprintf(peak, sizeof peak, "%.1f", middle.peak_mib);
  std::printf("| %s | %s | %.0f | %s | %s | %.0f | %s | %s |\n", program, ProtocolName(protocol),
              middle.requests, Spread(walls, 2).c_str(), Spread(ratios, 3).c_str(),
              middle.cpu_us_each(), cpu_ratio.c_str(), peak);
}

void PrintRivals(Protocol protocol, const Contest& contest, const Rivals& rivals) {
  PrintRow("bare curl multi loop", protocol, contest, rivals.bare, "1.00");
  PrintRow("`scan`", protocol, contest, rivals.scan, Spread(rivals.CpuRatios(), 2));
}

void PrintServed(const char* name, const Contest& contest, const ServedScan& served,
                 const Rivals& rivals) {
  const double ratio = served.cost.cpu_us_each() / Median(rivals.bare).cpu_us_each();
  PrintRow(name, Protocol::kHttp11, contest, {served.cost}, Spread({ratio}, 2));
}

void PrintRequests(const char* name, const Json& stats) {
  std::printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", name, Asked(stats, "tags"),
              Asked(stats, "manifest"), Asked(stats, "manifest", 200), Asked(stats, "blob"));
}

void RunOne(int runs) {
  const ContestOptions options;
  const Contest http11({.protocol = Protocol::kHttp11});
  const Contest http2({.protocol = Protocol::kHttp2});
  Rivals rivals11;
  Rivals rivals2;
  // In turn, so that what else the machine does befalls all of them.
  for (int i = 0; i < runs; ++i) {
    rivals11.Run(http11);
    rivals2.Run(http2);
  }
  const std::vector<ServedScan> served = Serve(http11);

  std::printf("%d tags x %d layers, half shared, %d ms, TLS, %d wide; medians of %d runs\n\n",
              options.repository.tags, options.repository.layers,
              static_cast<int>(options.latency.count()), options.wide, runs);
  std::printf(
      "| program | protocol | requests | wall s | wall / ideal | CPU µs a request | CPU / bare "
      "loop | peak MiB |\n|---|---|---|---|---|---|---|---|\n");
  PrintRivals(Protocol::kHttp11, http11, rivals11);
  PrintRivals(Protocol::kHttp2, http2, rivals2);
  PrintServed("`serve`, first scan", http11, served[0], rivals11);
  PrintServed("`serve`, unchanged rescan", http11, served[1], rivals11);
  std::printf(
      "\n| `serve` | tag lists | manifest requests | manifest bodies | blob requests |\n"
      "|---|---|---|---|---|\n");
  PrintRequests("first scan", served[0].stats);
  PrintRequests("unchanged rescan", served[1].stats);
}

// A repository of so many requests that a cell takes about two seconds, and 40 rounds where latency
// is long, so that a scan's first rounds, which are not as wide, weigh little.
testing::SimulatedRegistryOptions RepositoryFor(std::chrono::milliseconds latency, int wide) {
  constexpr double kCellSeconds = 2;
  constexpr double kRounds = 40;
  constexpr double kMost = 10'000;
  const double seconds = std::chrono::duration<double>(latency).count();
  const double requests =
      seconds == 0 ? kMost : std::min(kMost, std::max(kCellSeconds / seconds, kRounds) * wide);
  // Of 54 layers half are shared: each tag brings 27 layers, a config and a manifest.
  constexpr int kLayers = 54;
  const int tags = static_cast<int>((requests - 1 - kLayers / 2.0) / (kLayers / 2.0 + 2));
  if (tags >= 1) return {.tags = tags, .layers = kLayers};
  return {.tags = 1, .layers = static_cast<int>(requests) - 3};
}

std::vector<double> Walls(const std::vector<Cost>& costs, const Contest& contest) {
  std::vector<double> walls;
  for (const Cost& cost : costs) {
    const double ideal = contest.IdealSeconds(cost.requests);
    walls.push_back(cost.wall_s / (ideal > 0 ? ideal : 1));
  }
  return walls;
}

void RunCell(const ContestOptions& options, int runs) {
  const Contest contest(options);
  Rivals rivals;
  for (int i = 0; i < runs; ++i) rivals.Run(contest);
  std::vector<double> wall_ratios;
  for (int i = 0; i < runs; ++i) {
    const auto at = static_cast<std::size_t>(i);
    wall_ratios.push_back(rivals.scan[at].wall_s / rivals.bare[at].wall_s);
  }
  const Cost bare = Median(rivals.bare);
  const Cost scan = Median(rivals.scan);
  std::printf("| %s | %d | %d | %.0f | %s | %s | %s | %.0f | %.0f | %s | %.1f | %.1f |\n",
              ProtocolName(options.protocol), static_cast<int>(options.latency.count()),
              options.wide, scan.requests, Spread(Walls(rivals.bare, contest), 3).c_str(),
              Spread(Walls(rivals.scan, contest), 3).c_str(), Spread(wall_ratios, 3).c_str(),
              bare.cpu_us_each(), scan.cpu_us_each(), Spread(rivals.CpuRatios(), 2).c_str(),
              bare.peak_mib, scan.peak_mib);
  std::fflush(stdout);
}

void RunMatrix(int runs) {
  std::printf(
      "Over TLS; of %d runs. Where the latency is 0 the walls are seconds.\n\n"
      "| protocol | ms | wide | requests | bare loop: wall / ideal | `scan`: wall / ideal | wall / "
      "bare loop | bare loop: CPU µs | `scan`: CPU µs | CPU / bare loop | bare loop: peak MiB | "
      "`scan`: peak MiB |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      runs);
  for (const Protocol protocol : {Protocol::kHttp11, Protocol::kHttp2}) {
    for (const std::chrono::milliseconds latency : {0ms, 5ms, 50ms, 200ms}) {
      for (const int wide : {1, 8, 16, 64}) {
        RunCell({.protocol = protocol,
                 .repository = RepositoryFor(latency, wide),
                 .latency = latency,
                 .wide = wide},
                runs);
      }
    }
  }
}

// The same each time, on a busy machine too. The kernel's part is not in it.
void CountInstructions() {
  std::printf(
      "| protocol | ms | bare loop: thousands a request | `scan` | `scan` / bare loop |\n"
      "|---|---|---|---|---|\n");
  for (const Protocol protocol : {Protocol::kHttp11, Protocol::kHttp2}) {
    for (const std::chrono::milliseconds latency : {0ms, 50ms}) {
      const Contest contest({.protocol = protocol, .latency = latency});
      const double requests = contest.Scan().requests;
      const double bare = testing::InstructionsOf(contest.bare_command()) / requests / 1000;
      const double scan = testing::InstructionsOf(contest.scan_command()) / requests / 1000;
      std::printf("| %s | %d | %.0f | %.0f | %.2f |\n", ProtocolName(protocol),
                  static_cast<int>(latency.count()), bare, scan, scan / bare);
      std::fflush(stdout);
    }
  }
}

void Run(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "instructions") {
    CountInstructions();
  } else if (argc > 1 && std::string_view(argv[1]) == "matrix") {
    RunMatrix(testing::NumberArgument(argc, argv, 2, 1, kUsage));
  } else {
    RunOne(testing::NumberArgument(argc, argv, 1, 3, kUsage));
  }
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  return registry_backend::testing::BenchMain("scan_bench", registry_backend::Run, argc, argv);
}
