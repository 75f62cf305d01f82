#pragma once

#include <optional>
#include <string>

#include "exporter/report/allowlist.h"

namespace registry_backend {

// The flags of `allowlist`.
struct AllowlistCommand {
  std::optional<std::string> report;  // a file, `-` is standard input; empty: what is stored
  std::string storage_path = "data/";
  std::string target;  // registry/repository; empty: all
  AllowlistFormat format = AllowlistFormat::kPlain;
};

// Prints the hosts to allow. Returns an ExitCode; where it is not kExitComplete nothing is on
// standard output. What is stored is only read, so that an exporter may be using it.
int RunAllowlist(const AllowlistCommand& command);

}  // namespace registry_backend
