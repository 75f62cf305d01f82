#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/log.h"
#include "exporter/common/published.h"
#include "exporter/monitor/drill.h"
#include "exporter/monitor/options.h"
#include "exporter/monitor/snapshot.h"
#include "exporter/monitor/worker.h"
#include "exporter/registry/exchange_driver.h"
#include "exporter/storage/storage.h"

namespace registry_backend {

// The life of all targets: when one is due its credentials are read, it is scanned, what was found
// is applied to what is known and saved, and a new Snapshot is published.
class Monitor {
 public:
  enum class ScanRequest { kAccepted, kUnknownTarget, kAlreadyScanning };

  // Reads what `storage` has of the targets, and tries whether it can be written: both show in the
  // first Snapshot and in the log. What `network` refers to outlives the monitor, whose destructor
  // runs when the loop no longer does, and waits for what is being saved. `wall_clock` tells the
  // time by which scans are due, from any thread.
  Monitor(Network network, Storage storage, std::vector<TargetOptions> targets, Logger logger,
          std::function<WallTime()> wall_clock = WallClock::now);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // From now on scans each target when it is due; at once if it never was scanned or its time has
  // passed. Once; thread-safe.
  void Start();

  // Puts other targets in the place of those there are, in one step: what is known of a registry's
  // repository stays whatever else is edited of its target. A scan goes on, unless what it asks, or
  // how, is edited: then it begins anew. Targets that are no longer there end and leave the
  // Snapshot; new ones are scanned as at the start. Returns when that is done. Error kStorage: it
  // is not, and will not be, since Stop was called or the disk does not answer. One at a time, from
  // any thread but the network's.
  Status Reload(std::vector<TargetOptions> targets);

  // Ends what others wait for in Reload, and credential helpers. Thread-safe.
  void Stop() { stopping_.request_stop(); }

  // Asks for a scan of the target named, or of every target where `name` is empty; then kAccepted
  // says that at least one scan begins. Thread-safe.
  ScanRequest RequestScan(std::string_view name);

  // Begins a drill of a target of the current Snapshot, or ends it before its time; see Drills. The
  // Snapshot shows it soon. It outlasts an edit of the target, but not a reload without it. Nothing
  // of it is stored, so the exporter's end is its end. Thread-safe.
  Drills::Answer BeginDrill(const TargetSnapshot& target, Serves serves, Duration duration);
  Drills::Answer StopDrill(const TargetSnapshot& target);

  // Thread-safe.
  [[nodiscard]] std::shared_ptr<const Snapshot> Current() const { return published_.Get(); }

  // The report of the target's newest scan that did not fail. Empty: there is none, or the snapshot
  // is older than the current one and the report was removed. Thread-safe.
  [[nodiscard]] Result<std::optional<StoredFile>> OpenReport(const TargetSnapshot& target) const;

 private:
  struct Target;

  struct Arrival;
  struct Reloading;

  void LoadArrivals(const std::shared_ptr<Reloading>& reloading);
  void Replace(Reloading& reloading);
  [[nodiscard]] bool Edit(Target& target, TargetOptions options);
  void Retire(std::unique_ptr<Target> target);
  void LetGo(Target& target);
  void TakeNames(const std::set<std::string>& were_scanning);
  void LimitPace();
  void NumberTargets();
  void PublishAll();

  [[nodiscard]] bool Claim(const std::string& name);
  void FreeClaims();
  void Schedule(Target& target);
  [[nodiscard]] WallTime NextScanOf(const Target& target) const;
  void SetTimer(Target& target);
  void Due(Target& target);
  void BeginScan(Target& target);
  void Scan(Target& target, Result<Credentials> credentials);
  void Finish(Target& target, ScanResult result);
  void Saved(Target& target, const Status& saved, TargetState state);
  void LogSchedule() const;
  void LogChanges(const Target& target, const TargetState& state, WallTime at) const;
  void LogResult(const Target& target, const ScanResult& result) const;
  void Publish(const Target& target);
  void PublishDrill(const std::string& key);
  [[nodiscard]] std::set<std::string> Keys() const;
  [[nodiscard]] std::shared_ptr<const TargetSnapshot> Picture(const Target& target) const;

  Network network_;
  const Logger logger_;
  const std::function<WallTime()> wall_clock_;
  const Storage storage_;  // after the constructor only the worker writes there

  std::mutex mutex_;
  std::set<std::string> names_;  // of targets; guarded by mutex_
  std::set<std::string> busy_;   // names of targets being scanned or about to be; guarded by mutex_
  std::condition_variable_any replaced_;

  // Network thread only.
  std::vector<std::unique_ptr<Target>> targets_;
  std::vector<std::unique_ptr<Target>> gone_;  // no longer there, but workers have them
  std::set<std::string> registries_;           // of targets_
  bool started_ = false;

  Drills drills_;  // by KeyOf
  Published<Snapshot> published_;
  std::stop_source stopping_;  // ends what the worker waits for
  // Last: their tasks use the others.
  Worker worker_;   // the storage
  Worker secrets_;  // files with secrets: no inventory waits for a mount that hangs
  Worker helpers_;  // docker config files, and the credential helpers that they name
};

}  // namespace registry_backend
