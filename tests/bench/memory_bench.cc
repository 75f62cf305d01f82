#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/attacks.h"
#include "tests/bench/hostile_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/server_process.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

// How much memory the exporter takes for what a registry sends. Each row is a fresh exporter, a
// program of its own, against a fresh registry.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::Attack;
using testing::ExporterProcess;
using testing::HostileRegistry;
using testing::TempDir;

constexpr double kMiB = 1024 * 1024;
// What a row may take above a scan of ten blobs: so much for what is under way, and for each
// request beyond the first few; for each tag, manifest and blob that a scan has to know; and for
// each time that a manifest names a blob.
constexpr double kAllowed = 64 * kMiB;
constexpr double kAllowedRequest = 160 * 1024;
constexpr double kAllowedEach = 300;
constexpr double kAllowedReference = 16;

double Allowed(const Attack& attack) {
  return kAllowed + kAllowedRequest * static_cast<double>(attack.max_concurrency) +
         kAllowedEach * static_cast<double>(attack.known) +
         kAllowedReference * static_cast<double>(attack.references);
}

struct Cost {
  double requests = 0;
  double sent = 0;  // bytes
  double wall_s = 0;
  double peak = 0;  // bytes
  std::string outcome;
};

std::string WriteConfig(const TempDir& dir, const std::string& registry, const Attack& attack) {
  const std::filesystem::path path = dir / "config.yml";
  testing::WriteFile(
      path, "scan: {interval: 24h, timeout: " + std::to_string(attack.timeout.count()) +
                "s, max_requests_per_second: 0, max_concurrency: " +
                std::to_string(attack.max_concurrency) + "}\ntargets:\n- registry: " + registry +
                "\n  repository: a/b\n");
  return path.string();
}

// `partial (timeout): the scan did not end…`, of what the exporter says last.
std::string OutcomeOf(const testing::ExitStatus& status, const std::string& said) {
  if (status.code == 0) return "complete";
  if (!status.code) return status.ToString();
  const std::size_t at = said.rfind(": the scan ");
  if (at == std::string::npos) return status.ToString() + " " + said.substr(0, 60);
  std::string text = said.substr(at + 11);
  if (text.starts_with("is ")) text.erase(0, 3);
  text.erase(text.find('\n'));
  // Where it was is the same in all rows but for the port.
  if (const std::size_t url = text.find("http://127"); url != std::string::npos) {
    const std::size_t path = text.find('/', url + 7);
    if (path != std::string::npos) text.replace(url, path - url, "…");
  }
  constexpr std::size_t kLongest = 90;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "…";
  return text;
}

Cost Scan(const Attack& attack) {
  const TempDir dir("memory-bench");
  const HostileRegistry registry(attack.make, [] { return testing::TenBlobs(); });
  const std::string config = WriteConfig(dir, registry.url(), attack);
  const Clock::time_point start = Clock::now();
  // The report goes nowhere: it may be of hundreds of MiB.
  testing::Subprocess exporter(
      {"/bin/sh", "-c", "exec \"$@\" > /dev/null", "sh", REGISTRY_BACKEND_EXPORTER, "scan",
       "--config.file", config, "--output", "json"},
      testing::HermeticOptions());
  const auto status = exporter.Wait(attack.timeout + 60s);
  if (!status) throw std::runtime_error(attack.name + ": the exporter does not end");
  return {.requests = static_cast<double>(registry.requests()),
          .sent = static_cast<double>(registry.bytes_sent()),
          .wall_s = std::chrono::duration<double>(Clock::now() - start).count(),
          .peak = static_cast<double>(status->max_rss_kib) * 1024,
          .outcome = OutcomeOf(*status, exporter.Stderr())};
}

