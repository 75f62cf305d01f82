#include "exporter/monitor/monitor.h"

#include <malloc.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "exporter/inventory/apply.h"
#include "exporter/monitor/history.h"
#include "exporter/monitor/target.h"

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

}  // namespace

Monitor::Monitor(Network network, Storage storage, std::vector<TargetOptions> targets,
                 Logger logger, std::function<WallTime()> wall_clock)
    : network_(network),
      logger_(std::move(logger)),
      wall_clock_(std::move(wall_clock)),
      storage_(std::move(storage)),
      drills_(network_.loop, wall_clock_, logger_,
              [this](const std::string& key) { PublishDrill(key); }),
      published_(std::make_shared<const Snapshot>()) {
  const Status writable = storage_.TryToWrite();
  if (!writable) {
    logger_.Error("Storage cannot be written; what is known will not survive a restart",
                  {{"err", writable.error().message}});
  }
  for (TargetOptions& options : targets) {
    names_.insert(options.name);
    auto store = std::make_shared<TargetStore>(storage_, SubjectOf(options), logger_);
    TargetStore::Loaded loaded = store->Load(wall_clock_());
    targets_.push_back(std::make_unique<Target>(std::move(options), std::move(store), network_));
    targets_.back()->state = std::move(loaded.state);
    targets_.back()->loaded = loaded.intact;
    targets_.back()->saved = writable.ok();
  }
  LimitPace();
  NumberTargets();
  PublishAll();
}

Monitor::~Monitor() { Stop(); }

void Monitor::Start() {
  network_.loop.Post([this] {
    started_ = true;
    for (const auto& target : targets_) Schedule(*target);
    PublishAll();
    LogSchedule();
  });
}

Monitor::ScanRequest Monitor::RequestScan(std::string_view name) {
  std::set<std::string> wanted;
  {
    const std::lock_guard lock(mutex_);
    if (name.empty()) wanted = names_;
    if (names_.contains(std::string(name))) wanted.emplace(name);
  }
  if (wanted.empty()) return ScanRequest::kUnknownTarget;
  std::erase_if(wanted, [this](const std::string& one) { return !Claim(one); });
  if (wanted.empty()) return ScanRequest::kAlreadyScanning;
  network_.loop.Post([this, wanted = std::move(wanted)] {
    for (const auto& target : targets_) {
      if (!wanted.contains(target->options.name) || target->scanning) continue;
      BeginScan(*target);
      Publish(*target);
    }
    FreeClaims();
  });
  return ScanRequest::kAccepted;
}

Drills::Answer Monitor::BeginDrill(const TargetSnapshot& target, Serves serves, Duration duration) {
  return drills_.Begin(KeyOf(target), target.name, serves, duration);
}

Drills::Answer Monitor::StopDrill(const TargetSnapshot& target) {
  return drills_.Stop(KeyOf(target));
}

// Whether no scan of the target is under way; if so, one is from now on.
bool Monitor::Claim(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return busy_.insert(name).second;
}

// Of targets that went before what they were claimed for began.
void Monitor::FreeClaims() {
  const std::lock_guard lock(mutex_);
  std::erase_if(busy_, [this](const std::string& name) { return !names_.contains(name); });
}

// Has the next scan made when it is due. Before Start none is.
void Monitor::Schedule(Target& target) {
  if (!started_) return;
  target.next_scan = NextScanOf(target);
  target.begun = true;
  SetTimer(target);
}

// When the next scan is due, by what is known of the last one.
WallTime Monitor::NextScanOf(const Target& target) const {
  const WallTime now = wall_clock_();
  const ScheduleOptions& schedule = target.options.schedule;
  const WallTime due = NextScan(schedule, LastScanOf(target.state), now);
  const bool with_others = schedule.cron || (!target.begun && due <= now);
  if (!with_others) return due;
  return due +
         std::chrono::duration_cast<WallClock::duration>(StartDelay(target.index, targets_.size()));
}

// The timer's clock stands still while the machine sleeps and does not follow the wall clock when
// that is set: it only wakes us, often enough, to look at the wall clock.
void Monitor::SetTimer(Target& target) {
  if (target.timer) network_.loop.Cancel(*target.timer);
  const WallClock::duration delay = std::clamp<WallClock::duration>(
      *target.next_scan - wall_clock_(), WallClock::duration::zero(), kLongestSleep);
  target.timer = network_.loop.At(network_.loop.Now() + std::chrono::duration_cast<Duration>(delay),
                                  [this, &target] { Due(target); });
}

void Monitor::Due(Target& target) {
  target.timer.reset();
  // Reckoned anew: by a clock that has been set back meanwhile it may be due already.
  const WallTime due = std::min(*target.next_scan, NextScanOf(target));
  if (due != std::exchange(target.next_scan, due)) Publish(target);
  if (wall_clock_() < due) {
    SetTimer(target);
    return;
  }
  // Where a requested scan is under way, its end schedules the next.
  if (!Claim(target.options.name)) return;
  BeginScan(target);
  Publish(target);
}

