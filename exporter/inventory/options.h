#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "exporter/common/time.h"

namespace registry_backend {

// What a target's configuration says of its inventory: the rules of presence, and its bounds.
struct InventoryOptions {
  std::uint64_t absent_after = 1;  // complete scans in a row without the endpoint
  Duration forget_after = std::chrono::hours(24 * 30);  // an absent endpoint is kept so long
  std::size_t max_endpoints = 500;
  std::size_t max_tags = 20;  // newest ones that are kept; never more than TargetState::kMaxTags
  // Which tags scans go by, as text. A complete scan after an edit of it raises no change.
  std::string selection;

  bool operator==(const InventoryOptions&) const = default;
};

}  // namespace registry_backend
