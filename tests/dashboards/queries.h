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

// The values of a dashboard's variables, over that time: first with all of them chosen, then with
// each by its name, as Grafana writes them into a query. Adds to `faults` what has none.
std::vector<Values> VariableValues(const PrometheusServer& prometheus, const Dashboard& dashboard,
                                   Span span, std::vector<std::string>& faults);

// Whether each operand of an `or` has to have a value, too: where the history has what it is for.
// Else a wrong one could hide behind the other.
enum class Operands { kOne, kEach };

// Asks all that a dashboard asks, as Grafana would for that time, and says what is wrong: an error,
// no value at all, a legend or a column of a label that is not there. Empty: all is well.
std::vector<std::string> Faults(const PrometheusServer& prometheus, const Dashboard& dashboard,
                                Span span, Operands operands);

}  // namespace registry_backend::testing
