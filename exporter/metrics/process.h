#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace registry_backend {

// The seven process_* families that Prometheus' own clients expose, read from `proc` (tests bring a
// directory of their own). What cannot be read is left out.
std::vector<prometheus::MetricFamily> ProcessFamilies(const std::string& proc = "/proc");

}  // namespace registry_backend
