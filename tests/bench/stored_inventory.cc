#include "tests/bench/stored_inventory.h"

#include <stdexcept>

#include "exporter/common/log.h"
#include "exporter/monitor/target_store.h"
#include "exporter/storage/storage.h"

namespace registry_backend::testing {

using namespace std::chrono_literals;

namespace {

constexpr const char* kRegistry = "http://127.0.0.1:1";

std::string Repository(int number) { return "a/b" + std::to_string(number); }

}  // namespace

TargetState StateWith(int endpoints, WallTime now) {
  TargetState state;
  state.baseline = now;
  state.last_success = now;
  state.newest = ScanSummary{.outcome = ScanOutcome::kComplete,
                             .started = now,
                             .finished = now,
                             .took = 1s,
                             .asked = {},
                             .unresolved = {},
                             .unpullable = {},
                             .coverage = 1,
                             .reasons = {},
                             .error = ""};
  state.newest_usable = state.newest;
  for (int i = 0; i < endpoints; ++i) {
    const std::string bucket = "prod-" + std::to_string(i) + "-starport-layer-bucket";
    state.endpoints[{Serves::kBlobs,
                     Host::Make(bucket + ".s3.dualstack.us-east-1.amazonaws.com").value()}] = {
        .info = {.provider = "s3",
                 .bucket = bucket,
                 .storage_region = "us-east-1",
                 .delivery = "redirect",
                 .scheme = "https"},
        .first_seen = now,
        .last_seen = now,
        .absent_since = {},
        .changed = now,
        .blobs = 30,
        .misses = 0,
        .witnesses = {}};
  }
  return state;
}

void FillStorage(const std::filesystem::path& directory, int targets, int endpoints) {
  Result<Storage> storage = Storage::Open(directory);
  if (!storage) throw std::runtime_error(storage.error().message);
  const Url registry = Url::Parse(kRegistry).value();
  TargetState state = StateWith(endpoints, WallClock::now());
  for (int i = 0; i < targets; ++i) {
    const ReportSubject subject{.registry = registry, .repository = Repository(i)};
    // A failed scan leaves no report to be written.
    TargetStore store(*storage, subject, Logger());
    const Status saved = store.Save(subject, ScanResult(), state);
    if (!saved) throw std::runtime_error(saved.error().message);
  }
}

std::string StoredTargetsConfig(int targets) {
  std::string config = "scan: {interval: 24h}\ntargets:\n";
  for (int i = 0; i < targets; ++i) {
    config += std::string("- {registry: '") + kRegistry + "', repository: " + Repository(i) + "}\n";
  }
  return config;
}

}  // namespace registry_backend::testing
