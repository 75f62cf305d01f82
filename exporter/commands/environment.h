#pragma once

#include <memory>
#include <string>

#include "exporter/common/result.h"
#include "exporter/config/config.h"
#include "exporter/registry/credentials.h"

namespace registry_backend {

// The variable's value; empty where it is not set.
std::string EnvironmentVariable(const char* name);

// REGISTRY_USERNAME and REGISTRY_PASSWORD, or REGISTRY_TOKEN, else the config.json in the folder
// that DOCKER_CONFIG names. Meant for the default target, or for a registry named on the command
// line beside them; never for one out of a file. An error where both ways are set.
Result<CredentialsSource> CredentialsFromEnvironment();

// HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case.
ProxyEnvironment ProxiesFromEnvironment();

}  // namespace registry_backend
