#pragma once

#include <string>

#include "exporter/report/report_diff.h"

namespace registry_backend {

enum class DiffFormat { kMarkdown, kText, kJson };

// A comparison for people, with what to do about it: Markdown to be pasted into a ticket, or plain
// text; or as one JSON object (docs/report.md). What reports hold beside host names is shown so
// that it is only text there: no markup, no control characters.
std::string RenderDiff(const ReportDiff& diff, DiffFormat format);

}  // namespace registry_backend
