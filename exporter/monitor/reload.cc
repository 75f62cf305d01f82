#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "exporter/monitor/monitor.h"
#include "exporter/monitor/target.h"

// Other targets in the place of those there are.
namespace registry_backend {
namespace {

constexpr std::chrono::seconds kReloadTime(30);

// Whether a scan by one is as good as a scan by the other.
bool ScanAlike(const TargetOptions& a, const TargetOptions& b) {
  return a.registry == b.registry && a.credentials == b.credentials && a.scan == b.scan;
}

}  // namespace

// A target to be, with what storage has of it.
struct Monitor::Arrival {
  TargetOptions options;
  std::shared_ptr<TargetStore> store = nullptr;  // null: there is a target of the same repository
  TargetStore::Loaded loaded = {};
};

struct Monitor::Reloading {
  std::vector<Arrival> arrivals;
  bool writable = true;
  // Guarded by mutex_.
  bool abandoned = false;  // nobody waits for it any more: it is not to be
  bool begun = false;      // it is no longer to be abandoned
  bool done = false;
};

Status Monitor::Reload(std::vector<TargetOptions> targets) {
  const auto reloading = std::make_shared<Reloading>();
  for (TargetOptions& options : targets) reloading->arrivals.push_back({std::move(options)});
  network_.loop.Post([this, reloading] { LoadArrivals(reloading); });
  std::unique_lock lock(mutex_);
  const auto is_done = [&reloading] { return reloading->done; };
  replaced_.wait_for(lock, stopping_.get_token(), kReloadTime, is_done);
  if (reloading->begun) replaced_.wait(lock, is_done);
  if (reloading->done) return Ok();
  reloading->abandoned = true;
  return Error{ErrorKind::kStorage, stopping_.stop_requested()
                                        ? "the exporter stops"
                                        : "the storage directory did not answer in time"};
}

// Reads what storage has of repositories that are new, and then replaces the targets.
void Monitor::LoadArrivals(const std::shared_ptr<Reloading>& reloading) {
  const std::set<std::string> known = Keys();
  bool any = false;
  for (Arrival& arrival : reloading->arrivals) {
    if (known.contains(KeyOf(arrival.options))) continue;
    arrival.store = std::make_shared<TargetStore>(storage_, SubjectOf(arrival.options), logger_);
    any = true;
  }
  worker_.Post([this, reloading, any] {
    if (any) reloading->writable = storage_.TryToWrite().ok();
    for (Arrival& arrival : reloading->arrivals) {
      if (arrival.store) arrival.loaded = arrival.store->Load(wall_clock_());
    }
    network_.loop.Post([this, reloading] {
      {
        const std::lock_guard lock(mutex_);
        if (reloading->abandoned) return;
        reloading->begun = true;
      }
      Replace(*reloading);
      {
        const std::lock_guard lock(mutex_);
        reloading->done = true;
      }
      replaced_.notify_all();
    });
  });
}

void Monitor::Replace(Reloading& reloading) {
  std::map<std::string, std::unique_ptr<Target>> old;
  std::set<std::string> were_scanning;
  for (auto& target : std::exchange(targets_, {})) {
    if (target->scanning) were_scanning.insert(target->options.name);
    old.emplace(KeyOf(target->options), std::move(target));
  }
  std::vector<Target*> to_schedule;
  std::vector<Target*> interrupted;
  std::size_t added = 0;
  std::size_t edited = 0;
  for (Arrival& arrival : reloading.arrivals) {
    const auto known = old.find(KeyOf(arrival.options));
    if (known == old.end()) {
      targets_.push_back(
          std::make_unique<Target>(std::move(arrival.options), arrival.store, network_));
      Target& target = *targets_.back();
      target.state = std::move(arrival.loaded.state);
      target.loaded = arrival.loaded.intact;
      target.saved = reloading.writable;
      to_schedule.push_back(&target);
      ++added;
      continue;
    }
    targets_.push_back(std::move(known->second));
    old.erase(known);
    Target& target = *targets_.back();
    if (target.options == arrival.options) continue;
    ++edited;
    if (Edit(target, std::move(arrival.options))) interrupted.push_back(&target);
    if (!target.scanning) to_schedule.push_back(&target);
  }
  const std::size_t removed = old.size();
  for (auto& [key, target] : old) Retire(std::move(target));
  TakeNames(were_scanning);
  LimitPace();
  NumberTargets();
  drills_.KeepOnly(Keys());
  for (Target* target : to_schedule) Schedule(*target);
  for (Target* target : interrupted) BeginScan(*target);
  PublishAll();
  logger_.Info("Targets replaced", {{"added", added},
                                    {"edited", edited},
                                    {"removed", removed},
                                    {"scans_begun_anew", interrupted.size()}});
  LogSchedule();
}

// Whether a scan that was under way has to begin anew. What is known stays, and so does what is
// being saved.
bool Monitor::Edit(Target& target, TargetOptions options) {
  const bool begins_anew = target.scanning && !target.saving && !ScanAlike(target.options, options);
  if (begins_anew) target.scanner.reset();
  const bool other_client = target.options.registry != options.registry;
  target.options = std::move(options);
  if (other_client) {
    target.client = std::make_unique<RegistryClient>(network_, target.options.registry);
  }
  return begins_anew;
}

// The target is no longer there. It is kept for as long as workers have it.
void Monitor::Retire(std::unique_ptr<Target> target) {
  target->is_gone = true;
  target->scanner.reset();
  if (target->timer) network_.loop.Cancel(*target->timer);
  if (target->at_workers > 0) gone_.push_back(std::move(target));
}

void Monitor::LetGo(Target& target) {
  if (target.at_workers > 0) return;
  std::erase_if(gone_, [&target](const auto& gone) { return gone.get() == &target; });
}

// Scans that were asked for and have not begun stay claimed.
void Monitor::TakeNames(const std::set<std::string>& were_scanning) {
  const std::lock_guard lock(mutex_);
  names_.clear();
  for (const auto& target : targets_) names_.insert(target->options.name);
  std::erase_if(busy_, [&](const std::string& name) {
    return were_scanning.contains(name) || !names_.contains(name);
  });
  for (const auto& target : targets_) {
    if (target->scanning) busy_.insert(target->options.name);
  }
}

void Monitor::LimitPace() {
  network_.pacer.ClearLimits();
  std::set<std::string> registries;
  for (const auto& target : targets_) {
    const Url& registry = target->options.registry.registry;
    network_.pacer.Limit(registry.origin(), target->options.scan.max_requests_per_second);
    registries.insert(registry.host().text());
  }
  for (const std::string& registry : registries_) {
    if (network_.observer != nullptr && !registries.contains(registry)) {
      network_.observer->OnRegistryGone(registry);
    }
  }
  registries_ = std::move(registries);
}

}  // namespace registry_backend
