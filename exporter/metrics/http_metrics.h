#pragma once

#include <prometheus/registry.h>

#include <string_view>
#include <vector>

#include "exporter/http/message.h"

namespace registry_backend {

// Counts and times the requests to registries. Thread-safe.
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
};

}  // namespace registry_backend
