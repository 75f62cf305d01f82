#pragma once

#include "exporter/common/time.h"
#include "exporter/server/security_options.h"

namespace registry_backend::server {

// A token bucket, full at first. Without a clock; not thread-safe.
class RateLimiter {
 public:
  // Whether a request may be served now. Other limits than the last ones fill the bucket anew.
  bool Allow(const RateLimit& limit, Time now);

 private:
  RateLimit limit_;
  double tokens_ = 0;
  Time filled_;
};

}  // namespace registry_backend::server
