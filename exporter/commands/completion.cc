#include "exporter/commands/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace registry_backend {
namespace {

using Kind = CompletedValue::Kind;

std::string Join(const std::vector<std::string>& words, std::string_view between = " ") {
  return fmt::format("{}", fmt::join(words, between));
}

// In single quotes, as a shell's word. Between them `\` is nothing special for bash and zsh.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::vector<std::string> NamesOf(const std::vector<CompletedOption>& options) {
  std::vector<std::string> names;
  for (const CompletedOption& option : options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

void Append(std::vector<std::string>& words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

// What may stand in the first place besides a command: an option of the program, or of the command
// that may be left out.
std::vector<CompletedOption> FirstOptions(const CompletedProgram& program) {
  std::vector<CompletedOption> first = program.options;
  const std::vector<std::string> known = NamesOf(first);
  for (const CompletedCommand& command : program.commands) {
    if (command.name != program.default_command) continue;
    for (const CompletedOption& option : command.options) {
      if (std::ranges::find(known, option.names.back()) == known.end()) first.push_back(option);
    }
  }
  return first;
}

// --- bash

constexpr std::string_view kBashHead =
    R"(# Completes {0} in bash 4 and later: source <({0} completion bash)
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command=${{COMP_WORDS[1]}} words='' files=''
  COMPREPLY=()
  # bash takes --option=value for three words.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  if ((COMP_CWORD == 1)); then
    command=''
  elif [[ $command == -* ]]; then
    command={1}
  fi
  case "$command $previous" in
)";
constexpr std::string_view kBashTail = R"(      esac
      ;;
  esac
  if [[ $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
  if [[ $files && $current != -* ]]; then
    local found
    mapfile -t found < <(compgen "$files" -- "$current")
    COMPREPLY+=("${{found[@]}}")
    compopt -o filenames 2>/dev/null || true
  fi
}}
complete -F _{0} {0}
)";

std::string_view BashFiles(Kind kind) {
  if (kind == Kind::kFile) return "files=-f";
  return kind == Kind::kDirectory ? "files=-d" : "";
}

// What follows an option that takes a value.
std::string BashValues(const CompletedCommand& command) {
  std::string cases;
  for (const CompletedOption& option : command.options) {
    if (!option.takes_value) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option.names)
      patterns.push_back(Quoted(command.name + " " + name));
    std::string action(BashFiles(option.value.kind));
    if (option.value.kind == Kind::kChoice) action = "words=" + Quoted(Join(option.value.choices));
    if (action.empty()) action = "return";
    cases += fmt::format("    {}) {} ;;\n", Join(patterns, " | "), action);
  }
  return cases;
}

// What stands where no option waits for its value.
std::string BashWords(const CompletedCommand& command) {
  std::vector<std::string> words;
  std::string files;
  for (const CompletedValue& argument : command.arguments) {
    Append(words, argument.choices);
    if (files.empty()) files = BashFiles(argument.kind);
  }
  Append(words, NamesOf(command.options));
  return fmt::format("        {}) words={}{} ;;\n", Quoted(command.name), Quoted(Join(words)),
                     files.empty() ? "" : " " + files);
}

std::string BashScript(const CompletedProgram& program) {
  std::string script = fmt::format(kBashHead, program.name, program.default_command);
  CompletedCommand first{.options = FirstOptions(program)};
  CompletedValue names{.kind = Kind::kChoice};
  for (const CompletedCommand& command : program.commands) {
    script += BashValues(command);
    names.choices.push_back(command.name);
  }
  first.arguments = {names};
  script += "    *)\n      case $command in\n" + BashWords(first);
  for (const CompletedCommand& command : program.commands) script += BashWords(command);
  return script + fmt::format(kBashTail, program.name);
}

// --- fish

// Between fish's single quotes `\` escapes itself and the quote.
std::string FishQuoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string FishValue(const CompletedValue& value) {
  switch (value.kind) {
    case Kind::kText:
      return " -x";
    case Kind::kChoice:
      return " -x -a " + FishQuoted(Join(value.choices));
    case Kind::kFile:
      return " -r -F";
    case Kind::kDirectory:
      return " -x -a '(__fish_complete_directories)'";
  }
  return "";
}

