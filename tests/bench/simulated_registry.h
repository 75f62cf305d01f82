#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

// The repository that benchmarks scan: half of an image's layers are shared by all tags.
inline constexpr const char* kBenchRepository = "team/app";

struct SimulatedRegistryOptions {
  int tags = 40;
  int layers = 55;
  double shared = 0.5;  // of an image's layers that all tags have
  bool tls = true;
};

// The simulated registry as a program of its own, so that its CPU time is not the measured one's.
// Ready when the constructor returns, without latency. Throws std::runtime_error.
// Thread-compatible.
class SimulatedRegistry {
 public:
  explicit SimulatedRegistry(const SimulatedRegistryOptions& options);

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::string host() const { return url_.substr(url_.find("://") + 3); }
  // With TLS: what clients trust.
  [[nodiscard]] std::filesystem::path ca_file() const { return dir_ / "ca.pem"; }

  void SetLatency(std::chrono::milliseconds latency) const;
  void ResetStats() const;
  // What it counted since then, as `GET /-/stats` says it.
  [[nodiscard]] nlohmann::json Stats() const;

 private:
  void Control(const nlohmann::json& command) const;
  [[nodiscard]] std::vector<std::string> Command(const SimulatedRegistryOptions& options) const;

  const TempDir dir_{"bench-registry"};
  const bool tls_;
  Subprocess process_;
  std::string url_;
};

}  // namespace registry_backend::testing
