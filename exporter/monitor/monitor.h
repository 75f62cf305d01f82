#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/log.h"
#include "exporter/common/published.h"
#include "exporter/monitor/options.h"
#include "exporter/monitor/snapshot.h"
#include "exporter/monitor/worker.h"
#include "exporter/registry/exchange_driver.h"

namespace registry_backend {

// The life of all targets: when one is due its credentials are read, it is scanned, what was found
// is applied to what is known, and a new Snapshot is published.
class Monitor {
 public:
  enum class ScanRequest { kAccepted, kUnknownTarget, kAlreadyScanning };

  // What `network` refers to outlives the monitor, whose destructor runs when the loop no longer
  // does.
  Monitor(Network network, std::vector<TargetOptions> targets, Logger logger);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Scans every target now and then at its interval. Once; thread-safe.
  void Start();

  // Asks for a scan of the target named, or of every target where `name` is empty; then kAccepted
  // says that at least one scan begins. Thread-safe.
  ScanRequest RequestScan(std::string_view name);

  // Thread-safe.
  [[nodiscard]] std::shared_ptr<const Snapshot> Current() const { return published_.Get(); }

 private:
  struct Target;

  [[nodiscard]] bool Claim(const std::string& name);
  void Due(Target& target);
  void ReadCredentialsAndScan(Target& target);
  void Scan(Target& target, Result<Credentials> credentials);
  void Finish(Target& target, const ScanResult& result);
  void LogResult(const Target& target, const ScanResult& result) const;
  void Publish(Target& target);

  Network network_;
  const Logger logger_;

  std::mutex mutex_;
  std::set<std::string> busy_;  // names of targets being scanned or about to be; guarded by mutex_

  // Network thread only; the vector itself never changes.
  std::vector<std::unique_ptr<Target>> targets_;

  Published<Snapshot> published_;
  Worker worker_;  // last: its tasks use the others
};

}  // namespace registry_backend
