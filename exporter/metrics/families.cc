#include "exporter/metrics/families.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace registry_backend {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// One family being filled.
class Family {
 public:
  Family(std::string_view name, std::string_view help, MetricType type = MetricType::Gauge)
      : family_{"registry_backend_" + std::string(name), std::string(help), type, {}} {}

  void Add(Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (family_.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
  }

  // Moves the family to `families`, unless it has no series.
  void MoveTo(std::vector<MetricFamily>& families) {
    if (!family_.metric.empty()) families.push_back(std::move(family_));
  }

 private:
  MetricFamily family_;
};

Labels TargetLabels(const TargetSnapshot& target) {
  return {{"registry", target.registry}, {"repository", target.repository}};
}

Labels With(Labels labels, std::initializer_list<ClientMetric::Label> more) {
  labels.insert(labels.end(), more.begin(), more.end());
  return labels;
}

Labels EndpointLabels(const Labels& target, const EndpointKey& key) {
  return With(target, {{"serves", std::string(ServesName(key.serves))},
                       {"backend_host", key.backend_host.text()}});
}

template <typename Key>
double CountOf(const std::map<Key, std::uint64_t>& counts, Key key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : static_cast<double>(found->second);
}

class ScanFamilies {
 public:
  void Add(const TargetSnapshot& target) {
    const Labels labels = TargetLabels(target);
    const TargetState& state = target.state;
    target_info_.Add(With(labels, {{"target", target.name}, {"team", target.team}}), 1);
    interval_.Add(labels, Seconds(target.interval));
    in_progress_.Add(labels, target.scanning ? 1 : 0);
    if (target.next_scan) next_.Add(labels, UnixSeconds(*target.next_scan));
    for (const ScanOutcome outcome : kAllScanOutcomes) {
      scans_.Add(With(labels, {{"outcome", std::string(OutcomeName(outcome))}}),
                 CountOf(state.scans, outcome));
    }
    for (const ErrorKind kind : kReportedErrorKinds) {
      failures_.Add(With(labels, {{"reason", std::string(ReasonName(kind))}}),
                    CountOf(state.failures, kind));
    }
    consecutive_failures_.Add(labels, static_cast<double>(state.consecutive_failures));
    if (state.last_success) last_success_.Add(labels, UnixSeconds(*state.last_success));
    if (state.newest) AddNewest(labels, *state.newest);
    if (state.newest_usable) AddUsable(labels, *state.newest_usable);
  }

  void MoveTo(std::vector<MetricFamily>& families) {
    for (Family* family : {&target_info_,
                           &outcome_,
                           &success_,
                           &error_,
                           &consecutive_failures_,
                           &coverage_,
                           &duration_,
                           &timestamp_,
                           &last_success_,
                           &next_,
                           &interval_,
                           &in_progress_,
                           &scans_,
                           &failures_,
                           &tags_,
                           &manifests_,
                           &blobs_,
                           &unresolved_tags_,
                           &unresolved_manifests_,
                           &unresolved_blobs_,
                           &unpullable_}) {
      family->MoveTo(families);
    }
  }

 private:
  void AddNewest(const Labels& labels, const ScanSummary& scan) {
    for (const ScanOutcome outcome : kAllScanOutcomes) {
      outcome_.Add(With(labels, {{"outcome", std::string(OutcomeName(outcome))}}),
                   scan.outcome == outcome ? 1 : 0);
    }
    for (const ErrorKind kind : kReportedErrorKinds) {
      error_.Add(With(labels, {{"reason", std::string(ReasonName(kind))}}),
                 scan.reasons.contains(kind) ? 1 : 0);
    }
    success_.Add(labels, scan.outcome == ScanOutcome::kComplete ? 1 : 0);
    duration_.Add(labels, Seconds(scan.took));
    timestamp_.Add(labels, UnixSeconds(scan.finished));
  }

  void AddUsable(const Labels& labels, const ScanSummary& scan) {
    coverage_.Add(labels, scan.coverage);
    tags_.Add(labels, static_cast<double>(scan.asked.tags));
    manifests_.Add(labels, static_cast<double>(scan.asked.manifests));
    blobs_.Add(labels, static_cast<double>(scan.asked.blobs));
    unresolved_tags_.Add(labels, static_cast<double>(scan.unresolved.tags));
    unresolved_manifests_.Add(labels, static_cast<double>(scan.unresolved.manifests));
    unresolved_blobs_.Add(labels, static_cast<double>(scan.unresolved.blobs));
    for (const auto& [kind, count] :
         {std::pair("tag", scan.unpullable.tags), std::pair("manifest", scan.unpullable.manifests),
          std::pair("blob", scan.unpullable.blobs)}) {
      unpullable_.Add(With(labels, {{"kind", kind}}), static_cast<double>(count));
    }
  }

