#include "exporter/inventory/target_state.h"

namespace registry_backend {
namespace {

ScanSummary Summarise(const ScanResult& result) {
  ScanSummary summary{.outcome = result.outcome,
                      .started = result.started,
                      .finished = result.finished,
                      .took = result.took,
                      .asked = result.asked,
                      .unresolved = result.unresolved,
                      .coverage = result.coverage(),
                      .reasons = {},
                      .error = {}};
  for (const auto& [reason, count] : result.reasons) summary.reasons.insert(reason);
  if (const Error* error = result.main_error()) summary.error = error->message;
  return summary;
}

void ApplyEndpoints(const ScanResult& result, TargetState& state) {
  const bool complete = result.outcome == ScanOutcome::kComplete;
  for (const auto& [key, seen] : result.endpoints) {
    const auto [record, added] = state.endpoints.try_emplace(key);
    if (added) record->second.first_seen = result.finished;
    record->second.info = seen.info;
    record->second.present = true;
    record->second.last_seen = result.finished;
    if (complete) record->second.blobs = seen.blobs;
  }
  if (!complete) return;
  for (auto& [key, record] : state.endpoints) {
    if (result.endpoints.contains(key)) continue;
    record.present = false;
    record.blobs = 0;
  }
}

}  // namespace

void Apply(const ScanResult& result, TargetState& state) {
  ApplyEndpoints(result, state);
  const ScanSummary summary = Summarise(result);
  state.newest = summary;
  if (result.outcome != ScanOutcome::kFailed) state.newest_usable = summary;
  ++state.scans[result.outcome];
  if (result.outcome == ScanOutcome::kComplete) {
    state.last_success = result.finished;
    state.consecutive_failures = 0;
    return;
  }
  ++state.consecutive_failures;
  const Error* error = result.main_error();
  ++state.failures[error != nullptr ? error->kind : ErrorKind::kInternal];
}

}  // namespace registry_backend
