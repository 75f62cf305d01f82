#pragma once

#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/server/security_options.h"

namespace registry_backend {

// Reads the file of --web.config.file, in the format of Prometheus' exporter-toolkit. The files it
// names are left to the server. Errors name file, line, column and key, and show no secret.
Result<server::SecurityOptions> LoadWebConfig(const std::string& path);

// The same from text; `path` stands in errors and is where relative paths start.
Result<server::SecurityOptions> ParseWebConfig(std::string_view text, const std::string& path);

}  // namespace registry_backend
