#pragma once

#include <vector>

#include "exporter/report/report.h"

namespace registry_backend {

// One scan to be written; `result` outlives it.
struct ReportedScan {
  ReportSubject subject;
  const ScanResult* result;
};

// The scans as one HTML document, for people: without scripts and external resources, so that it
// can be mailed or kept. Of tags beyond kMaxReportRows manifests and layers of a scan only names
// are listed.
void WriteHtml(const std::vector<ReportedScan>& scans, const TextSink& sink);

}  // namespace registry_backend
