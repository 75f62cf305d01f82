#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "exporter/discovery/scan_result.h"

namespace registry_backend {

// What is known of one endpoint over time.
struct EndpointRecord {
  EndpointInfo info;
  bool present = false;
  WallTime first_seen;
  WallTime last_seen;
  std::optional<std::uint64_t> blobs;  // it served in the newest complete scan

  bool operator==(const EndpointRecord&) const = default;
};

// What stays of a finished scan besides its report.
struct ScanSummary {
  ScanOutcome outcome = ScanOutcome::kFailed;
  WallTime started;
  WallTime finished;
  Duration took{};
  ScanCounts asked;
  ScanCounts unresolved;
  double coverage = 0;
  std::set<ErrorKind> reasons;
  std::string error;  // the main one's message; empty if complete
};

// All that is known of one target. A value.
struct TargetState {
  std::map<EndpointKey, EndpointRecord> endpoints;
  std::optional<ScanSummary> newest;            // the newest finished scan
  std::optional<ScanSummary> newest_usable;     // the newest one that did not fail
  std::optional<WallTime> last_success;         // end of the newest complete one
  std::uint64_t consecutive_failures = 0;       // finished scans since then
  std::map<ScanOutcome, std::uint64_t> scans;   // finished ones
  std::map<ErrorKind, std::uint64_t> failures;  // not complete ones, by main reason
};

// What `result` changes. Only a complete scan makes an endpoint absent; a partial or failed one may
// add what it saw and never removes.
void Apply(const ScanResult& result, TargetState& state);

}  // namespace registry_backend
