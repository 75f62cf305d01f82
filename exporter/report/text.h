#pragma once

#include <string>

#include "exporter/report/report.h"

// A scan's report for people, as text.
namespace registry_backend {

// A few lines: the outcome, what was asked for, and the hosts.
std::string MakeSummary(const ReportSubject& subject, const ScanResult& result);

// The same with every tag: its platforms, how many layers each has, and the hosts that a pull of
// the tag needs for blobs; in the end what has no answer and what is unpullable. Of tags beyond
// kMaxReportRows manifests and layers only names are listed.
void WriteDetailed(const ReportSubject& subject, const ScanResult& result, const TextSink& sink);

}  // namespace registry_backend
