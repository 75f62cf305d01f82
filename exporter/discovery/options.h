#pragma once

#include <cstddef>

#include "exporter/common/time.h"

namespace registry_backend {

// How a target is scanned.
struct ScanOptions {
  Duration timeout = std::chrono::hours(1);
  std::size_t max_concurrency = 8;      // requests in flight
  double max_requests_per_second = 20;  // to the registry's origin; 0 = no limit
  std::size_t newest_tags = 0;          // scan only so many, newest first; 0 = all
};

}  // namespace registry_backend
