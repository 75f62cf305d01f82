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

void HttpMetrics::OnRequest(std::string_view registry, std::string_view operation, int status,
                            Duration took) {
  const std::string host(registry);
  // Known from the first request on, so that a rate sees the first retry.
  if (registries_.insert(host).second) {
    for (const ErrorKind reason : kRetriedErrorKinds) {
      retries_.Add({{"registry", host}, {"reason", std::string(ReasonName(reason))}});
    }
  }
  const std::string name(operation);
  requests_
      .Add({{"registry", host},
            {"operation", name},
            {"code", status == 0 ? "error" : std::to_string(status)}})
      .Increment();
  durations_.Add({{"registry", host}, {"operation", name}}, kSeconds).Observe(Seconds(took));
}

void HttpMetrics::OnRetry(std::string_view registry, std::string_view reason) {
  retries_.Add({{"registry", std::string(registry)}, {"reason", std::string(reason)}}).Increment();
}

}  // namespace registry_backend
