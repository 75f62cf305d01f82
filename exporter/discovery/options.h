#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "exporter/common/time.h"
#include "exporter/url/host.h"

namespace registry_backend {

// How a target is scanned.
struct ScanOptions {
  Duration timeout = std::chrono::hours(1);
  std::size_t max_concurrency = 8;      // requests in flight
  double max_requests_per_second = 20;  // to the registry's origin; 0 = no limit
  std::size_t newest_tags = 0;          // scan only so many, newest first; 0 = all
};

// What earlier scans leave for this one.
struct ScanHints {
  // Digests that hosts of blobs served before. Where a scan that is otherwise complete did not meet
  // the host, they are asked for again before it may be called absent.
  std::map<Host, std::vector<std::string>> witnesses;
};

}  // namespace registry_backend
