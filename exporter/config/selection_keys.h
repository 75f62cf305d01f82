#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "exporter/config/yaml_reader.h"
#include "exporter/discovery/options.h"

namespace registry_backend {

// The keys `tags` and `platforms` of a scan: which part of a repository counts.
struct SelectionKeys {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::size_t newest = 0;
  std::vector<std::string> platforms;

  // The same as text, which differs when any of it does; empty where all of the repository counts.
  [[nodiscard]] std::string text() const;
  void SetOptions(ScanOptions& scan) const;
};

// Reads them from the mapping `scan`, which stays to be finished; keys that are not there leave
// `keys` as they are. Throws ConfigFault.
void ReadSelection(YamlMapping& scan, SelectionKeys& keys);

}  // namespace registry_backend
