#pragma once

namespace registry_backend {

// Reads the command line and runs what it names. Returns the program's exit status.
int RunCommandLine(int argc, const char* const* argv);

}  // namespace registry_backend
