#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/inventory/target_state.h"

namespace registry_backend {

// A target that an exporter keeps, or kept, in its storage.
struct StoredTarget {
  std::string folder;
  std::string registry;  // host[:port]
  std::string repository;
  bool name_is_cut = false;  // it was too long for a folder's name: its end is not known
  TargetState state;         // empty where what is known was lost

  // Whether it is the target `name`, registry/repository; also where its own is cut.
  [[nodiscard]] bool IsNamed(std::string_view name) const;
};

// All targets below `directory`, which is neither locked nor changed: an exporter may be at work in
// it, which replaces a state in one step. In order. Error kStorage, naming the path: it cannot be
// read, or a state is not usable.
Result<std::vector<StoredTarget>> ReadStoredTargets(const std::filesystem::path& directory);

}  // namespace registry_backend
