#pragma once

#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/inventory/target_state.h"

namespace registry_backend {

// The version of the form in which a state is stored. All older ones are read. A newer one is
// refused: what it means is not known. Keys may be added within a version; a reader skips those
// that it does not know, so that going back to an older program costs no more than them.
inline constexpr int kStateVersion = 1;

// A target's state as JSON. Times are whole milliseconds since the Unix epoch.
std::string EncodeState(const TargetState& state);

// What EncodeState wrote. Error kStorage: no JSON, a key that is missing or of the wrong type, a
// newer version.
Result<TargetState> DecodeState(std::string_view bytes);

}  // namespace registry_backend
