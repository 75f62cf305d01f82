#pragma once

#include <string>

#include "exporter/commands/running_exporter.h"
#include "exporter/discovery/scan_result.h"

namespace registry_backend {

// The flags of `drill`.
struct DrillCommand {
  ExporterAccess access;
  std::string target;    // empty: the only one there is
  std::string duration;  // empty: the exporter's default
  Serves serves = Serves::kBlobs;
  bool wait = false;  // for its end
  bool stop = false;  // end the one that is under way
};

// Has a running exporter begin a drill, or end it before its time, and prints in words what is to
// be seen when. Where it waits, SIGINT and SIGTERM have the host vanish. Returns an ExitCode:
// kExitComplete, kExitFailed (also: a drill that ended before its time) or kExitUsage.
int RunDrill(const DrillCommand& command);

}  // namespace registry_backend
