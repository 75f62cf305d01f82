#pragma once

#include <vector>

#include "exporter/report/report.h"

namespace registry_backend {

// One scan to be written; `result` outlives it.
struct ReportedScan {
  ReportSubject subject;
  const ScanResult* result;
};

// The scans as one HTML document, for people: the status page's form without external resources, so
// that it can be mailed, kept, or published by any web server. Of tags beyond kMaxReportRows
// manifests and layers of a scan only names are listed.
void WriteHtml(const std::vector<ReportedScan>& scans, const TextSink& sink);

}  // namespace registry_backend
