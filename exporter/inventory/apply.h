#pragma once

#include "exporter/inventory/options.h"
#include "exporter/inventory/target_state.h"

namespace registry_backend {

// What a finished scan changes in what is known. Pure; these are the rules:
// - Only a complete scan makes an endpoint absent, after absent_after of them in a row. A partial
//   one may add what it saw, a failed one only up to the baseline; neither removes. An endpoint
//   that a witness speaks for (see ScanResult::witnessed) stays present.
// - The first complete scan is the baseline; with none yet, the third partial one in a row is. What
//   comes and goes up to the baseline is no change, nor is what the first complete scan after an
//   edit of the selection brings.
// - An absent endpoint is forgotten after forget_after. One that returns is added again and keeps
//   its first_seen.
// - max_endpoints bounds the inventory: absent ones make room, longest unseen first; present ones
//   never do. What does not fit is counted.
// - A time that lies ahead of the scan's end is the trace of a clock that was wrong, and becomes
//   that end: until it came, alerts on it would fire and an absent endpoint would stay. The journal
//   keeps what the clock said.
void Apply(const ScanResult& result, const InventoryOptions& options, TargetState& state);

}  // namespace registry_backend