// Prints the row and returns whether it is within bounds.
bool PrintRow(const Attack& attack, const Cost& cost, double baseline) {
  const double above = cost.peak - baseline;
  const auto known = static_cast<double>(attack.known);
  const bool is_within = above <= Allowed(attack);
  char each[32] = "";
  if (attack.known >= 100'000) std::snprintf(each, sizeof each, "%.0f", above / known);
  std::printf("| %s | %.0f | %.0f | %.1f | %.1f | %.1f%s | %s | %s |\n", attack.name.c_str(),
              cost.requests, cost.sent / kMiB, cost.wall_s, cost.peak / kMiB, above / kMiB,
              is_within ? "" : " (!)", each, cost.outcome.c_str());
  std::fflush(stdout);
  return is_within;
}

Attack Honest(std::string name, std::size_t blobs) {
  return {.name = std::move(name),
          .make = [blobs] { return testing::HonestBlobs(blobs); },
          .known = blobs < 1000 ? 0 : blobs,
          .timeout = 60s};
}

double Resident(const ExporterProcess& exporter) {
  return exporter.Metric("process_resident_memory_bytes").value_or(0);
}

// Until so many have ended since its start.
void AwaitScans(const ExporterProcess& exporter, double scans) {
  const auto ended = [&] {
    double sum = 0;
    for (const testing::Sample& sample : exporter.Metrics()) {
      if (sample.name == "registry_backend_scans_total") sum += sample.value;
    }
    return sum >= scans;
  };
  if (!testing::Eventually(90s, ended)) throw std::runtime_error("no scan: " + exporter.Output());
}

void OneMoreScan(const ExporterProcess& exporter, double scans) {
  // The one before may have been counted just before another one is taken.
  const bool accepted = testing::Eventually(
      10s, [&] { return testing::HttpPost(exporter.url() + "/-/scan").status == 202; });
  if (!accepted) throw std::runtime_error("no scan is taken: " + exporter.Output());
  AwaitScans(exporter, scans);
}

// A running exporter: a scan of ten blobs, a hostile one, a scan of ten blobs.
void Serve(const Attack& attack) {
  const TempDir dir("memory-bench");
  HostileRegistry registry(attack.make, [] { return testing::TenBlobs(); });
  registry.BeHostile(false);
  ExporterProcess exporter(
      REGISTRY_BACKEND_EXPORTER, WriteConfig(dir, registry.url(), attack),
      {"--storage.path", (dir / "storage").string(), "--web.enable-lifecycle"});
  AwaitScans(exporter, 1);
  const double before = Resident(exporter);
  registry.BeHostile(true);
  OneMoreScan(exporter, 2);
  const double after = Resident(exporter);
  registry.BeHostile(false);
  OneMoreScan(exporter, 3);
  const double later = Resident(exporter);
  const auto ended = exporter.Terminate(10s);
  if (!ended) throw std::runtime_error(attack.name + ": serve does not end");
  std::printf("| %s | %.1f | %.1f | %.1f | %.1f |\n", attack.name.c_str(), before / kMiB,
              static_cast<double>(ended->max_rss_kib) / 1024, after / kMiB, later / kMiB);
  std::fflush(stdout);
}

// Whether the row is to be run: all are, where no word is given.
bool IsWanted(const std::string& name, std::string_view word) {
  return name.find(word) != std::string::npos;
}

bool Run(std::string_view word) {
  std::printf(
      "| what the registry sends | requests | MiB sent | wall s | peak MiB | above ten blobs | "
      "bytes each | outcome |\n|---|---|---|---|---|---|---|---|\n");
  const Attack ten = Honest("ten blobs", 10);
  const Cost least = Scan(ten);
  bool all_within = PrintRow(ten, least, least.peak);
  std::vector<Attack> attacks = {Honest("honest: 1,000 unique blobs", 1000),
                                 Honest("honest: 10,000 unique blobs", 10'000),
                                 Honest("honest: 100,000 unique blobs", 100'000)};
  for (const Attack& attack : testing::Attacks()) attacks.push_back(attack);
  for (const Attack& attack : attacks) {
    if (!IsWanted(attack.name, word)) continue;
    if (!PrintRow(attack, Scan(attack), least.peak)) all_within = false;
  }
  std::printf(
      "\n| `serve` | MiB before | peak | after | after a scan of ten blobs |\n"
      "|---|---|---|---|---|\n");
  for (const Attack& attack : attacks) {
    if (attack.on_serve && IsWanted(attack.name, word)) Serve(attack);
  }
  return all_within;
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  try {
    if (argc > 2) throw std::runtime_error("usage: memory_bench [WORD OF A ROW'S NAME]");
    const bool all_within = registry_backend::Run(argc == 2 ? argv[1] : "");
    if (!all_within) std::fprintf(stderr, "memory_bench: a row is out of bounds: see (!)\n");
    return all_within ? 0 : 1;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "memory_bench: %s\n", fault.what());
    return 1;
  }
}
