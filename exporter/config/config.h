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
  std::vector<std::string> warnings;   // each names file, line, column and key
};

// The environment's proxies, for targets with proxy_from_environment.
struct ProxyEnvironment {
  std::string https_proxy;
  std::string http_proxy;
  std::string no_proxy;
};

// Makes them the connection's. The error names the variable.
Status SetProxies(const ProxyEnvironment& environment, ConnectionOptions& connection);

// Reads the file at `path`. Errors name file, line, column and key.
Result<Config> LoadConfig(const std::string& path, const ProxyEnvironment& environment = {});

// The same from text; `path` stands in errors and is where relative paths start.
Result<Config> ParseConfig(std::string_view text, const std::string& path,
                           const ProxyEnvironment& environment = {});

// Without a file: HashiCorp's Terraform Enterprise, with these credentials (user `terraform` unless
// they name another).
TargetOptions DefaultTarget(CredentialsSource credentials);

}  // namespace registry_backend
