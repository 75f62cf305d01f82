#include <map>
#include <set>
#include <string>
#include <utility>

#include "exporter/monitor/monitor.h"
#include "exporter/monitor/target.h"

// Other targets in the place of those there are.
namespace registry_backend {
namespace {

// What a target is known by from one configuration to the next.
std::string KeyOf(const TargetOptions& options) {
  return options.registry.registry.host().text() + "/" + options.registry.repository;
}

}  // namespace

void Monitor::Reload(std::vector<TargetOptions> targets) {
  const std::lock_guard one_at_a_time(reloading_);
  const auto arrivals = std::make_shared<Arrivals>();
  for (TargetOptions& options : targets) arrivals->push_back({std::move(options), nullptr});
  const auto done = std::make_shared<bool>(false);  // guarded by mutex_
  network_.loop.Post([this, arrivals, done] {
    LoadArrivals(arrivals, [this, arrivals, done] {
      Replace(*arrivals);
      {
        const std::lock_guard lock(mutex_);
        *done = true;
      }
      replaced_.notify_all();
    });
  });
  std::unique_lock lock(mutex_);
  replaced_.wait(lock, stopping_.get_token(), [&done] { return *done; });
}

// Reads what storage has of repositories that are new, and then runs `replaced` on the network
// thread.
void Monitor::LoadArrivals(const std::shared_ptr<Arrivals>& arrivals,
                           const std::function<void()>& replaced) {
  std::set<std::string> known;
  for (const auto& target : targets_) known.insert(KeyOf(target->options));
  for (Arrival& arrival : *arrivals) {
    if (known.contains(KeyOf(arrival.options))) continue;
    arrival.store = std::make_shared<TargetStore>(storage_, SubjectOf(arrival.options), logger_);
  }
  worker_.Post([this, arrivals, replaced] {
    for (Arrival& arrival : *arrivals) {
      if (arrival.store) arrival.loaded = arrival.store->Load(wall_clock_());
    }
    network_.loop.Post(replaced);
  });
}

void Monitor::Replace(Arrivals& arrivals) {
  std::map<std::string, std::unique_ptr<Target>> old;
  std::set<std::string> were_scanning;
  for (auto& target : std::exchange(targets_, {})) {
    if (target->scanning) were_scanning.insert(target->options.name);
    old.emplace(KeyOf(target->options), std::move(target));
  }
  std::vector<Target*> changed;
  std::vector<Target*> interrupted;
  for (Arrival& arrival : arrivals) {
    const auto known = old.find(KeyOf(arrival.options));
    if (known != old.end() && known->second->options == arrival.options) {
      targets_.push_back(std::move(known->second));
      old.erase(known);
    } else if (known != old.end()) {
      targets_.push_back(MakeHeir(*known->second, std::move(arrival.options)));
      if (known->second->scanning && !known->second->saving) {
        interrupted.push_back(targets_.back().get());
      }
      changed.push_back(targets_.back().get());
    } else {
      targets_.push_back(MakeArrived(std::move(arrival)));
      changed.push_back(targets_.back().get());
    }
  }
  for (auto& [key, target] : old) Retire(std::move(target));
  TakeNames(were_scanning);
  LimitPace();
  PublishAll();
  for (Target* target : changed) {
    if (!target->saving) Schedule(*target);
  }
  for (Target* target : interrupted) {
    if (Claim(target->options.name)) ReadCredentialsAndScan(*target);
  }
  LogSchedule();
}

std::unique_ptr<Monitor::Target> Monitor::MakeArrived(Arrival arrival) const {
  auto client = std::make_shared<RegistryClient>(network_, arrival.options.registry);
  auto target = std::make_unique<Target>(std::move(arrival.options), std::move(arrival.store),
                                         std::move(client));
  target->state = std::move(arrival.loaded.state);
  target->loaded = arrival.loaded.intact;
  return target;
}

// What is known stays, and so does what a scan that is being saved has found.
std::unique_ptr<Monitor::Target> Monitor::MakeHeir(Target& old, TargetOptions options) {
  auto client = options.registry == old.options.registry
                    ? old.client
                    : std::make_shared<RegistryClient>(network_, options.registry);
  auto heir = std::make_unique<Target>(std::move(options), old.store, std::move(client));
  heir->state = old.state;
  heir->loaded = old.loaded;
  heir->saved = old.saved;
  heir->saving = heir->scanning = old.saving;
  old.heir = heir.get();
  return heir;
}

// The target is no longer there. It is kept for as long as workers have it.
void Monitor::Retire(std::unique_ptr<Target> target) {
  target->is_gone = true;
  target->scanner.reset();
  if (target->timer) network_.loop.Cancel(*target->timer);
  // Whoever it was to inherit from has its own heir, or none, as the next one.
  for (const auto& ancestor : gone_) {
    if (ancestor->heir == target.get()) ancestor->heir = target->heir;
  }
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

void Monitor::PublishAll() {
  auto next = std::make_shared<Snapshot>();
  for (const auto& target : targets_) {
    target->index = next->targets.size();
    next->targets.push_back(Picture(*target));
  }
  published_.Set(std::move(next));
}

}  // namespace registry_backend