std::string FishOption(const CompletedOption& option, const std::string& begin) {
  std::string line = begin;
  for (const std::string& name : option.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.takes_value) line += FishValue(option.value);
  return line + " -d " + FishQuoted(option.help) + "\n";
}

std::string FishScript(const CompletedProgram& program) {
  const std::string begin = "complete -c " + program.name;
  std::string script = fmt::format(
      "# Completes {0} in fish: {0} completion fish | source\n{1} -f\n", program.name, begin);
  std::vector<std::string> others;
  for (const CompletedCommand& command : program.commands) {
    script += fmt::format("{} -n __fish_use_subcommand -a {} -d {}\n", begin, command.name,
                          FishQuoted(command.help));
    if (command.name != program.default_command) others.push_back(command.name);
  }
  for (const CompletedOption& option : program.options) {
    script += FishOption(option, begin + " -n __fish_use_subcommand");
  }
  for (const CompletedCommand& command : program.commands) {
    const std::string seen = command.name == program.default_command
                                 ? "not __fish_seen_subcommand_from " + Join(others)
                                 : "__fish_seen_subcommand_from " + command.name;
    const std::string within = begin + " -n " + FishQuoted(seen);
    for (const CompletedOption& option : command.options) script += FishOption(option, within);
    for (const CompletedValue& argument : command.arguments) {
      if (argument.kind == Kind::kFile) script += within + " -F\n";
      if (argument.kind == Kind::kChoice) {
        script += within + " -a " + FishQuoted(Join(argument.choices)) + "\n";
      }
    }
  }
  return script;
}

// --- zsh

// Within an _arguments specification.
std::string ZshEscaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string ZshAction(const CompletedValue& value) {
  switch (value.kind) {
    case Kind::kText:
      return ":value: ";
    case Kind::kChoice:
      return ":value:(" + Join(value.choices) + ")";
    case Kind::kFile:
      return ":file:_files";
    case Kind::kDirectory:
      return ":directory:_files -/";
  }
  return "";
}

std::string ZshArguments(const std::vector<CompletedOption>& options,
                         const std::vector<CompletedValue>& arguments) {
  std::string text = "_arguments -S";
  for (const CompletedOption& option : options) {
    for (const std::string& name : option.names) {
      // A long option's value may follow `=`; any option may come again.
      const bool joins = option.takes_value && name.starts_with("--");
      text +=
          " \\\n        " + Quoted("*" + name + (joins ? "=" : "") + "[" + ZshEscaped(option.help) +
                                   "]" + (option.takes_value ? ZshAction(option.value) : ""));
    }
  }
  for (const CompletedValue& argument : arguments) {
    text += " \\\n        " + Quoted(":" + ZshAction(argument).substr(1));
  }
  return text;
}

std::string ZshScript(const CompletedProgram& program) {
  std::string commands;
  std::string cases;
  for (const CompletedCommand& command : program.commands) {
    commands += "\n      " + Quoted(command.name + ":" + ZshEscaped(command.help));
    cases += fmt::format("    {})\n      {}\n      ;;\n", command.name,
                         ZshArguments(command.options, command.arguments));
  }
  return fmt::format(R"(#compdef {0}
# Completes {0} in zsh: as _{0} in a directory of fpath, or
# source <({0} completion zsh)
_{0}() {{
  local command={1}
  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
    local -a commands=({2})
    _describe command commands
    return
  fi
  if ((CURRENT == 2)); then
    {4}
    return
  fi
  if [[ $words[2] != -* ]]; then
    command=$words[2]
    shift words
    ((CURRENT--))
  fi
  case $command in
{3}  esac
}}
if [[ $funcstack[1] == _{0} ]]; then
  _{0} "$@"
else
  compdef _{0} {0}
fi
)",
                     program.name, program.default_command, commands, cases,
                     ZshArguments(FirstOptions(program), {}));
}

}  // namespace

std::string CompletionScript(Shell shell, const CompletedProgram& program) {
  switch (shell) {
    case Shell::kBash:
      return BashScript(program);
    case Shell::kFish:
      return FishScript(program);
    case Shell::kZsh:
      return ZshScript(program);
  }
  return "";
}

}  // namespace registry_backend
