#include "exporter/monitor/shard.h"

#include <charconv>
#include <string>

#include "exporter/registry/digest.h"

namespace registry_backend {
namespace {

// The same on every machine.
std::uint64_t HashOf(const TargetOptions& target) {
  const std::string digest =
      Sha256Of(target.registry.registry.host().text() + "/" + target.registry.repository);
  const std::string_view start = std::string_view(digest).substr(digest.find(':') + 1, 16);
  std::uint64_t hash = 0;
  std::from_chars(start.data(), start.data() + start.size(), hash, 16);
  return hash;
}

}  // namespace

std::uint32_t ShardOf(const TargetOptions& target, std::uint32_t total) {
  constexpr std::uint64_t kMultiplier = 2862933555777941757ULL;
  constexpr double kTwoTo31 = 2147483648.0;
  std::uint64_t state = HashOf(target);
  std::uint32_t shard = 0;
  // Jumps from one number of shards at which the target moves to the next.
  double next = 0;
  while (next < static_cast<double>(total)) {
    shard = static_cast<std::uint32_t>(next);
    state = state * kMultiplier + 1;
    next = (static_cast<double>(shard) + 1) * (kTwoTo31 / static_cast<double>((state >> 33U) + 1));
  }
  return shard;
}

}  // namespace registry_backend
