#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/integration/exporter_process.h"
#include "tests/support/markdown.h"
#include "tests/support/temp_dir.h"

// The manual page has every command and every option that --help has, and no others.
namespace registry_backend::testing {
namespace {

using Options = std::map<std::string, std::set<std::string>>;  // by command

std::string HelpOf(const std::vector<std::string>& command) {
  std::vector<std::string> arguments = command;
  arguments.emplace_back("--help");
  return RunExporter(REGISTRY_BACKEND_EXPORTER, arguments).out;
}

// Every name: `-h,--help` are two.
std::set<std::string> OptionsIn(const std::string& help) {
  std::set<std::string> options;
  std::istringstream in(help);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream names(line.substr(2, line.find(' ', 2) - 2));
    for (std::string name; std::getline(names, name, ',');) options.insert(name);
  }
  return options;
}

Options OptionsOfTheProgram() {
  const std::string help = HelpOf({});
  Options options = {{"", OptionsIn(help)}};
  std::istringstream in(help.substr(help.find("Subcommands:\n")));
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line) && line.starts_with("  ")) {
    const std::string command = line.substr(2, line.find(' ', 2) - 2);
    options[command] = OptionsIn(HelpOf({command}));
    options[command].erase("-h");  // said once, for the program
    options[command].erase("--help");
  }
  return options;
}

// A command is a subsection; an option is an item of a list: `.It Fl Fl num\-tags Ar N`, or of two
// names `.It Fl h , Fl Fl help`.
Options OptionsOfThePage() {
  Options options = {{"", {}}};
  std::string command;
  std::istringstream in(ReadFile(REGISTRY_BACKEND_SOURCE_DIR "/docs/registry_backend_exporter.1"));
  const std::regex name(R"(Fl (Fl )?([a-z][a-z.-]*))");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(".Sh ")) command = "";
    if (line.starts_with(".Ss ")) {
      command = line.substr(4);
      options[command];
    }
    if (!line.starts_with(".It Fl ")) continue;
    line = std::regex_replace(line, std::regex(R"(\\-)"), "-");
    for (std::sregex_iterator at(line.begin(), line.end(), name), end; at != end; ++at) {
      options[command].insert(((*at)[1].length() > 0 ? "--" : "-") + (*at)[2].str());
    }
  }
  return options;
}

TEST(Manual, HasEveryCommandAndEveryOptionOfHelpAndNoOthers) {
  const Options program = OptionsOfTheProgram();
  const Options page = OptionsOfThePage();
  EXPECT_GE(program.size(), 5U);
  EXPECT_GT(program.at("serve").size(), 9U);
  for (const auto& [command, options] : program) {
    ASSERT_TRUE(page.contains(command)) << "the page has no .Ss " << command;
    EXPECT_EQ(page.at(command), options) << "of command '" << command << "'";
  }
  for (const auto& [command, options] : page) {
    EXPECT_TRUE(program.contains(command)) << "there is no command " << command;
  }
}

// The first column has the command and its arguments.
TEST(CommandDocumentation, ReadmeHasEveryCommandOfHelpAndNoOthers) {
  const Options program = OptionsOfTheProgram();
  std::set<std::string> documented;
  for (const auto& row : TableRows(ReadDocument(REGISTRY_BACKEND_SOURCE_DIR "/README.md"),
                                   "| command | what it does | exit status |")) {
    const std::string command = row.at(0).substr(1, row.at(0).find_first_of(" `", 1) - 1);
    EXPECT_TRUE(documented.insert(command).second) << command << " stands there twice";
    ASSERT_TRUE(program.contains(command)) << "there is no command " << command;
    for (const std::string& word : CodeSpans(row.at(1))) {
      if (!word.starts_with("--")) continue;
      EXPECT_TRUE(program.at(command).contains(word)) << command << " has no " << word;
    }
  }
  for (const auto& [command, options] : program) {
    if (command.empty()) continue;
    EXPECT_TRUE(documented.contains(command)) << "README.md does not have " << command;
  }
}

// groff finds what is no macro and what is unbalanced.
TEST(Manual, IsFormattedWithoutAWarning) {
  const RunResult run =
      RunToEnd({"sh", "-c",
                "command -v groff >/dev/null || exit 77; groff -mdoc -Tutf8 -ww "
                "\"$1\" >/dev/null",
                "sh", REGISTRY_BACKEND_SOURCE_DIR "/docs/registry_backend_exporter.1"});
  if (run.exit_code == 77) GTEST_SKIP() << "there is no groff";
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "");
}

}  // namespace
}  // namespace registry_backend::testing
