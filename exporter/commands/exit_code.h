#pragma once

namespace registry_backend {

// What the program's exit status says; part of the public contract.
enum ExitCode : int {
  kExitComplete = 0,
  kExitFailed = 1,
  kExitUsage = 2,  // also: a configuration that cannot be used, and what nobody expected
  kExitPartial = 3,
  // diff, as diff(1)
  kExitSame = 0,
  kExitDiffers = 1,
  kExitTrouble = 2,  // also: input that cannot be used, output that cannot be written
  // allowlist
  kExitNoBaseline = 3,
};

}  // namespace registry_backend
