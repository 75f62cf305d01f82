#pragma once

namespace registry_backend {

// What the program's exit status says; part of the public contract.
enum ExitCode : int {
  kExitComplete = 0,
  kExitFailed = 1,
  kExitUsage = 2,  // also: a configuration that cannot be used
  kExitPartial = 3,
};

}  // namespace registry_backend
