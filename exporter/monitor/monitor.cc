#include "exporter/monitor/monitor.h"

#include <malloc.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "exporter/discovery/scanner.h"
#include "exporter/inventory/apply.h"
#include "exporter/monitor/target_store.h"
#include "exporter/scheduler/schedule.h"

namespace registry_backend {
namespace {

constexpr std::chrono::minutes kLongestSleep(1);

// A scan of a large repository leaves its memory free but in small pieces, which the C library
// keeps unless it is told.
void ReturnFreeMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

ReportSubject SubjectOf(const TargetOptions& options) {
  return {options.registry.registry, options.registry.repository};
}

std::optional<LastScan> LastScanOf(const TargetState& state) {
  if (!state.newest) return std::nullopt;
  return LastScan{state.newest->started, state.newest->finished, state.consecutive_failures};
}

ScanHints HintsOf(const TargetState& state) {
  ScanHints hints;
  for (const auto& [key, record] : state.endpoints) {
    if (key.serves == Serves::kBlobs && record.present() && !record.witnesses.empty()) {
      hints.witnesses[key.backend_host] = record.witnesses;
    }
  }
  hints.unresolved = state.unresolved;
  return hints;
}

}  // namespace

struct Monitor::Target {
  Target(std::size_t position, TargetOptions target_options, Network network,
         const Storage& storage, const Logger& logger)
      : index(position),
        options(std::move(target_options)),
        store(storage, SubjectOf(options), logger),
        client(network, options.registry) {}

