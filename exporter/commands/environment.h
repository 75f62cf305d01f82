#pragma once

#include <memory>
#include <string>

#include "exporter/http/options.h"
#include "exporter/registry/credentials.h"

namespace registry_backend {

// The variable's value; empty where it is not set.
std::string EnvironmentVariable(const char* name);

// REGISTRY_USERNAME and REGISTRY_PASSWORD. Meant for the default target, or for a registry named on
// the command line beside them; never for one out of a file.
CredentialsSource CredentialsFromEnvironment();

// HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case. For use without a configuration file.
ConnectionOptions ConnectionFromEnvironment();

}  // namespace registry_backend
