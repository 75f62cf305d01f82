#pragma once

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

// A scan's report, format_version 1 (docs/report.md). Of a failed scan only what failed: it must
// not be taken for a registry without endpoints. Redirect URLs appear as host names only.
// Of tags beyond the first 500,000 manifests and layers only names and manifests are listed.
void WriteReport(const ReportSubject& subject, const ScanResult& result, JsonWriter& writer);

// The same for people: a few lines of text.
std::string MakeSummary(const ReportSubject& subject, const ScanResult& result);

}  // namespace registry_backend