  const std::size_t index;
  const TargetOptions options;
  TargetStore store;  // for the worker
  RegistryClient client;
  std::unique_ptr<Scanner> scanner;  // null: not scanning
  TargetState state;
  std::optional<TimerId> timer;
  std::optional<WallTime> next_scan;
  bool begun = false;  // it was scheduled before
  bool scanning = false;
  bool loaded = true;
  bool saved = true;
};

Monitor::Monitor(Network network, Storage storage, std::vector<TargetOptions> targets,
                 Logger logger)
    : network_(network),
      logger_(std::move(logger)),
      storage_(std::move(storage)),
      published_(std::make_shared<const Snapshot>(
          Snapshot{std::vector<std::shared_ptr<const TargetSnapshot>>(targets.size())})) {
  const Status writable = storage_.TryToWrite();
  if (!writable) {
    logger_.Error("Storage cannot be written; what is known will not survive a restart",
                  {{"err", writable.error().message}});
  }
  for (TargetOptions& options : targets) {
    network_.pacer.Limit(options.registry.registry.origin(), options.scan.max_requests_per_second);
    targets_.push_back(
        std::make_unique<Target>(targets_.size(), std::move(options), network_, storage_, logger_));
    Target& target = *targets_.back();
    TargetStore::Loaded loaded = target.store.Load(WallClock::now());
    target.state = std::move(loaded.state);
    target.loaded = loaded.intact;
    target.saved = writable.ok();
    Publish(target);
  }
}

Monitor::~Monitor() { stopping_.request_stop(); }

void Monitor::Start() {
  network_.loop.Post([this] {
    for (const auto& target : targets_) Schedule(*target);
  });
}

Monitor::ScanRequest Monitor::RequestScan(std::string_view name) {
  bool known = false;
  bool accepted = false;
  for (const auto& target : targets_) {
    if (!name.empty() && target->options.name != name) continue;
    known = true;
    if (!Claim(target->options.name)) continue;
    accepted = true;
    network_.loop.Post([this, wanted = target.get()] { ReadCredentialsAndScan(*wanted); });
  }
  if (!known) return ScanRequest::kUnknownTarget;
  return accepted ? ScanRequest::kAccepted : ScanRequest::kAlreadyScanning;
}

// Whether no scan of the target is under way; if so, one is from now on.
bool Monitor::Claim(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return busy_.insert(name).second;
}

// Says when the next scan is due, by what is known of the last one, and sets the timer.
void Monitor::Schedule(Target& target) {
  const WallTime now = WallClock::now();
  const ScheduleOptions& schedule = target.options.schedule;
  target.next_scan = NextScan(schedule, LastScanOf(target.state), now);
  const bool with_others = schedule.cron || (!target.begun && *target.next_scan <= now);
  target.begun = true;
  if (with_others) {
    *target.next_scan +=
        std::chrono::duration_cast<WallClock::duration>(StartDelay(target.index, targets_.size()));
  }
  SetTimer(target);
  Publish(target);
}

// The timer's clock stands still while the machine sleeps and does not follow the wall clock when
// that is set: it only wakes us, often enough, to look at the wall clock.
void Monitor::SetTimer(Target& target) {
  if (target.timer) network_.loop.Cancel(*target.timer);
  const WallClock::duration delay = std::clamp<WallClock::duration>(
      *target.next_scan - WallClock::now(), WallClock::duration::zero(), kLongestSleep);
  target.timer = network_.loop.At(network_.loop.Now() + std::chrono::duration_cast<Duration>(delay),
                                  [this, &target] { Due(target); });
}

void Monitor::Due(Target& target) {
  target.timer.reset();
  if (WallClock::now() < *target.next_scan) {
    SetTimer(target);
    return;
  }
  // Where a requested scan is under way, its end schedules the next.
  if (Claim(target.options.name)) ReadCredentialsAndScan(target);
}

void Monitor::ReadCredentialsAndScan(Target& target) {
  target.scanning = true;
  Publish(target);
  logger_.Info("Scan started", {{"target", target.options.name}});
  // A helper may hang until its deadline: no inventory waits for that.
  const bool may_hang = target.options.credentials.kind == CredentialsSource::Kind::kDockerConfig;
  (may_hang ? helpers_ : worker_).Post([this, &target] {
    const RegistryOptions& registry = target.options.registry;
    Result<Credentials> credentials =
        ReadCredentials(target.options.credentials, {registry.registry.host(), registry.repository},
                        stopping_.get_token());
    network_.loop.Post([this, &target, credentials = std::move(credentials)]() mutable {
      Scan(target, std::move(credentials));
    });
  });
}

void Monitor::Scan(Target& target, Result<Credentials> credentials) {
  if (!credentials) {
    Finish(target, ScanThatCouldNotBegin(credentials.error(), WallClock::now()));
    return;
  }
  target.client.SetCredentials(std::move(credentials).value());
  target.scanner = std::make_unique<Scanner>(network_.loop, target.client, target.options.scan,
                                             HintsOf(target.state));
  target.scanner->Start([this, &target](ScanResult result) { Finish(target, std::move(result)); });
}

// Save, then publish: what is shown is what a restart would show.
void Monitor::Finish(Target& target, ScanResult result) {
  target.scanner.reset();
  LogResult(target, result);
  TargetState state = target.state;
  Apply(result, target.options.inventory, state);
  LogChanges(target, state, result.finished);
  worker_.Post([this, &target, state = std::move(state),
                result = std::make_shared<const ScanResult>(std::move(result))]() mutable {
    Status saved = target.store.Save(state, *result);
    result.reset();
    ReturnFreeMemory();
    network_.loop.Post(
        [this, &target, saved = std::move(saved), state = std::move(state)]() mutable {
          Saved(target, saved, std::move(state));
        });
  });
}

void Monitor::Saved(Target& target, const Status& saved, TargetState state) {
  if (!saved) {
    logger_.Error("Inventory is not saved",
                  {{"target", target.options.name}, {"err", saved.error().message}});
  }
  target.state = std::move(state);
  target.saved = saved.ok();
  target.scanning = false;
  Schedule(target);
  const std::lock_guard lock(mutex_);
  busy_.erase(target.options.name);
}

void Monitor::LogChanges(const Target& target, const TargetState& state, WallTime at) const {
  for (const Change& change : state.journal) {
    if (change.at != at) break;
    logger_.Warn(change.kind == ChangeKind::kAdded ? "Endpoint added" : "Endpoint removed",
                 {{"target", target.options.name},
                  {"serves", ServesName(change.endpoint.serves)},
                  {"backend_host", change.endpoint.backend_host.text()}});
  }
}

void Monitor::LogResult(const Target& target, const ScanResult& result) const {
  const Error* error = result.main_error();
  if (result.outcome == ScanOutcome::kComplete) {
    logger_.Info("Scan complete", {{"target", target.options.name},
                                   {"took", FormatDuration(result.took)},
                                   {"tags", result.asked.tags},
                                   {"manifests", result.asked.manifests},
                                   {"blobs", result.asked.blobs},
                                   {"unpullable", result.unpullable.total()},
                                   {"endpoints", result.endpoints.size()}});
    return;
  }
  logger_.Warn(result.outcome == ScanOutcome::kFailed ? "Scan failed" : "Scan is partial",
               {{"target", target.options.name},
                {"took", FormatDuration(result.took)},
                {"unresolved", result.unresolved.total()},
                {"unpullable", result.unpullable.total()},
                {"reason", error != nullptr ? ReasonName(error->kind) : ""},
                {"err", error != nullptr ? error->message : ""}});
}

void Monitor::Publish(Target& target) {
  const TargetOptions& options = target.options;
  auto next = std::make_shared<Snapshot>(*published_.Get());
  next->targets[target.index] = std::make_shared<const TargetSnapshot>(
      TargetSnapshot{.name = options.name,
                     .team = options.team,
                     .registry = options.registry.registry.host().text(),
                     .repository = options.registry.repository,
                     .interval = LongestInterval(options.schedule),
                     .scanning = target.scanning,
                     .next_scan = target.next_scan,
                     .state = target.state,
                     .loaded = target.loaded,
                     .saved = target.saved,
                     .policy = options.policy});
  published_.Set(std::move(next));
}

}  // namespace registry_backend
