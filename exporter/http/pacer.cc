#include "exporter/http/pacer.h"

#include <algorithm>

namespace registry_backend {

void Pacer::Limit(const Origin& origin, double requests_per_second) {
  if (requests_per_second <= 0) return;
  const auto spacing =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / requests_per_second));
  Lane& lane = lanes_[origin];
  lane.spacing = std::max(lane.spacing, spacing);
}

void Pacer::ClearLimits() {
  for (auto& [origin, lane] : lanes_) lane.spacing = Duration::zero();
}

Time Pacer::Reserve(const Origin& origin, Time now) {
  const auto lane = lanes_.find(origin);
  if (lane == lanes_.end()) return now;
  const Time slot = std::max({now, lane->second.next_free, lane->second.held_until});
  lane->second.next_free = slot + lane->second.spacing;
  return slot;
}

void Pacer::Hold(const Origin& origin, Time until) {
  Lane& lane = lanes_[origin];
  lane.held_until = std::max(lane.held_until, until);
}

Time Pacer::HeldUntil(const Origin& origin) const {
  const auto lane = lanes_.find(origin);
  return lane == lanes_.end() ? Time::min() : lane->second.held_until;
}

}  // namespace registry_backend
