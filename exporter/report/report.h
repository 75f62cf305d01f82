#pragma once

#include <cstddef>
#include <string>

#include "exporter/discovery/scan_result.h"
#include "exporter/report/json_writer.h"
#include "exporter/url/url.h"

namespace registry_backend {

// Which repository a report is about.
struct ReportSubject {
  Url registry;
  std::string repository;
};

// Manifests and layers. Beyond so many tags are named, but what is below them is left out.
inline constexpr std::size_t kMaxReportRows = 500'000;

// A scan's report, format_version 1 (docs/report.md). Of a failed scan only what failed: it must
// not be taken for a registry without endpoints. Redirect URLs appear as host names only.
// Of tags beyond the first 500,000 manifests and layers only names and manifests are listed.
void WriteReport(const ReportSubject& subject, const ScanResult& result, JsonWriter& writer);

}  // namespace registry_backend
