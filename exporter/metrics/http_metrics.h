#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/http/message.h"

namespace registry_backend {

// Counts and times the requests to registries. Collect is thread-safe.
class HttpMetrics final : public RequestObserver {
 public:
  HttpMetrics();

  void OnRequest(std::string_view registry, std::string_view operation, int status,
                 Duration took) override;
  void OnRetry(std::string_view registry, std::string_view reason) override;
  // Its series end.
  void OnRegistryGone(std::string_view registry) override;

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const {
    return registry_.Collect();
  }

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Counter>& retries_;
  // Series of one registry, found here for each request: the families would compare all labels.
  struct Series {
    std::map<std::pair<std::string, int>, prometheus::Counter*> requests;  // by operation, status
    std::map<std::string, prometheus::Histogram*> durations;               // by operation
    std::set<prometheus::Counter*> retries;
  };
  Series& SeriesOf(const std::string& registry);

  // Of registries that a request was sent to; network thread only.
  std::map<std::string, Series, std::less<>> series_;
};

}  // namespace registry_backend
