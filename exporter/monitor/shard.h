#pragma once

#include <cstdint>

#include "exporter/monitor/options.h"

namespace registry_backend {

// Which part of the targets is this process's, where several share them.
struct ShardOptions {
  std::uint32_t index = 0;  // below `total`
  std::uint32_t total = 1;

  bool operator==(const ShardOptions&) const = default;
};

// The shard that scans the target, from 0 to `total` - 1: told by its registry and repository
// alone, so that every process comes to the same answer, whatever else its configuration has. Where
// there is one shard more, only those targets move that it gets: one in `total` + 1 (Lamping and
// Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm").
std::uint32_t ShardOf(const TargetOptions& target, std::uint32_t total);

}  // namespace registry_backend
