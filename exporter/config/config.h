#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/monitor/options.h"

namespace registry_backend {

// What the configuration file says.
struct Config {
  std::vector<TargetOptions> targets;  // at least one
};

// Reads the file at `path`. Errors name file, line, column and key.
Result<Config> LoadConfig(const std::string& path);

// The same from text; `path` stands in errors and is where relative paths start.
Result<Config> ParseConfig(std::string_view text, const std::string& path);

// Without a file: HashiCorp's Terraform Enterprise, with these credentials (user `terraform` unless
// they name another).
TargetOptions DefaultTarget(CredentialsSource credentials);

}  // namespace registry_backend
