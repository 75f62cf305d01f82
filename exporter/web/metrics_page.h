#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exporter/common/time.h"
#include "exporter/metrics/exposition.h"

namespace registry_backend {

// The metrics as text. Requests that come while it is being written share the next text, so that a
// crowd of scrapers costs as much as two. Thread-safe.
class MetricsPage {
 public:
  using Collect = std::function<std::vector<prometheus::MetricFamily>()>;

  explicit MetricsPage(Collect collect) : collect_(std::move(collect)) {}

  // Never older than the call.
  std::shared_ptr<const std::string> Text(ExpositionFormat format);

 private:
  struct Written {
    Time begun;
    std::weak_ptr<const std::string> text;  // kept by those that send it
  };

  const Collect collect_;
  std::mutex mutex_;
  Written plain_;         // guarded by mutex_
  Written open_metrics_;  // guarded by mutex_
};

}  // namespace registry_backend
