#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "exporter/discovery/scan_plan.h"
#include "exporter/http/loop.h"
#include "exporter/registry/registry_client.h"

namespace registry_backend {

// Carries one ScanPlan out: keeps up to max_concurrency operations under way until nothing is left
// to ask or the scan's timeout passes. Network thread only.
class Scanner {
 public:
  using Done = std::function<void(ScanResult)>;

  // `loop` and `client` outlive the scanner.
  Scanner(Loop& loop, RegistryClient& client, ScanOptions options, ScanHints hints);
  ~Scanner();  // calls off what is under way; `done` does not run then
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  // Once. `done` runs once, later, from the loop, and may delete the scanner.
  void Start(Done done);

  // Ends the scan now: what has no answer yet has none because of `why`. `done` runs before this
  // returns. Nothing where the scan has ended.
  void CutShort(const Error& why);

  // How far a scan that has not ended is.
  [[nodiscard]] ScanPlan::Progress progress() const { return plan_.progress(); }

 private:
  void Pump();
  void ObserveOnce();
  void CallOff();
  void OnTimeout();
  [[nodiscard]] Error TimeoutError() const;
  void End(const std::optional<Error>& cut_short);

  Loop& loop_;
  RegistryClient& client_;
  const ScanOptions options_;
  ScanPlan plan_;
  Done done_;
  Time started_;
  WallTime started_at_;
  std::optional<TimerId> timeout_;
  std::unordered_map<std::uint64_t, OperationId> under_way_;
  std::uint64_t last_operation_ = 0;
  bool has_observed_ = false;
};

}  // namespace registry_backend
