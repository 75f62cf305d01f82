#pragma once

#include <filesystem>
#include <string>

#include "exporter/common/time.h"
#include "exporter/inventory/target_state.h"

namespace registry_backend::testing {

// What is known of a target after a complete scan that found so many hosts.
[[nodiscard]] TargetState StateWith(int endpoints, WallTime now);

// What so many targets would have left on disk. Throws std::runtime_error.
void FillStorage(const std::filesystem::path& directory, int targets, int endpoints);

// The configuration of those targets, which nothing answers.
[[nodiscard]] std::string StoredTargetsConfig(int targets);

}  // namespace registry_backend::testing
