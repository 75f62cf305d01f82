#include "tests/dashboards/history_prometheus.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "tests/dashboards/history.h"
#include "tests/support/subprocess.h"

namespace registry_backend::testing {
namespace {

constexpr std::chrono::minutes kAhead{15};

// Where the text is put, of which there is more than half a gigabyte: a disk takes its time.
std::string Place() {
  std::error_code fault;
  const auto space = std::filesystem::space("/dev/shm", fault);
  const bool in_memory = !fault && space.available > (std::uintmax_t{4} << 30);
  return in_memory ? "/dev/shm/dashboard-history" : "dashboard-history";
}

// Fills a Prometheus' database.
void Backfill(WallTime end, const std::filesystem::path& data) {
  const TempDir directory(Place());
  const std::string text = directory / "history.txt";
  {
    std::ofstream file(text);
    WriteHistory(end, file);
    if (!file.flush()) throw std::runtime_error("cannot write " + text);
  }
  // In one block: promtool reads the whole text once for each.
  const RunResult run = RunToEnd({"promtool", "tsdb", "create-blocks-from", "openmetrics",
                                  "--max-block-duration=1000h", "--quiet", text, data.string()},
                                 {}, std::chrono::minutes(5));
  if (run.exit_code != 0) throw std::runtime_error("promtool: " + run.out + run.err);
}

}  // namespace

HistoryPrometheus::HistoryPrometheus(const std::string& rules)
    : end_(std::chrono::floor<std::chrono::minutes>(WallClock::now() + kAhead)) {
  server_ = std::make_unique<PrometheusServer>(
      "", rules, "", [this](const std::filesystem::path& data) { Backfill(end_, data); });
}

}  // namespace registry_backend::testing
