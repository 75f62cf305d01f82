#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

// An entry of scrape_configs: one job with one static target `host` (host:port) at /metrics.
[[nodiscard]] std::string ScrapeJob(const std::string& job, const std::string& host);

// The packaged Prometheus on a free port of 127.0.0.1, scraping and evaluating every second, with
// its database in a directory of its own. Ready when the constructor returns; stopped by the
// destructor. Throws std::runtime_error with the server's output. Thread-compatible.
class PrometheusServer {
 public:
  // `scrape_configs` is YAML, the items of that list ("- job_name: …"). `rules`, if any, is the
  // text of one rule file; its alerts go to the Alertmanager at host:port `alertmanager`, if any
  // (then ready means that Prometheus has taken it up, too).
  // `fill`, if any, is called before the start with the database's directory, to put blocks there.
  explicit PrometheusServer(
      const std::string& scrape_configs, const std::string& rules = "",
      const std::string& alertmanager = "",
      const std::function<void(const std::filesystem::path& data)>& fill = nullptr);

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The result of an instant query: an array of {"metric": {labels}, "value": [time, "text"]}.
  // Throws std::runtime_error with Prometheus' error, e.g. for a bad expression.
  [[nodiscard]] nlohmann::json Query(const std::string& expression) const;
  // The value, if the result has exactly one sample.
  [[nodiscard]] std::optional<double> QueryValue(const std::string& expression) const;
  // The `data` of a GET below /api/v1/, e.g. Api("alerts"). Throws as Query does.
  [[nodiscard]] nlohmann::json Api(const std::string& path_and_query) const;
  // How often it has evaluated the rule file so far, one that is under way included: to know that
  // it had the time to raise an alert.
  [[nodiscard]] double RuleEvaluations() const;

 private:
  const TempDir directory_{"prometheus"};
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace registry_backend::testing
