#pragma once

#include <string>

#include "exporter/report/diff_text.h"

namespace registry_backend {

// The arguments of `diff`.
struct DiffCommand {
  std::string old_report;  // `-`: standard input, for one of the two
  std::string new_report;
  DiffFormat output = DiffFormat::kMarkdown;
};

// Prints what changed between two reports. Returns an ExitCode: kExitSame, kExitDiffers, or
// kExitTrouble where they cannot be compared, with nothing on standard output.
int RunDiff(const DiffCommand& command);

}  // namespace registry_backend
