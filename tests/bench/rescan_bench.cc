#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/bench/measure.h"
#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/temp_dir.h"

// What a running exporter asks for, and what that costs, when it scans again: nothing new, one tag
// new, all new.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using testing::ExporterProcess;
using testing::Spread;
using testing::TempDir;
namespace sim = simulator;

constexpr const char* kRepository = "team/app";

sim::GenerateOptions Content(std::uint64_t seed) {
  return {.repository = kRepository,
          .tags = 40,
          .layers_per_tag = 55,
          .kinds = {sim::TagKind::kDockerImage},
          .seed = seed};
}

// 1, its tags, and the blobs below them, each once: as few requests as can be.
std::size_t FewestRequests(const sim::Catalog& catalog) {
  std::set<std::string> blobs;
  const auto& tags = catalog.Find(kRepository)->tags;
  for (const auto& [tag, digest] : tags) {
    for (std::string& blob : catalog.BlobsOf(kRepository, tag)) blobs.insert(std::move(blob));
  }
  return 1 + tags.size() + blobs.size();
}

struct Figures {
  std::size_t fewest = 0;
  std::size_t requests = 0;
  std::size_t bodies = 0;  // of manifests
  std::vector<double> wall_s;
  std::vector<double> cpu_ms;
};

class Rescans {
 public:
  Rescans() {
    testing::WriteFile(dir_ / "config.yml",
                       "scan: {interval: 24h, max_requests_per_second: 0, max_concurrency: 16}\n"
                       "targets: [{registry: \"" +
                           registry_.base_url() + "\", repository: " + kRepository + "}]\n");
    exporter_ = std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, dir_ / "config.yml",
        std::vector<std::string>{"--storage.path", (dir_ / "data").string(),
                                 "--web.enable-lifecycle"});
    // The first scan is under way by now; this one comes after it.
    Scan();
  }

  // Scans after `edit`, and adds to `figures`.
  void Measure(const std::function<void(sim::Catalog&)>& edit, Figures& figures) {
    registry_.EditCatalog([&](sim::Catalog& catalog) {
      edit(catalog);
      figures.fewest = FewestRequests(catalog);
    });
    registry_.ResetStats();
    const double cpu_before = testing::CpuSecondsOf(exporter_->pid());
    Scan();
    figures.cpu_ms.push_back((testing::CpuSecondsOf(exporter_->pid()) - cpu_before) * 1000);
    figures.wall_s.push_back(
        exporter_->Metric("registry_backend_scan_duration_seconds").value_or(0));
    const sim::Stats stats = registry_.GetStats();
    figures.requests = static_cast<std::size_t>(stats.total);
    figures.bodies = 0;
    for (const auto& [request, count] : stats.counts) {
      const bool has_body = request.method == "GET" && request.status == 200;
      if (request.operation == sim::Operation::kManifest && has_body) {
        figures.bodies += static_cast<std::size_t>(count);
      }
    }
  }

 private:
  void Scan() {
    if (!exporter_->ScanNow(60s) || exporter_->Metric("registry_backend_scan_success") != 1) {
      throw std::runtime_error("no complete scan: " + exporter_->Output());
    }
  }

  const TempDir dir_{"rescan-bench"};
  sim::Simulator registry_{{.latency = 5ms}, sim::Generate(Content(1))};
  std::unique_ptr<ExporterProcess> exporter_;
};

void AddTag(sim::Catalog& catalog, int number) {
  std::vector<std::string> layers;
  for (int i = 0; i < 55; ++i) {
    layers.push_back("layer " + std::to_string(i) + " of " + std::to_string(number));
  }
  const std::string name = "2.0." + std::to_string(number);
  catalog.Tag(
      kRepository, name,
      catalog.AddImage(kRepository, sim::Format::kDocker, "{\"tag\":\"" + name + "\"}", layers));
  catalog.RemoveTag(kRepository, "2.0." + std::to_string(number - 1));
}

void Print(const char* name, const Figures& figures) {
  std::printf("| %s | %zu | %zu | %zu | %s | %s |\n", name, figures.fewest, figures.requests,
              figures.bodies, Spread(figures.wall_s, 2).c_str(), Spread(figures.cpu_ms, 0).c_str());
}

void Run(int argc, char** argv) {
  const int runs = testing::NumberArgument(argc, argv, 1, 5, "rescan_bench [RUNS]");
  Rescans rescans;
  Figures unchanged;
  Figures one_new;
  Figures all_new;
  for (int i = 0; i < runs; ++i) {
    rescans.Measure([](sim::Catalog&) {}, unchanged);
    rescans.Measure([i](sim::Catalog& catalog) { AddTag(catalog, i); }, one_new);
    rescans.Measure(
        [i](sim::Catalog& catalog) {
          sim::Generate(Content(static_cast<std::uint64_t>(i) + 2), catalog);
        },
        all_new);
  }
  std::printf(
      "40 tags x 55 layers, half shared, 5 ms, 16 wide, HTTP/1.1 without TLS; medians of %d "
      "runs\n\n"
      "| rescan | 1 + tags + unique blobs | requests | manifest bodies | wall s | CPU ms |\n"
      "|---|---|---|---|---|---|\n",
      runs);
  Print("nothing new", unchanged);
  Print("one tag new", one_new);
  Print("all new", all_new);
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  return registry_backend::testing::BenchMain("rescan_bench", registry_backend::Run, argc, argv);
}
