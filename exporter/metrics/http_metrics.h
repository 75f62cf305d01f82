#pragma once

#include <prometheus/registry.h>

#include <set>
#include <string>
#include <string_view>
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

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const {
    return registry_.Collect();
  }

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Counter>& retries_;
  std::set<std::string> registries_;  // that a request was sent to; network thread only
};

}  // namespace registry_backend
