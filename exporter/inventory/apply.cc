#include "exporter/inventory/apply.h"

#include <algorithm>

#include "exporter/inventory/tag_summary.h"

namespace registry_backend {
namespace {

constexpr std::uint64_t kPartialScansForABaseline = 3;

ScanSummary Summarise(const ScanResult& result) {
  ScanSummary summary{.outcome = result.outcome,
                      .started = result.started,
                      .finished = result.finished,
                      // As it is stored, so that a restart changes nothing.
                      .took = std::chrono::floor<std::chrono::milliseconds>(result.took),
                      .asked = result.asked,
                      .unresolved = result.unresolved,
                      .unpullable = result.unpullable,
                      .coverage = result.coverage()};
  for (const auto& [reason, errors] : result.reasons) summary.reasons.insert(reason);
  if (const Error* error = result.main_error()) summary.error = error->message;
  return summary;
}

// One scan being applied.
class Application {
 public:
  Application(const ScanResult& result, const InventoryOptions& options, TargetState& state)
      : result_(result),
        options_(options),
        state_(state),
        now_(result.finished),
        complete_(result.outcome == ScanOutcome::kComplete),
        failed_(result.outcome == ScanOutcome::kFailed) {
    const bool selection_edited = complete_ && state.selection != options.selection;
    quiet_ = !state.baseline || selection_edited;
  }

  void Run() {
    if (!failed_) TakeBackTimesAhead();
    Forget();
    // What is known first, then what is gone: it makes room for what is new.
    for (const auto& [key, seen] : result_.endpoints) {
      const auto known = state_.endpoints.find(key);
      if (known != state_.endpoints.end()) See(key, seen, known->second);
    }
    if (complete_) {
      for (auto& [key, record] : state_.endpoints) Miss(key, record);
    }
    AddUnknown();
    if (!failed_) KeepWitnesses();
    if (complete_) state_.selection = options_.selection;
    SetBaseline();
    Count();
  }

 private:
  // What a clock that was ahead has left. Not by a failed scan: the clock that is wrong may be
  // today's, and then no certificate suits its date.
  void TakeBackTimesAhead() {
    const auto take_back = [this](std::optional<WallTime>& time) {
      if (time) time = std::min(*time, now_);
    };
    for (auto& [key, record] : state_.endpoints) {
      record.first_seen = std::min(record.first_seen, now_);
      record.last_seen = std::min(record.last_seen, now_);
      take_back(record.absent_since);
      take_back(record.changed);
    }
    take_back(state_.baseline);
    take_back(state_.last_change);
    take_back(state_.last_success);
  }

  void Forget() {
    const auto keep = std::chrono::duration_cast<WallClock::duration>(options_.forget_after);
    std::erase_if(state_.endpoints, [&](const auto& endpoint) {
      return endpoint.second.absent_since && now_ - *endpoint.second.absent_since >= keep;
    });
  }

  // A failed scan may have met anything on its way, a captive portal's token realm say: after the
  // baseline it brings nothing new.
  [[nodiscard]] bool MayBring() const { return !failed_ || !state_.baseline; }

  void See(const EndpointKey& key, const SeenEndpoint& seen, EndpointRecord& record) {
    if (!record.present() && !MayBring()) return;
    record.info = seen.info;
    record.last_seen = now_;
    record.misses = 0;
    if (complete_) record.blobs = seen.blobs;
    if (record.present()) return;
    record.absent_since.reset();
    Note(ChangeKind::kAdded, key, record);
  }

  void AddUnknown() {
    std::uint64_t dropped = 0;
    for (const auto& [key, seen] : result_.endpoints) {
      if (state_.endpoints.contains(key) || !MayBring()) continue;
      if (!MakeRoom()) {
        ++dropped;
        continue;
      }
      const EndpointRecord blank{.first_seen = now_, .absent_since = now_};
      See(key, seen, state_.endpoints.emplace(key, blank).first->second);
    }
    if (!failed_) state_.dropped = dropped;
  }

  // Whether there is place for one endpoint more.
  bool MakeRoom() {
    while (state_.endpoints.size() >= options_.max_endpoints) {
      auto longest_unseen = state_.endpoints.end();
      for (auto it = state_.endpoints.begin(); it != state_.endpoints.end(); ++it) {
        if (it->second.present()) continue;
        if (longest_unseen == state_.endpoints.end() ||
            it->second.last_seen < longest_unseen->second.last_seen) {
          longest_unseen = it;
        }
      }
      if (longest_unseen == state_.endpoints.end()) return false;
      state_.endpoints.erase(longest_unseen);
    }
    return true;
  }

  // A complete scan has ended: the endpoint may be absent.
  void Miss(const EndpointKey& key, EndpointRecord& record) {
    if (!record.present() || result_.endpoints.contains(key)) return;
    record.blobs = 0;
    if (key.serves == Serves::kBlobs && result_.witnessed.contains(key.backend_host)) {
      record.misses = 0;
      return;
    }
    if (++record.misses < options_.absent_after) return;
    record.misses = 0;
    record.absent_since = now_;
    Note(ChangeKind::kRemoved, key, record);
  }

  void Note(ChangeKind kind, const EndpointKey& key, EndpointRecord& record) {
    if (quiet_) return;
    record.changed = now_;
    ++state_.changes[kind];
    state_.last_change = now_;
    state_.journal.push_front({now_, kind, key});
    if (state_.journal.size() > TargetState::kMaxJournal) state_.journal.pop_back();
  }

  // Takes anew a few digests of what each endpoint served; one that served nothing keeps its old
  // ones.
  void KeepWitnesses() {
    std::map<Host, std::vector<std::string>> witnesses;
    for (const auto& [digest, route] : result_.blobs) {
      for (const Host& host : result_.routes[route]) {
        std::vector<std::string>& some = witnesses[host];
        if (some.size() < EndpointRecord::kMaxWitnesses) some.emplace_back(digest);
      }
    }
    for (auto& [host, digests] : witnesses) {
      const auto record = state_.endpoints.find({Serves::kBlobs, host});
      if (record != state_.endpoints.end()) record->second.witnesses = std::move(digests);
    }
  }

  void SetBaseline() {
    if (state_.baseline) return;
    state_.partial_streak =
        result_.outcome == ScanOutcome::kPartial ? state_.partial_streak + 1 : 0;
    if (complete_ || state_.partial_streak >= kPartialScansForABaseline) state_.baseline = now_;
  }

  void Count() {
    const ScanSummary summary = Summarise(result_);
    state_.newest = summary;
    if (!failed_) {
      state_.newest_usable = summary;
      state_.tags = SummariseTags(result_, std::min(options_.max_tags, TargetState::kMaxTags));
      state_.unresolved = result_.unresolved_references;
    }
    ++state_.scans[result_.outcome];
    if (complete_) {
      state_.last_success = now_;
      state_.consecutive_failures = 0;
      return;
    }
    ++state_.consecutive_failures;
    const Error* error = result_.main_error();
    ++state_.failures[error != nullptr ? error->kind : ErrorKind::kInternal];
  }

  const ScanResult& result_;
  const InventoryOptions& options_;
  TargetState& state_;
  const WallTime now_;
  const bool complete_;
  const bool failed_;
  bool quiet_;  // what comes and goes is no change
};

}  // namespace

std::string_view ChangeName(ChangeKind kind) {
  return kind == ChangeKind::kAdded ? "added" : "removed";
}

void Apply(const ScanResult& result, const InventoryOptions& options, TargetState& state) {
  Application(result, options, state).Run();
}

}  // namespace registry_backend
