#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exporter/config/yaml_reader.h"
#include "exporter/inventory/policy.h"

namespace registry_backend {

// The keys of `policy`, of all targets or of one. Each that is not set is taken from the defaults.
struct PolicyKeys {
  std::vector<HostPattern> approved_hosts;       // written out
  std::vector<HostPattern> approved_hosts_file;  // and those of the file
  std::vector<std::string> allowed_regions;

  // Null where nothing is set.
  [[nodiscard]] std::shared_ptr<const Policy> policy() const;
};

// Reads the mapping `policy` of `yaml` if there is one, and the file that it names. Adds a warning
// for each entry that approves a whole cloud. Throws ConfigFault.
void ReadPolicy(YamlMapping& yaml, PolicyKeys& keys, std::vector<std::string>& warnings);

}  // namespace registry_backend
