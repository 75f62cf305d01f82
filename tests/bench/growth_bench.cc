#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/contest.h"
#include "tests/bench/measure.h"
#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

// How a scan grows with the blobs of a repository, beside the bare loop, and an exporter with the
// number of its targets.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::Contest;
using testing::Cost;
using testing::ExporterProcess;
using testing::kMiB;
using testing::Rivals;
using testing::Spread;
using testing::TempDir;

constexpr auto kLongest = 300s;
constexpr int kBlobsOfATag = 100;  // 99 layers and the config

// What a running exporter's resident memory is after two scans of the contest's repository.
double ServedResident(const Contest& contest) {
  const TempDir dir("growth-bench");
  const ExporterProcess exporter(
      REGISTRY_BACKEND_EXPORTER, contest.config(),
      {"--storage.path", (dir / "data").string(), "--web.enable-lifecycle"});
  if (!exporter.ScanNow(kLongest) || !exporter.ScanNow(kLongest)) {
    throw std::runtime_error("no scan: " + exporter.Output());
  }
  return testing::MemoryOf(exporter.pid(), "VmRSS") / kMiB;
}

void MeasureBlobs(int blobs, int runs) {
  const Contest contest(
      {.repository = {.tags = blobs / kBlobsOfATag, .layers = kBlobsOfATag - 1, .shared = 0},
       .latency = 0ms});
  Rivals rivals;
  for (int i = 0; i < runs; ++i) rivals.Run(contest);
  const Cost bare = Median(rivals.bare);
  const Cost scan = Median(rivals.scan);
  const double resident = ServedResident(contest);
  std::printf("| %d | %.0f | %.2f | %.2f | %.0f | %.0f | %s | %.1f | %.1f | %.1f | %.1f |\n", blobs,
              scan.requests, bare.wall_s, scan.wall_s, bare.cpu_us_each(), scan.cpu_us_each(),
              Spread(rivals.CpuRatios(), 2).c_str(), bare.peak_mib, scan.peak_mib, resident,
              resident - bare.peak_mib);
  std::fflush(stdout);
}

// Targets of one registry, each with little of its own.
class ManyTargets {
 public:
  explicit ManyTargets(int targets) : targets_(targets), registry_({}, MakeCatalog(targets)) {
    std::string config = "scan: {interval: 24h, max_requests_per_second: 0}\ntargets:\n";
    config += "- registry: \"" + registry_.base_url() + "\"\n  repositories:\n";
    for (int i = 0; i < targets; ++i) config += "  - " + Name(i) + "\n";
    testing::WriteFile(dir_ / "config.yml", config);
  }

  void Measure() const {
    const Clock::time_point start = Clock::now();
    const ExporterProcess exporter(REGISTRY_BACKEND_EXPORTER, dir_ / "config.yml",
                                   {"--storage.path", (dir_ / "data").string()});
    const double ready = SecondsSince(start);
    const bool all = testing::Eventually(kLongest, [&] { return Scanned(exporter) == targets_; });
    const double scanned = SecondsSince(start);
    if (!all) throw std::runtime_error("not all are scanned: " + exporter.Output());
    const double cpu = testing::CpuSecondsOf(exporter.pid());
    const double resident = testing::MemoryOf(exporter.pid(), "VmRSS");
    std::vector<double> scrapes;
    std::string text;
    for (int i = 0; i < 9; ++i) {
      const Clock::time_point asked = Clock::now();
      text = exporter.MetricsText();
      scrapes.push_back(SecondsSince(asked) * 1000);
    }
    std::printf("| %d | %zu | %.2f | %.2f | %.1f | %.1f | %.1f | %zu | %s |\n", targets_,
                static_cast<std::size_t>(registry_.GetStats().total), ready, scanned,
                cpu / targets_ * 1000, resident / kMiB, resident / targets_ / 1024,
                testing::ParseExposition(text).size(), Spread(scrapes, 1).c_str());
    std::fflush(stdout);
  }

 private:
  static std::string Name(int i) { return "team/app" + std::to_string(i); }

  static simulator::Catalog MakeCatalog(int targets) {
    simulator::Catalog catalog;
    for (int i = 0; i < targets; ++i) {
      simulator::Generate({.repository = Name(i),
                           .tags = 2,
                           .layers_per_tag = 6,
                           .kinds = {simulator::TagKind::kDockerImage}},
                          catalog);
    }
    return catalog;
  }

  static double SecondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  // Complete scans so far.
  static double Scanned(const ExporterProcess& exporter) {
    double sum = 0;
    for (const testing::Sample& sample : exporter.Metrics()) {
      if (sample.name == "registry_backend_scan_success") sum += sample.value;
    }
    return sum;
  }

  const TempDir dir_{"growth-bench"};
  const int targets_;
  const simulator::Simulator registry_;
};

void Run(int argc, char** argv) {
  const int runs = testing::NumberArgument(argc, argv, 1, 3, "growth_bench [RUNS]");
  std::printf(
      "Over TLS, no latency, 16 wide; medians of %d runs. Resident is that of a `serve` after two "
      "scans.\n\n"
      "| unique blobs | requests | bare loop: s | `scan`: s | bare loop: CPU µs a request | "
      "`scan` | CPU / bare loop | bare loop: peak MiB | `scan`: peak MiB | `serve`: resident MiB | "
      "above the bare loop |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
      runs);
  for (const int blobs : {100, 1'000, 10'000, 100'000}) {
    MeasureBlobs(blobs, blobs == 100'000 ? 1 : runs);
  }
  std::printf(
      "\n`serve` from its start until each target has been scanned, 2 tags and 11 blobs each.\n\n"
      "| targets | requests | s until it answers | until all are scanned | CPU ms a target | "
      "resident MiB | KiB a target | series | scrape ms "
      "|\n|---|---|---|---|---|---|---|---|---|\n");
  for (const int targets : {1, 10, 100, 1'000}) ManyTargets(targets).Measure();
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  return registry_backend::testing::BenchMain("growth_bench", registry_backend::Run, argc, argv);
}
