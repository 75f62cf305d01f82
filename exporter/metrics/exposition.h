#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

namespace registry_backend {

enum class ExpositionFormat { kText, kOpenMetrics };

// What a scraper gets for its Accept field: OpenMetrics 1.0 where it is named with a weight no
// lower than plain text's, else text 0.0.4.
ExpositionFormat NegotiateFormat(std::string_view accept);

// The Content-Type that goes with a format.
std::string_view ContentType(ExpositionFormat format);

// The families as a scraper reads them, in the order given. Counters' names end in `_total`, as the
// text format shows them; OpenMetrics' family name is without it.
std::string WriteExposition(const std::vector<prometheus::MetricFamily>& families,
                            ExpositionFormat format);

// The same of a part of the families, and what ends the whole.
std::string WriteFamilies(const std::vector<prometheus::MetricFamily>& families,
                          ExpositionFormat format);
std::string_view EndOfExposition(ExpositionFormat format);

}  // namespace registry_backend
