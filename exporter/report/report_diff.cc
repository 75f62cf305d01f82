#include "exporter/report/report_diff.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_set>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

Status CheckUsable(const StoredReport& report, const std::string& name) {
  if (report.outcome != ScanOutcome::kFailed) return Ok();
  return Error{ErrorKind::kProtocol, name + ": it is of a scan that failed (" + report.failure +
                                         "): there is nothing to compare"};
}

std::string SubjectOf(const StoredReport& report) {
  return report.registry + "/" + Printable(report.repository);
}

DiffedReport HeadOf(const StoredReport& report, const std::string& name) {
  return {name, report.is_sample, report.finished, report.outcome, report.coverage};
}

class Comparison {
 public:
  Comparison(const StoredReport& before, const StoredReport& after)
      : before_(before), after_(after), old_(before), new_(after) {
    diff_.registry = after.registry;
    diff_.repository = after.repository;
    diff_.blobs_only = before.is_sample || after.is_sample;
  }

  ReportDiff Run(const std::string& old_name, const std::string& new_name) && {
    diff_.before = HeadOf(before_, old_name);
    diff_.after = HeadOf(after_, new_name);
    for (const auto& [key, endpoint] : after_.endpoints) {
      if (IsCompared(key)) Sort(key, Find(before_, key), &endpoint);
    }
    for (const auto& [key, endpoint] : before_.endpoints) {
      if (IsCompared(key) && Find(after_, key) == nullptr) Sort(key, &endpoint, nullptr);
    }
    return std::move(diff_);
  }

 private:
  using Endpoint = StoredReport::Endpoint;

  // All that a report has of a kind.
  struct Names {
    explicit Names(const StoredReport& report) : tags(report.tags.begin(), report.tags.end()) {
      for (const auto& [key, endpoint] : report.endpoints) hosts.insert(key.backend_host);
    }
    std::set<Host> hosts;
    std::unordered_set<std::string_view> tags;
  };

  static const Endpoint* Find(const StoredReport& report, const EndpointKey& key) {
    const auto found = report.endpoints.find(key);
    return found == report.endpoints.end() ? nullptr : &found->second;
  }

  [[nodiscard]] bool IsCompared(const EndpointKey& key) const {
    return !diff_.blobs_only || key.serves == Serves::kBlobs;
  }

  void Sort(const EndpointKey& key, const Endpoint* before, const Endpoint* after) {
    ListFor(before, after).push_back(Describe(key, before, after));
  }

  std::vector<DiffedEndpoint>& ListFor(const Endpoint* before, const Endpoint* after) {
    if (before == nullptr) return diff_.added;
    if (after == nullptr) return diff_.removals_are_certain() ? diff_.removed : diff_.not_seen;
    return IsChanged(before->info, after->info) ? diff_.changed : diff_.unchanged;
  }

  // What is empty is not known, or was not the same for all that was served. It says nothing in a
  // report that has not seen all.
  [[nodiscard]] bool IsChanged(const EndpointInfo& before, const EndpointInfo& after) const {
    if (diff_.blobs_only) return false;  // a sample has no such things
    const auto differs = [this](const std::string& old_value, const std::string& new_value) {
      if (old_value.empty() && !diff_.removals_are_certain()) return false;
      if (new_value.empty() && !diff_.additions_are_certain()) return false;
      return old_value != new_value;
    };
    return differs(before.provider, after.provider) || differs(before.bucket, after.bucket) ||
           differs(before.storage_region, after.storage_region) ||
           differs(before.delivery, after.delivery);
  }

  [[nodiscard]] DiffedEndpoint Describe(const EndpointKey& key, const Endpoint* before,
                                        const Endpoint* after) const {
    DiffedEndpoint described{.key = key};
    if (before != nullptr) described.before = *before;
    if (after != nullptr) described.after = *after;
    described.host_in_both =
        old_.hosts.contains(key.backend_host) && new_.hosts.contains(key.backend_host);
    const StoredReport& report = after != nullptr ? after_ : before_;
    const Names& other = after != nullptr ? old_ : new_;
    const auto tags = report.tags_of.find(key.backend_host);
    if (key.serves != Serves::kBlobs || tags == report.tags_of.end()) return described;
    described.tag_count = tags->second.size();
    for (const std::uint32_t place : tags->second) {
      const std::string& tag = report.tags[place];
      if (described.tags.size() < DiffedEndpoint::kMaxTags) described.tags.push_back(tag);
      if (!other.tags.contains(tag)) ++described.tags_only_there;
    }
    return described;
  }

  const StoredReport& before_;
  const StoredReport& after_;
  const Names old_;
  const Names new_;
  ReportDiff diff_;
};

}  // namespace

bool ReportDiff::additions_are_certain() const {
  return before.outcome == ScanOutcome::kComplete && before.is_sample == after.is_sample;
}

// Two samples are taken the same way, so one is held against the other.
bool ReportDiff::removals_are_certain() const {
  return after.outcome == ScanOutcome::kComplete && (!after.is_sample || before.is_sample);
}

Result<ReportDiff> CompareReports(const StoredReport& before, const std::string& old_name,
                                  const StoredReport& after, const std::string& new_name) {
  if (Status usable = CheckUsable(before, old_name); !usable) return usable.error();
  if (Status usable = CheckUsable(after, new_name); !usable) return usable.error();
  if (before.registry != after.registry || before.repository != after.repository) {
    return Error{ErrorKind::kProtocol, "they are of different repositories: " + old_name + " of " +
                                           SubjectOf(before) + ", " + new_name + " of " +
                                           SubjectOf(after)};
  }
  return Comparison(before, after).Run(old_name, new_name);
}

}  // namespace registry_backend
