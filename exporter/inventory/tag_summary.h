#pragma once

#include <cstddef>
#include <vector>

#include "exporter/inventory/target_state.h"

namespace registry_backend {

// What is kept of the scan's newest `at_most` tags, newest first. Those of them whose manifest got
// no answer, or is too large a part of too many, are left out: nothing is known of them.
std::vector<TagSummary> SummariseTags(const ScanResult& result, std::size_t at_most);

}  // namespace registry_backend
