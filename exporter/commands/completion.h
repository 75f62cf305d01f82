#pragma once

#include <string>
#include <vector>

namespace registry_backend {

enum class Shell { kBash, kFish, kZsh };

// What the command line has, for a shell to complete it.

struct CompletedValue {
  enum class Kind {
    kText,       // nothing to offer
    kChoice,     // one of `choices`
    kFile,       // a file's name
    kDirectory,  // a directory's name
  };
  Kind kind = Kind::kText;
  std::vector<std::string> choices;
};

struct CompletedOption {
  std::vector<std::string> names;  // with their dashes
  std::string help;
  bool takes_value = false;
  CompletedValue value;
};

struct CompletedCommand {
  std::string name;
  std::string help;
  std::vector<CompletedOption> options;
  std::vector<CompletedValue> arguments;  // that belong to no option
};

struct CompletedProgram {
  std::string name;                      // letters and `_`
  std::vector<CompletedOption> options;  // that stand alone, before any command
  std::vector<CompletedCommand> commands;
  std::string default_command;  // the one that may be left out
};

// The text that has `shell` complete the program's command line.
std::string CompletionScript(Shell shell, const CompletedProgram& program);

}  // namespace registry_backend
