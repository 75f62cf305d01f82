#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/http2_front.h"
#include "tests/bench/measure.h"
#include "tests/bench/simulated_registry.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

enum class Protocol { kHttp11, kHttp2 };
[[nodiscard]] const char* ProtocolName(Protocol protocol);

// The same simulated repository, reached over TLS by one protocol.
class Site {
 public:
  Site(Protocol protocol, SimulatedRegistryOptions options);

  [[nodiscard]] const SimulatedRegistry& registry() const { return registry_; }
  [[nodiscard]] std::string url() const { return front_ ? front_->url() : registry_.url(); }
  [[nodiscard]] std::string ca_file() const {
    return (front_ ? front_->ca_file() : registry_.ca_file()).string();
  }

  // Runs `measure` and returns what the registry counted meanwhile. Throws when a request came over
  // another protocol than this site's.
  template <typename Measure>
  nlohmann::json Count(Measure&& measure) const {
    registry_.ResetStats();
    const Http2Front::Served before = front_ ? front_->Count() : Http2Front::Served{};
    std::forward<Measure>(measure)();
    nlohmann::json stats = registry_.Stats();
    if (front_) CheckHttp2(before, stats.at("total").get<int>());
    return stats;
  }

 private:
  void CheckHttp2(const Http2Front::Served& before, int requests) const;

  const SimulatedRegistry registry_;
  std::unique_ptr<Http2Front> front_;
};

// How often the registry was asked so: `status` 0 is any.
[[nodiscard]] double Asked(const nlohmann::json& stats, std::string_view operation, int status = 0);

struct ContestOptions {
  Protocol protocol = Protocol::kHttp11;
  SimulatedRegistryOptions repository = {};
  std::chrono::milliseconds latency{50};
  int wide = 16;
};

// The exporter and the bare loop with their files, on one site. Making it runs a scan without
// latency, which finds the URLs for the bare loop and warms the machine up.
class Contest {
 public:
  explicit Contest(const ContestOptions& options);

  [[nodiscard]] const Site& site() const { return site_; }
  [[nodiscard]] const std::string& config() const { return config_; }

  [[nodiscard]] Cost Scan() const { return Measure(scan_command()); }
  [[nodiscard]] Cost BareLoop() const { return Measure(bare_command()); }
  [[nodiscard]] std::vector<std::string> scan_command() const;
  [[nodiscard]] std::vector<std::string> bare_command() const;
  // What latency and width alone would make it.
  [[nodiscard]] double IdealSeconds(double requests) const;

 private:
  [[nodiscard]] Cost Measure(const std::vector<std::string>& command) const;

  const ContestOptions options_;
  const TempDir dir_{"scan-bench"};
  const Site site_;
  std::string config_;
};

// The figures of several runs of both.
struct Rivals {
  std::vector<Cost> bare;
  std::vector<Cost> scan;

  // One run each. Throws where they did not ask for the same.
  void Run(const Contest& contest);
  // Of each run of the scan, by what the bare loop of the same run took.
  [[nodiscard]] std::vector<double> CpuRatios() const;
};

}  // namespace registry_backend::testing
