#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

// How close one scan comes to what its latency and its width allow: the exporter as a program, on
// the simulated registry as another, over TLS.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using Seconds = std::chrono::duration<double>;
using testing::Subprocess;
using testing::TempDir;

constexpr int kTags = 40;
constexpr int kLayers = 55;
constexpr int kLatencyMs = 50;
constexpr int kWide = 16;

class Registry {
 public:
  explicit Registry(const TempDir& dir)
      : process_(
            {REGISTRY_SIMULATOR, "--listen", "127.0.0.1:0", "--repository", "team/app", "--tags",
             std::to_string(kTags), "--layers", std::to_string(kLayers), "--shared", "0.5",
             "--kinds", "docker", "--latency", std::to_string(kLatencyMs) + "ms", "--tls-ca-out",
             (dir / "ca.pem").string(), "--port-file", (dir / "port").string()},
            {}) {
    const bool ready = testing::Eventually(20s, [&] {
      return std::filesystem::exists(dir / "port") && !testing::ReadFile(dir / "port").empty();
    });
    if (!ready) throw std::runtime_error("the simulator does not start: " + process_.Stderr());
    std::string port = testing::ReadFile(dir / "port");
    port.erase(port.find_last_not_of("\r\n ") + 1);
    url = "https://127.0.0.1:" + port;
  }

  // What the simulator counted.
  [[nodiscard]] Json Stats(const TempDir& dir) const {
    testing::HttpOptions options;
    options.ca_file = (dir / "ca.pem").string();
    return Json::parse(testing::HttpGet(url + "/-/stats", options).body);
  }

  std::string url;

 private:
  Subprocess process_;
};

std::string Config(const TempDir& dir, const std::string& url) {
  const std::filesystem::path path = dir / "config.yml";
  testing::WriteFile(path, "scan: {max_requests_per_second: 0, max_concurrency: " +
                               std::to_string(kWide) + "}\ntargets:\n- registry: " + url +
                               "\n  repository: team/app\n  tls_config: {ca_file: ca.pem}\n");
  return path.string();
}

void Run() {
  const TempDir dir("scan-bench");
  const Registry registry(dir);
  const std::string config = Config(dir, registry.url);
  const auto start = std::chrono::steady_clock::now();
  Subprocess scan({REGISTRY_BACKEND_EXPORTER, "scan", "--config.file", config}, {});
  const auto status = scan.Wait(300s);
  const Seconds wall = std::chrono::steady_clock::now() - start;
  if (!status || status->code != 0) throw std::runtime_error("the scan failed: " + scan.Stderr());

  const Json report = Json::parse(scan.Stdout());
  const Json stats = registry.Stats(dir);
  const auto requests = stats.at("total").get<double>();
  const double ideal = requests * kLatencyMs / 1000 / kWide;
  std::printf("%d tags x %d layers, half shared, %d ms, TLS, %d wide\n", kTags, kLayers, kLatencyMs,
              kWide);
  std::printf(
      "| requests | unique blobs | wall s | wall / ideal | CPU us a request | peak MiB |\n");
  std::printf("|---|---|---|---|---|---|\n");
  std::printf("| %.0f | %d | %.2f | %.3f | %.0f | %.1f |\n", requests,
              report.at("coverage").at("blobs").get<int>(), wall.count(), wall.count() / ideal,
              status->cpu_seconds() / requests * 1e6,
              static_cast<double>(status->max_rss_kib) / 1024);
}

}  // namespace
}  // namespace registry_backend

int main() {
  try {
    registry_backend::Run();
    return 0;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "scan_bench: %s\n", fault.what());
    return 1;
  }
}
