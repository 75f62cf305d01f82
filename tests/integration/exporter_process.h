#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/exposition.h"
#include "tests/integration/server_process.h"
#include "tests/support/subprocess.h"

namespace registry_backend::testing {

// Runs one command of the exporter to its end, with nobody's proxies or credentials around unless
// `options` bring some.
[[nodiscard]] RunResult RunExporter(const std::string& binary,
                                    const std::vector<std::string>& arguments,
                                    const SubprocessOptions& options = HermeticOptions());

// `serve` on a free port of 127.0.0.1. Ready (/-/ready answers 200) when the constructor returns;
// killed by the destructor. Throws std::runtime_error with its output. Thread-compatible.
class ExporterProcess {
 public:
  // `arguments` follow --config.file and --web.listen-address.
  ExporterProcess(const std::string& binary, const std::filesystem::path& config,
                  const std::vector<std::string>& arguments = {},
                  SubprocessOptions options = HermeticOptions());

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string url() const { return "http://" + host(); }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  // GET /metrics. Throws when the answer is not a 200 or is malformed.
  [[nodiscard]] std::string MetricsText() const;
  [[nodiscard]] std::vector<Sample> Metrics() const { return ParseExposition(MetricsText()); }
  [[nodiscard]] std::optional<double> Metric(std::string_view name,
                                             const Labels& labels = {}) const {
    return ValueOf(Metrics(), name, labels);
  }
  // POST /-/scan, again while a scan is running (409), and waits until one more has finished:
  // true when registry_backend_scans_total has grown by `deadline`. Needs one target.
  [[nodiscard]] bool ScanNow(std::chrono::milliseconds deadline = std::chrono::seconds(30)) const;
  // SIGTERM; how it ended, or nothing when it still runs after `deadline`.
  [[nodiscard]] std::optional<ExitStatus> Terminate(std::chrono::milliseconds deadline);

  void Signal(int signal) { process_->Signal(signal); }
  // No file that it writes may have more bytes than this, as if the disk were full.
  void LimitFiles(std::uint64_t bytes) const;

  // SIGKILL, and waits for the end. Start again with Restart.
  void Kill();
  // Kills it if it runs, and starts it again with the same arguments and port. Ready when it
  // returns.
  void Restart();

  // Standard output and standard error since the latest start.
  [[nodiscard]] std::string Output() const { return process_->Stdout() + process_->Stderr(); }
  [[nodiscard]] std::string Stderr() const { return process_->Stderr(); }

 private:
  [[nodiscard]] std::unique_ptr<Subprocess> Start() const;
  [[nodiscard]] double FinishedScans() const;

  const std::vector<std::string> argv_;  // without the listen address
  const SubprocessOptions options_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace registry_backend::testing
