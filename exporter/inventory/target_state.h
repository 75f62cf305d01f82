#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "exporter/discovery/scan_result.h"

// What is known of a target over time: values only.
namespace registry_backend {

struct EndpointRecord {
  // Digests kept of those it served last, to be asked again before it is called absent.
  static constexpr std::size_t kMaxWitnesses = 8;

  EndpointInfo info;
  WallTime first_seen;
  WallTime last_seen;
  std::optional<WallTime> absent_since;  // empty: present
  std::optional<WallTime> changed;       // when presence last changed after the baseline
  std::optional<std::uint64_t> blobs;    // it served in the newest complete scan
  std::uint64_t misses = 0;              // complete scans in a row without it, while present
  std::vector<std::string> witnesses;

  [[nodiscard]] bool present() const { return !absent_since.has_value(); }
  bool operator==(const EndpointRecord&) const = default;
};

enum class ChangeKind { kAdded, kRemoved };
inline constexpr ChangeKind kAllChangeKinds[] = {ChangeKind::kAdded, ChangeKind::kRemoved};
std::string_view ChangeName(ChangeKind kind);

// An endpoint that came or went after the baseline.
struct Change {
  WallTime at;
  ChangeKind kind;
  EndpointKey endpoint;

  bool operator==(const Change&) const = default;
};

// What stays of a finished scan besides its report.
struct ScanSummary {
  ScanOutcome outcome = ScanOutcome::kFailed;
  WallTime started;
  WallTime finished;
  Duration took{};
  ScanCounts asked;
  ScanCounts unresolved;
  ScanCounts unpullable;
  double coverage = 0;
  std::set<ErrorKind> reasons;
  std::string error;  // the main one's message; empty if complete

  bool operator==(const ScanSummary&) const = default;
};

// What stays of a tag besides the report.
struct TagSummary {
  static constexpr std::size_t kMaxPlatforms = 1024;  // bytes; rest is `...`

  std::string name;
  std::string media_type;   // of its manifest
  std::string platforms;    // sorted, joined by commas; empty where no index names one
  std::uint64_t blobs = 0;  // unique ones below it
  // Zero and empty where an earlier program wrote it.
  std::string digest = {};   // of its manifest
  std::uint64_t layers = 0;  // unique ones below it

  bool operator==(const TagSummary&) const = default;
};

struct TargetState {
  static constexpr std::size_t kMaxJournal = 1000;
  static constexpr std::size_t kMaxTags = 1000;

  std::map<EndpointKey, EndpointRecord> endpoints;
  std::uint64_t dropped = 0;  // endpoints the newest scan saw that did not fit

  std::optional<WallTime> baseline;  // from then on, endpoints that come or go are changes
  std::uint64_t partial_streak = 0;  // partial scans in a row, up to the baseline
  std::string selection;             // see InventoryOptions; of the newest complete scan
  std::deque<Change> journal;        // newest first, bounded
  std::map<ChangeKind, std::uint64_t> changes;
  std::optional<WallTime> last_change;

  std::optional<ScanSummary> newest;            // the newest finished scan
  std::optional<ScanSummary> newest_usable;     // the newest one that did not fail
  std::vector<TagSummary> tags;                 // that scan's newest ones, newest first
  std::vector<std::string> unresolved;          // by that scan, see ScanHints
  std::string report;                           // names that scan's report; empty: there is none
  std::optional<WallTime> last_success;         // end of the newest complete one
  std::uint64_t consecutive_failures = 0;       // finished scans since then
  std::map<ScanOutcome, std::uint64_t> scans;   // finished ones
  std::map<ErrorKind, std::uint64_t> failures;  // not complete ones, by main reason

  bool operator==(const TargetState&) const = default;
};

}  // namespace registry_backend
