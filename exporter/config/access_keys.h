#pragma once

#include <string>
#include <vector>

#include "exporter/config/config.h"
#include "exporter/config/yaml_reader.h"

namespace registry_backend {

// The keys of a target that say how its registry is reached and what it is shown: basic_auth,
// authorization or docker_config_file; token_realms; tls_config; the proxy's.
struct Access {
  CredentialsSource credentials;
  ConnectionOptions connection;
  std::vector<Url> token_realms;
};

// Reads them from a target's mapping, which stays to be finished. Throws ConfigFault. Appends to
// `warnings` what may be meant but is dangerous.
Access ReadAccess(YamlMapping& target, const ProxyEnvironment& environment,
                  std::vector<std::string>& warnings);

}  // namespace registry_backend
