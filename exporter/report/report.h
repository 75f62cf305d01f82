#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "exporter/discovery/scan_result.h"
#include "exporter/url/url.h"

namespace registry_backend {

// Which repository a report is about.
struct ReportSubject {
  Url registry;
  std::string repository;
};

// A scan's report, format_version 1 (docs/report.md). Of a failed scan only what failed: it must
// not be taken for a registry without endpoints. Redirect URLs appear as host names only.
nlohmann::ordered_json MakeReport(const ReportSubject& subject, const ScanResult& result);

// As text. Bytes that are no UTF-8, which nothing here should bring, do not stop it. `indent` -1:
// one line.
std::string WriteReport(const nlohmann::ordered_json& report, int indent);

// The same for people: a few lines of text.
std::string MakeSummary(const ReportSubject& subject, const ScanResult& result);

}  // namespace registry_backend
