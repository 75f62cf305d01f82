#include "exporter/http/pacer.h"

#include <algorithm>

namespace registry_backend {

void Pacer::Limit(const Origin& origin, double requests_per_second) {
  if (requests_per_second <= 0) return;
  const auto spacing =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / requests_per_second));
  const auto [lane, added] = lanes_.try_emplace(origin, Lane{spacing, Time::min()});
  if (!added) lane->second.spacing = std::max(lane->second.spacing, spacing);
}

Time Pacer::Reserve(const Origin& origin, Time now) {
  const auto lane = lanes_.find(origin);
  if (lane == lanes_.end()) return now;
  const Time slot = std::max(now, lane->second.next_free);
  lane->second.next_free = slot + lane->second.spacing;
  return slot;
}

}  // namespace registry_backend
