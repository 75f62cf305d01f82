#pragma once

#include <memory>
#include <optional>

#include "exporter/discovery/scanner.h"
#include "exporter/monitor/monitor.h"
#include "exporter/monitor/target_store.h"

// What the Monitor keeps of a target. Of monitor/ only.
namespace registry_backend {

// The network thread's but for `store`.
struct Monitor::Target {
  Target(TargetOptions target_options, std::shared_ptr<TargetStore> target_store,
         std::shared_ptr<RegistryClient> registry_client)
      : options(std::move(target_options)),
        store(std::move(target_store)),
        client(std::move(registry_client)) {}

  std::size_t index = 0;  // in the Snapshot
  const TargetOptions options;
  const std::shared_ptr<TargetStore> store;  // for the worker
  const std::shared_ptr<RegistryClient> client;
  std::unique_ptr<Scanner> scanner;  // null: not scanning
  TargetState state;
  std::optional<TimerId> timer;
  std::optional<WallTime> next_scan;
  bool begun = false;  // it was scheduled before
  bool scanning = false;
  bool loaded = true;
  bool saved = true;

  std::size_t at_workers = 0;  // tasks that will come back to the network thread
  bool saving = false;         // one of them saves a scan
  bool is_gone = false;        // no longer among the targets
  Target* heir = nullptr;      // took its place; null where none did
};

// A target to be, with what storage has of it.
struct Monitor::Arrival {
  TargetOptions options;
  std::shared_ptr<TargetStore> store;  // null: there is a target of the same repository
  TargetStore::Loaded loaded = {};
};

inline ReportSubject SubjectOf(const TargetOptions& options) {
  return {options.registry.registry, options.registry.repository};
}

}  // namespace registry_backend
