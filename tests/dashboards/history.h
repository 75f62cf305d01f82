#pragma once

#include <chrono>
#include <iosfwd>

#include "exporter/common/time.h"

namespace registry_backend::testing {

// Writes what a Prometheus has of the scripted week (see story.h) that ends at `end`, as
// OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from openmetrics`: what the
// exporter's own code shows as time passes, what blackbox_exporter would say of the hosts, and what
// Prometheus adds to a scrape. Scraped every five minutes, on the newest day every two, in the last
// hour every minute. The same for the same `end`, but for how long scraping took.
void WriteHistory(WallTime end, std::ostream& out);

}  // namespace registry_backend::testing
