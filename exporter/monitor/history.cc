#include "exporter/monitor/history.h"

namespace registry_backend {

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

}  // namespace registry_backend
