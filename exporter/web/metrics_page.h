#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exporter/common/time.h"
#include "exporter/metrics/exposition.h"
#include "exporter/monitor/snapshot.h"

namespace registry_backend {

// The metrics as text. What a snapshot says is written once for all scrapes of it, which are many:
// scans are rare. One such part of each format is kept. Requests that come while a text is being
// put together share the next one, so that a crowd of scrapers costs as much as two. Thread-safe.
class MetricsPage {
 public:
  struct Sources {
    std::function<std::shared_ptr<const Snapshot>()> current;
    // Pure.
    std::function<std::vector<prometheus::MetricFamily>(const Snapshot&)> describe;
    // What else there is, at each time anew.
    std::function<std::vector<prometheus::MetricFamily>()> collect;
  };

  explicit MetricsPage(Sources sources) : sources_(std::move(sources)) {}

  // Never older than the call.
  std::shared_ptr<const std::string> Text(ExpositionFormat format);

 private:
  struct Written {
    std::weak_ptr<const Snapshot> snapshot;
    std::string of_snapshot;
    Time begun;
    std::weak_ptr<const std::string> text;  // kept by those that send it
  };

  std::string Write(Written& written, ExpositionFormat format) const;

  const Sources sources_;
  std::mutex mutex_;
  Written plain_;         // guarded by mutex_
  Written open_metrics_;  // guarded by mutex_
};

}  // namespace registry_backend
