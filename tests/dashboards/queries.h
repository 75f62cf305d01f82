#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/dashboards/dashboard.h"
#include "tests/integration/prometheus_server.h"

namespace registry_backend::testing {

// A stretch of time, in seconds since 1970.
struct Span {
  std::int64_t from = 0;
  std::int64_t to = 0;
};

// The values of a dashboard's variables: first with all of them chosen, then with each by its name,
// as Grafana writes them into a query. Adds to `faults` what has none.
std::vector<Values> VariableValues(const PrometheusServer& prometheus, const Dashboard& dashboard,
                                   std::vector<std::string>& faults);

// Asks all that a dashboard asks, as Grafana would for that time, and says what is wrong: an error,
// no value at all, a legend or a column of a label that is not there; nothing where an `or` of the
// query stands for something that this history has. Empty: all is well.
std::vector<std::string> Faults(const PrometheusServer& prometheus, const Dashboard& dashboard,
                                Span span);

}  // namespace registry_backend::testing