  Family target_info_{"target_info",
                      "A configured target, by its name and the team it belongs to."};
  Family outcome_{"scan_outcome", "Whether the newest finished scan had this outcome."};
  Family success_{"scan_success", "Whether the newest finished scan was complete."};
  Family error_{"scan_error", "Whether the newest finished scan met an error of this kind."};
  Family consecutive_failures_{"scan_consecutive_failures",
                               "Finished scans since the newest complete one."};
  Family coverage_{"scan_coverage_ratio",
                   "Share of tags, manifests and blobs that got an answer in the newest scan that "
                   "did not fail."};
  Family duration_{"scan_duration_seconds", "How long the newest finished scan took."};
  Family timestamp_{"scan_timestamp_seconds", "When the newest finished scan ended."};
  Family last_success_{"scan_last_success_timestamp_seconds",
                       "When the newest complete scan ended."};
  Family next_{"scan_next_timestamp_seconds", "When the next scan is due."};
  Family interval_{"scan_interval_seconds", "Longest time meant to lie between two scans."};
  Family in_progress_{"scan_in_progress", "Whether the target is being scanned."};
  Family scans_{"scans_total", "Finished scans, by outcome.", MetricType::Counter};
  Family failures_{"scan_failures_total", "Scans that were not complete, by their main reason.",
                   MetricType::Counter};
  Family tags_{"scan_tags", "Tags asked for by the newest scan that did not fail."};
  Family manifests_{"scan_manifests",
                    "Unique manifests asked for by the newest scan that did not fail."};
  Family blobs_{"scan_blobs", "Unique blobs asked for by the newest scan that did not fail."};
  Family unresolved_tags_{"scan_unresolved_tags",
                          "Tags that got no answer in the newest scan that did not fail."};
  Family unresolved_manifests_{
      "scan_unresolved_manifests",
      "Manifests that got no answer in the newest scan that did not fail."};
  Family unresolved_blobs_{"scan_unresolved_blobs",
                           "Blobs that got no answer in the newest scan that did not fail."};
  Family unpullable_{"scan_unpullable",
                     "Things that the registry has not, or that no client can use, in the newest "
                     "scan that did not fail."};
};

class EndpointFamilies {
 public:
  void Add(const TargetSnapshot& target) {
    const Labels labels = TargetLabels(target);
    std::map<Serves, std::uint64_t> present;
    const TargetState& state = target.state;
    for (const auto& [key, record] : state.endpoints) {
      AddEndpoint(EndpointLabels(labels, key), record);
      if (record.present()) ++present[key.serves];
    }
    if (target.drill) AddDrill(labels, *target.drill, state);
    for (const Serves serves : kAllServes) {
      endpoints_.Add(With(labels, {{"serves", std::string(ServesName(serves))}}),
                     CountOf(present, serves));
    }
    for (const ChangeKind kind : kAllChangeKinds) {
      changes_.Add(With(labels, {{"change", std::string(ChangeName(kind))}}),
                   CountOf(state.changes, kind));
    }
    if (state.last_change) last_change_.Add(labels, UnixSeconds(*state.last_change));
    if (state.baseline) baseline_.Add(labels, UnixSeconds(*state.baseline));
    dropped_.Add(labels, static_cast<double>(state.dropped));
  }

  void MoveTo(std::vector<MetricFamily>& families) {
    for (Family* family : {&endpoints_, &present_, &info_, &blobs_, &first_seen_, &last_seen_,
                           &changed_, &changes_, &last_change_, &baseline_, &dropped_}) {
      family->MoveTo(families);
    }
  }

 private:
  // Nothing but what the alerts on a change look at. A registry may name any host, and a series is
  // there once.
  void AddDrill(const Labels& target, const Drill& drill, const TargetState& state) {
    const EndpointKey key{drill.serves, *Host::Parse(Drill::kHost)};
    if (state.endpoints.contains(key)) return;
    const Labels labels = EndpointLabels(target, key);
    present_.Add(labels, drill.present ? 1 : 0);
    changed_.Add(labels, UnixSeconds(drill.changed()));
  }

  void AddEndpoint(const Labels& labels, const EndpointRecord& record) {
    present_.Add(labels, record.present() ? 1 : 0);
    info_.Add(With(labels, {{"provider", record.info.provider},
                            {"bucket", record.info.bucket},
                            {"storage_region", record.info.storage_region},
                            {"delivery", record.info.delivery}}),
              1);
    if (record.blobs) blobs_.Add(labels, static_cast<double>(*record.blobs));
    first_seen_.Add(labels, UnixSeconds(record.first_seen));
    last_seen_.Add(labels, UnixSeconds(record.last_seen));
    if (record.changed) changed_.Add(labels, UnixSeconds(*record.changed));
  }

