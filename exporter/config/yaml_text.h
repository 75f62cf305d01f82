#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>

#include "exporter/common/result.h"

namespace registry_backend {

// All of the file at `path`. The error has the reason only. A file of more than 16 MiB is one.
Result<std::string> ReadTextFile(const std::string& path);

// The one document that `text` is; `file` stands in errors. Throws ConfigFault where it is no text
// (UTF-8 without control characters), is no YAML, or has a second document.
YAML::Node LoadYaml(std::string_view text, const std::string& file);

}  // namespace registry_backend
