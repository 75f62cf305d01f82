#include "exporter/server/rate_limiter.h"

#include <algorithm>

namespace registry_backend::server {

bool RateLimiter::Allow(const RateLimit& limit, Time now) {
  if (limit.interval <= Duration::zero()) return true;
  const auto most = static_cast<double>(limit.burst);
  if (limit != limit_) {
    limit_ = limit;
    tokens_ = most;
    filled_ = now;
  }
  tokens_ = std::min(most, tokens_ + std::chrono::duration<double>(now - filled_) /
                                         std::chrono::duration<double>(limit.interval));
  filled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

}  // namespace registry_backend::server