// Reads the credentials first.
void Monitor::BeginScan(Target& target) {
  target.scanning = true;
  const std::uint64_t attempt = ++target.attempt;
  logger_.Info("Scan started", {{"target", target.options.name}});
  ++target.at_workers;
  const bool may_ask_helper =
      target.options.credentials.kind == CredentialsSource::Kind::kDockerConfig;
  const RegistryOptions& registry = target.options.registry;
  (may_ask_helper ? helpers_ : secrets_)
      .Post([this, &target, attempt, source = target.options.credentials,
             subject = CredentialsSubject{registry.registry.host(), registry.repository}] {
        Result<Credentials> credentials = ReadCredentials(source, subject, stopping_.get_token());
        network_.loop.Post(
            [this, &target, attempt, credentials = std::move(credentials)]() mutable {
              --target.at_workers;
              if (target.is_gone) {
                LetGo(target);
              } else if (attempt == target.attempt) {
                Scan(target, std::move(credentials));
              }
            });
      });
}

void Monitor::Scan(Target& target, Result<Credentials> credentials) {
  if (!credentials) {
    Finish(target, ScanThatCouldNotBegin(credentials.error(), wall_clock_()));
    return;
  }
  target.client->SetCredentials(std::move(credentials).value());
  target.scanner = std::make_unique<Scanner>(network_.loop, *target.client, target.options.scan,
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
  target.saving = true;
  ++target.at_workers;
  worker_.Post([this, &target, subject = SubjectOf(target.options), state = std::move(state),
                result = std::make_shared<const ScanResult>(std::move(result))]() mutable {
    Status saved = target.store->Save(subject, *result, state);
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
  --target.at_workers;
  if (target.is_gone) {
    LetGo(target);
    return;
  }
  target.state = std::move(state);
  target.saved = saved.ok();
  target.scanning = target.saving = false;
  {  // Whoever is told that it is no longer scanned may ask for the next scan.
    const std::lock_guard lock(mutex_);
    busy_.erase(target.options.name);
  }
  Schedule(target);
  Publish(target);
  if (!saved) return;
  // Nobody is told of the old reports any more.
  worker_.Post(
      [store = target.store, kept = target.state.report] { store->RemoveOldReports(kept); });
}

Result<std::optional<StoredFile>> Monitor::OpenReport(const TargetSnapshot& target) const {
  if (target.report_file.empty()) return std::optional<StoredFile>();
  return storage_.OpenFile(target.report_file);
}

void Monitor::LogSchedule() const {
  const auto next = std::ranges::min_element(
      targets_, {}, [](const auto& target) { return target->next_scan.value_or(WallTime::max()); });
  if (next == targets_.end() || !(*next)->next_scan) return;
  logger_.Info("Scans are scheduled", {{"targets", targets_.size()},
                                       {"next", FormatRfc3339(*(*next)->next_scan)},
                                       {"target", (*next)->options.name}});
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

void Monitor::NumberTargets() {
  std::size_t index = 0;
  for (const auto& target : targets_) target->index = index++;
}

void Monitor::PublishAll() {
  auto next = std::make_shared<Snapshot>();
  for (const auto& target : targets_) next->targets.push_back(Picture(*target));
  published_.Set(std::move(next));
}

void Monitor::Publish(const Target& target) {
  auto next = std::make_shared<Snapshot>(*published_.Get());
  next->targets[target.index] = Picture(target);
  published_.Set(std::move(next));
}

// Of a target that went before its drill began there is none to show.
void Monitor::PublishDrill(const std::string& key) {
  const auto target = std::ranges::find(
      targets_, key, [](const auto& candidate) { return KeyOf(candidate->options); });
  if (target == targets_.end()) {
    drills_.KeepOnly(Keys());
  } else {
    Publish(**target);
  }
}

std::set<std::string> Monitor::Keys() const {
  std::set<std::string> keys;
  for (const auto& target : targets_) keys.insert(KeyOf(target->options));
  return keys;
}

std::shared_ptr<const TargetSnapshot> Monitor::Picture(const Target& target) const {
  const TargetOptions& options = target.options;
  return std::make_shared<const TargetSnapshot>(
      TargetSnapshot{.name = options.name,
                     .team = options.team,
                     .registry = options.registry.registry.host().text(),
                     .scheme = options.registry.registry.origin().scheme,
                     .repository = options.registry.repository,
                     .interval = LongestInterval(options.schedule),
                     .scanning = target.scanning,
                     .next_scan = target.next_scan,
                     .state = target.state,
                     .report_file = target.store->ReportFile(target.state),
                     .loaded = target.loaded,
                     .saved = target.saved,
                     .policy = options.policy,
                     .drill = drills_.Of(KeyOf(options))});
}

}  // namespace registry_backend
