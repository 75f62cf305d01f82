#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/inventory/target_state.h"

namespace registry_backend {

// A target that an exporter keeps, or kept, in its storage.
struct StoredTarget {
  std::string registry;  // host[:port]
  std::string repository;
  TargetState state;  // empty where what is known was lost
};

// All targets below `directory`, which is neither locked nor changed: an exporter may be at work in
// it, which replaces a state in one step. In order. Error kStorage, naming the path: it cannot be
// read, or a state is not usable.
Result<std::vector<StoredTarget>> ReadStoredTargets(const std::filesystem::path& directory);

}  // namespace registry_backend
