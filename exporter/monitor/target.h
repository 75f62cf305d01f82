#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/discovery/scanner.h"
#include "exporter/monitor/monitor.h"
#include "exporter/monitor/target_store.h"

// What the Monitor keeps of a target. Of monitor/ only.
namespace registry_backend {

// The network thread's but for `store`. It stays the same one for as long as there is a target of
// its registry's repository, whatever else is edited.
struct Monitor::Target {
  Target(TargetOptions target_options, std::shared_ptr<TargetStore> target_store, Network network)
      : options(std::move(target_options)),
        store(std::move(target_store)),
        client(std::make_unique<RegistryClient>(network, options.registry)) {}

  std::size_t index = 0;  // in the Snapshot
  TargetOptions options;
  const std::shared_ptr<TargetStore> store;  // for the worker
  std::unique_ptr<RegistryClient> client;
  std::unique_ptr<Scanner> scanner;  // null: no request is under way
  TargetState state;
  std::optional<TimerId> timer;
  std::optional<WallTime> next_scan;
  bool begun = false;         // it was scheduled before
  bool scanning = false;      // from the claim to the end of the save
  bool saving = false;        // what the scan has found
  std::uint64_t attempt = 0;  // at a scan: credentials that were read for another are late
  bool loaded = true;
  bool saved = true;

  std::size_t at_workers = 0;  // tasks that will come back to the network thread
  bool is_gone = false;        // no longer among the targets
};

// What a target is known by from one configuration to the next.
inline std::string KeyOf(std::string_view registry, std::string_view repository) {
  return std::string(registry) + "/" + std::string(repository);
}
inline std::string KeyOf(const TargetOptions& options) {
  return KeyOf(options.registry.registry.host().text(), options.registry.repository);
}
inline std::string KeyOf(const TargetSnapshot& target) {
  return KeyOf(target.registry, target.repository);
}

inline ReportSubject SubjectOf(const TargetOptions& options) {
  return {options.registry.registry, options.registry.repository};
}

}  // namespace registry_backend
