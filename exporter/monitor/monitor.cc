#include "exporter/monitor/monitor.h"

#include <utility>

#include "exporter/discovery/scanner.h"

namespace registry_backend {

struct Monitor::Target {
  Target(std::size_t position, TargetOptions target_options, Network network)
      : index(position), options(std::move(target_options)), client(network, options.registry) {}

  const std::size_t index;
  const TargetOptions options;
  RegistryClient client;
  std::unique_ptr<Scanner> scanner;  // null: not scanning
  TargetState state;
  std::optional<TimerId> timer;
  std::optional<WallTime> next_scan;
  bool scanning = false;
};

Monitor::Monitor(Network network, std::vector<TargetOptions> targets, Logger logger)
    : network_(network),
      logger_(std::move(logger)),
      published_(std::make_shared<const Snapshot>(
          Snapshot{std::vector<std::shared_ptr<const TargetSnapshot>>(targets.size())})) {
  for (TargetOptions& options : targets) {
    network_.pacer.Limit(options.registry.registry.origin(), options.scan.max_requests_per_second);
    targets_.push_back(std::make_unique<Target>(targets_.size(), std::move(options), network_));
    Publish(*targets_.back());
  }
}

Monitor::~Monitor() = default;

void Monitor::Start() {
  network_.loop.Post([this] {
    for (const auto& target : targets_) Due(*target);
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

void Monitor::Due(Target& target) {
  const Duration interval = target.options.interval;
  target.timer = network_.loop.At(network_.loop.Now() + interval, [this, &target] { Due(target); });
  target.next_scan = WallClock::now() + std::chrono::duration_cast<WallClock::duration>(interval);
  if (Claim(target.options.name)) ReadCredentialsAndScan(target);
}

void Monitor::ReadCredentialsAndScan(Target& target) {
  target.scanning = true;
  Publish(target);
  logger_.Info("Scan started", {{"target", target.options.name}});
  worker_.Post([this, &target] {
    network_.loop.Post(
        [this, &target, credentials = ReadCredentials(target.options.credentials)]() mutable {
          Scan(target, std::move(credentials));
        });
  });
}

void Monitor::Scan(Target& target, Result<Credentials> credentials) {
  if (!credentials) {
    ScanResult failed;
    failed.started = failed.finished = WallClock::now();
    failed.reasons[credentials.error().kind] = 1;
    failed.errors.push_back({ScanError::Scope::kTarget, "", "", credentials.error()});
    Finish(target, failed);
    return;
  }
  target.client.SetCredentials(std::move(credentials).value());
  target.scanner = std::make_unique<Scanner>(network_.loop, target.client, target.options.scan);
  target.scanner->Start([this, &target](const ScanResult& result) { Finish(target, result); });
}

void Monitor::Finish(Target& target, const ScanResult& result) {
  target.scanner.reset();
  target.scanning = false;
  Apply(result, target.state);
  LogResult(target, result);
  Publish(target);
  const std::lock_guard lock(mutex_);
  busy_.erase(target.options.name);
}

void Monitor::LogResult(const Target& target, const ScanResult& result) const {
  const Error* error = result.main_error();
  if (result.outcome == ScanOutcome::kComplete) {
    logger_.Info("Scan complete", {{"target", target.options.name},
                                   {"took", FormatDuration(result.took)},
                                   {"tags", result.asked.tags},
                                   {"manifests", result.asked.manifests},
                                   {"blobs", result.asked.blobs},
                                   {"endpoints", result.endpoints.size()}});
    return;
  }
  logger_.Warn(result.outcome == ScanOutcome::kFailed ? "Scan failed" : "Scan is partial",
               {{"target", target.options.name},
                {"took", FormatDuration(result.took)},
                {"unresolved", result.unresolved.total()},
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
                     .interval = options.interval,
                     .scanning = target.scanning,
                     .next_scan = target.next_scan,
                     .state = target.state});
  published_.Set(std::move(next));
}

}  // namespace registry_backend
