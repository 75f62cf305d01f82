#include "exporter/metrics/http_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>

#include <string>

namespace registry_backend {
namespace {

// From a neighbour's answer to a request that only a retry after a stall got through.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                          0.5,   1,    2.5,   5,    10,  30};

}  // namespace

HttpMetrics::HttpMetrics()
    : requests_(prometheus::BuildCounter()
                    .Name("registry_backend_http_requests_total")
                    .Help("Requests sent to registries and their token services, by operation and "
                          "status code; error is no answer.")
                    .Register(registry_)),
      durations_(prometheus::BuildHistogram()
                     .Name("registry_backend_http_request_duration_seconds")
                     .Help("Time from sending a request to the end of its answer or its failure.")
                     .Register(registry_)),
      retries_(prometheus::BuildCounter()
                   .Name("registry_backend_http_retries_total")
                   .Help("Requests sent again after a failure that may pass, by its reason.")
                   .Register(registry_)) {}

HttpMetrics::Series& HttpMetrics::SeriesOf(const std::string& registry) {
  const auto [known, added] = series_.try_emplace(registry);
  // Known from the first request on, so that a rate sees the first retry.
  if (added) {
    for (const ErrorKind reason : kRetriedErrorKinds) {
      known->second.retries.insert(
          &retries_.Add({{"registry", registry}, {"reason", std::string(ReasonName(reason))}}));
    }
  }
  return known->second;
}

void HttpMetrics::OnRequest(std::string_view registry, std::string_view operation, int status,
                            Duration took) {
  const std::string host(registry);
  const std::string name(operation);
  Series& series = SeriesOf(host);
  prometheus::Counter*& count = series.requests[{name, status}];
  if (count == nullptr) {
    const std::string code = status == 0 ? "error" : std::to_string(status);
    count = &requests_.Add({{"registry", host}, {"operation", name}, {"code", code}});
  }
  prometheus::Histogram*& durations = series.durations[name];
  if (durations == nullptr) {
    durations = &durations_.Add({{"registry", host}, {"operation", name}}, kSeconds);
  }
  count->Increment();
  durations->Observe(Seconds(took));
}

void HttpMetrics::OnRetry(std::string_view registry, std::string_view reason) {
  const std::string host(registry);
  prometheus::Counter& count = retries_.Add({{"registry", host}, {"reason", std::string(reason)}});
  count.Increment();
  SeriesOf(host).retries.insert(&count);
}

void HttpMetrics::OnRegistryGone(std::string_view registry) {
  const auto known = series_.find(registry);
  if (known == series_.end()) return;
  for (const auto& [key, count] : known->second.requests) requests_.Remove(count);
  for (const auto& [key, durations] : known->second.durations) durations_.Remove(durations);
  for (prometheus::Counter* count : known->second.retries) retries_.Remove(count);
  series_.erase(known);
}

}  // namespace registry_backend
