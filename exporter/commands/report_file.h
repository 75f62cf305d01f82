#pragma once

#include <string>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/report/report_reader.h"

namespace registry_backend {

// The reports in a file; `-` is standard input. Errors name the file.
Result<std::vector<StoredReport>> ReadReportFile(const std::string& path);

// To standard output. Error: not all of it could be written.
Status PrintOutput(const std::string& text);

}  // namespace registry_backend