  Family endpoints_{"endpoints", "Endpoints present, by what they serve."};
  Family present_{"endpoint_present", "Whether a pull needs this host, by the newest scans."};
  Family info_{"endpoint_info",
               "What is known of the endpoint's storage; empty is unknown or not uniform."};
  Family blobs_{"endpoint_blobs", "Blobs the endpoint served in the newest complete scan."};
  Family first_seen_{"endpoint_first_seen_timestamp_seconds",
                     "When a scan first found the endpoint."};
  Family last_seen_{"endpoint_last_seen_timestamp_seconds", "When a scan last found the endpoint."};
  Family changed_{"endpoint_changed_timestamp_seconds",
                  "When the endpoint last came or went after the target's baseline."};
  Family changes_{"endpoint_changes_total", "Endpoints that came or went after the baseline.",
                  MetricType::Counter};
  Family last_change_{"last_change_timestamp_seconds", "When an endpoint last came or went."};
  Family baseline_{
      "baseline_timestamp_seconds",
      "When the target's baseline was set; what comes or goes from then on counts as a "
      "change."};
  Family dropped_{"endpoints_dropped",
                  "Endpoints that the newest scan saw and max_endpoints left no place for."};
};

// How the endpoints stand against the targets' policies.
class PolicyFamilies {
 public:
  void Add(const TargetSnapshot& target) {
    if (target.policy == nullptr) return;
    const Policy& policy = *target.policy;
    const Labels labels = TargetLabels(target);
    for (const auto& [key, record] : target.state.endpoints) {
      const Labels of_endpoint = EndpointLabels(labels, key);
      if (const auto approved = IsApproved(policy, key.backend_host, target.registry)) {
        approved_.Add(of_endpoint, *approved ? 1 : 0);
      }
      if (const auto allowed = IsRegionAllowed(policy, key.serves, record.info)) {
        region_allowed_.Add(of_endpoint, *allowed ? 1 : 0);
      }
    }
    for (const auto& [host, observed] : ApprovedHostsObserved(policy, target.state)) {
      observed_.Add(With(labels, {{"approved_host", host}}), observed ? 1 : 0);
    }
  }

  void MoveTo(std::vector<MetricFamily>& families) {
    for (Family* family : {&approved_, &region_allowed_, &observed_}) family->MoveTo(families);
  }

 private:
  Family approved_{"endpoint_approved",
                   "Whether the host is an approved one, where approved hosts are set."};
  Family region_allowed_{
      "endpoint_region_allowed",
      "Whether the blobs are kept in an allowed region, where allowed regions are set."};
  Family observed_{"approved_host_observed",
                   "Whether a pull needs a host that this entry of the approved hosts is for."};
};

class TagFamilies {
 public:
  void Add(const TargetSnapshot& target) {
    const Labels labels = TargetLabels(target);
    for (const TagSummary& tag : target.state.tags) {
      const Labels with_tag = With(labels, {{"tag", tag.name}});
      info_.Add(With(with_tag, {{"media_type", tag.media_type}, {"platforms", tag.platforms}}), 1);
      blobs_.Add(with_tag, static_cast<double>(tag.blobs));
    }
  }

  void MoveTo(std::vector<MetricFamily>& families) {
    for (Family* family : {&info_, &blobs_}) family->MoveTo(families);
  }

 private:
  Family info_{"tag_info",
               "One of the newest tags, by its manifest's type and its images' platforms."};
  Family blobs_{"tag_blobs", "Unique blobs below one of the newest tags."};
};

}  // namespace

std::vector<MetricFamily> TargetFamilies(const Snapshot& snapshot) {
  ScanFamilies scans;
  EndpointFamilies endpoints;
  PolicyFamilies policies;
  TagFamilies tags;
  for (const auto& target : snapshot.targets) {
    scans.Add(*target);
    endpoints.Add(*target);
    policies.Add(*target);
    tags.Add(*target);
  }
  std::vector<MetricFamily> families;
  scans.MoveTo(families);
  endpoints.MoveTo(families);
  policies.MoveTo(families);
  tags.MoveTo(families);
  return families;
}

std::vector<MetricFamily> StorageFamilies(const Snapshot& snapshot) {
  const auto all = [&snapshot](bool TargetSnapshot::*good) {
    return std::ranges::all_of(snapshot.targets, [good](const auto& t) { return (*t).*good; });
  };
  Family loaded("exporter_inventory_load_successful",
                "Whether what was stored of every target could be read at start.");
  loaded.Add({}, all(&TargetSnapshot::loaded) ? 1 : 0);
  Family saved("exporter_inventory_last_save_successful",
               "Whether what is known of every target is on disk, by the newest attempts.");
  saved.Add({}, all(&TargetSnapshot::saved) ? 1 : 0);
  std::vector<MetricFamily> families;
  loaded.MoveTo(families);
  saved.MoveTo(families);
  return families;
}

std::vector<MetricFamily> ReloadFamilies(const ReloadState& state) {
  Family successful("exporter_config_last_reload_successful",
                    "Whether the newest attempt to read the configuration was successful.");
  successful.Add({}, state.successful ? 1 : 0);
  Family when("exporter_config_last_reload_success_timestamp_seconds",
              "When the configuration was last read successfully.");
  when.Add({}, UnixSeconds(state.last_success));
  std::vector<MetricFamily> families;
  successful.MoveTo(families);
  when.MoveTo(families);
  return families;
}

MetricFamily BuildInfoFamily(const BuildInfo& build) {
  std::vector<MetricFamily> families;
  Family family("exporter_build_info", "The exporter's version, revision and compiler.");
  family.Add(
      {{"version", build.version}, {"revision", build.revision}, {"compiler", build.compiler}}, 1);
  family.MoveTo(families);
  return families.front();
}

}  // namespace registry_backend
