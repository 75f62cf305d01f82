#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/report/report_reader.h"

// What changed between two reports of one repository. Pure.
namespace registry_backend {

struct DiffedEndpoint {
  static constexpr std::size_t kMaxTags = 10;

  EndpointKey key;
  // As each report has it; empty in the one that has not.
  std::optional<StoredReport::Endpoint> before;
  std::optional<StoredReport::Endpoint> after;
  // Of a host of blobs: the tags that need it, by the new report if that names it, else by the old.
  std::vector<std::string> tags;  // the first ones
  std::size_t tag_count = 0;
  std::size_t tags_only_there = 0;  // those of them that the other report does not have
  // The host is in both reports all the same: it serves something else as well.
  bool host_in_both = false;
};

// What of a report stands above its comparison.
struct DiffedReport {
  std::string name;
  bool is_sample = false;
  std::optional<WallTime> finished;
  ScanOutcome outcome = ScanOutcome::kComplete;
  std::optional<StoredReport::Coverage> coverage;
};

struct ReportDiff {
  std::string registry;
  std::string repository;
  DiffedReport before;
  DiffedReport after;
  bool blobs_only = false;  // one is a sample: hosts of anything else are not compared

  std::vector<DiffedEndpoint> added;
  std::vector<DiffedEndpoint> removed;
  std::vector<DiffedEndpoint> not_seen;  // missing in a new report that cannot tell that they went
  std::vector<DiffedEndpoint> changed;   // another provider, bucket, region or delivery
  std::vector<DiffedEndpoint> unchanged;

  // Whether what is only in the new report is new. The old one may have missed it.
  [[nodiscard]] bool additions_are_certain() const;
  // Whether what is only in the old report is gone. The new one may have missed it.
  [[nodiscard]] bool removals_are_certain() const;
  [[nodiscard]] bool differs() const {
    return !added.empty() || !removed.empty() || !changed.empty();
  }
};

// Error kProtocol, which names the report by `old_name` or `new_name`: one is of a failed scan, or
// they are of different repositories.
Result<ReportDiff> CompareReports(const StoredReport& before, const std::string& old_name,
                                  const StoredReport& after, const std::string& new_name);

}  // namespace registry_backend
