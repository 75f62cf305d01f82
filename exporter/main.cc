#include "exporter/commands/command_line.h"

int main(int argc, char** argv) { return registry_backend::RunCommandLine(argc, argv); }
