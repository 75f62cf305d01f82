#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "exporter/common/time.h"
#include "exporter/discovery/tag_filter.h"
#include "exporter/url/host.h"

namespace registry_backend {

// How a target is scanned.
struct ScanOptions {
  Duration timeout = std::chrono::hours(1);
  std::size_t max_concurrency = 8;      // requests in flight
  double max_requests_per_second = 20;  // to the registry's origin; 0 = no limit
  TagFilter tags;
  std::size_t newest_tags = 0;  // of those that the filter lets pass, newest first; 0 = all
  // Of an index only the manifests for these, written os/architecture[/variant]; without a variant
  // all variants. Empty: all, attestations and artifacts included.
  std::vector<std::string> platforms;

  bool operator==(const ScanOptions&) const = default;
};

// What earlier scans leave for this one.
struct ScanHints {
  // Digests that hosts of blobs served before. Where a scan that is otherwise complete did not meet
  // the host, they are asked for again before it may be called absent.
  std::map<Host, std::vector<std::string>> witnesses;
  // Tags, and digests of manifests and blobs, that got no answer the last time: asked for first, so
  // that a repository too large for one scan is seen whole in several. Tags in this order.
  std::vector<std::string> unresolved;
};

}  // namespace registry_backend
