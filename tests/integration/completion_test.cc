#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "tests/integration/exporter_process.h"
#include "tests/support/temp_dir.h"

// `completion`: what the shells themselves make of it.
namespace registry_backend::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using Words = std::vector<std::string>;

// As bash gives it to COMPREPLY: the script is sourced and its function called.
constexpr const char* kBashDriver = R"(
source "$1"
shift
declared=$(complete -p registry_backend_exporter)
[[ $declared == 'complete -F _registry_backend_exporter registry_backend_exporter' ]] || exit 9
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_registry_backend_exporter
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
)";

Words Lines(const std::string& text) {
  Words lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line.substr(0, line.find('\t')));
  return lines;
}

std::string Script(const std::string& shell) {
  const RunResult run = RunExporter(REGISTRY_BACKEND_EXPORTER, {"completion", shell});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return run.out;
}

class Completion : public ::testing::Test {
 protected:
  const TempDir directory_{"completion"};

  // What bash offers for the last of the words after the program's name.
  Words Bash(Words words) {
    WriteFile(directory_ / "script", Script("bash"));
    Words argv = {"bash",
                  "--norc",
                  "--noprofile",
                  "-euc",
                  kBashDriver,
                  "bash",
                  (directory_ / "script").string(),
                  "registry_backend_exporter"};
    argv.insert(argv.end(), words.begin(), words.end());
    SubprocessOptions options;
    options.working_directory = directory_ / "files";
    const RunResult run = RunToEnd(argv, options);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.err, "");
    return Lines(run.out);
  }

  void SetUp() override {
    WriteFile(directory_ / "files/config.yml", "");
    WriteFile(directory_ / "files/data/state.json", "");
  }
};

// The words of --help that look like options.
Words OptionsOfHelp(const Words& command) {
  Words arguments = command;
  arguments.emplace_back("--help");
  std::istringstream in(RunExporter(REGISTRY_BACKEND_EXPORTER, arguments).out);
  Words options;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream names(line.substr(2, line.find(' ', 2) - 2));
    for (std::string name; std::getline(names, name, ',');) options.push_back(name);
  }
  return options;
}

TEST_F(Completion, BashOffersEveryCommandAndEveryOption) {
  const Words first = Bash({""});
  std::size_t options = 0;
  for (const char* command : {"serve", "scan", "diff", "allowlist", "healthcheck", "completion"}) {
    EXPECT_THAT(first, Contains(command));
    const Words offered = Bash({command, ""});
    for (const std::string& option : OptionsOfHelp({command})) {
      EXPECT_THAT(offered, Contains(option)) << command;
      ++options;
    }
  }
  EXPECT_GT(options, 20U);
  for (const std::string& option : OptionsOfHelp({"serve"})) {
    EXPECT_THAT(first, Contains(option)) << "serve may be left out";
  }
  EXPECT_THAT(first, Contains("--version"));
}

TEST_F(Completion, BashOffersWhatBeginsSo) {
  EXPECT_THAT(Bash({"sc"}), ElementsAre("scan"));
  EXPECT_THAT(Bash({"scan", "--out"}), ElementsAre("--output"));
  EXPECT_THAT(Bash({"scan", "--nothing"}), ElementsAre());
  EXPECT_THAT(Bash({"--log.l"}), ElementsAre("--log.level"));
  EXPECT_THAT(Bash({"scan", "--output", "json", "--num"}), ElementsAre("--num-tags"));
}

TEST_F(Completion, BashOffersTheChoicesOfAnOption) {
  EXPECT_THAT(Bash({"scan", "--output", ""}),
              UnorderedElementsAre("json", "summary", "detailed", "html"));
  EXPECT_THAT(Bash({"scan", "--output", "j"}), ElementsAre("json"));
  EXPECT_THAT(Bash({"serve", "--log.level", ""}),
              UnorderedElementsAre("debug", "info", "warn", "error"));
  EXPECT_THAT(Bash({"--log.format", "l"}), ElementsAre("logfmt"));
  EXPECT_THAT(Bash({"diff", "--output", ""}), UnorderedElementsAre("json", "markdown", "text"));
  EXPECT_THAT(Bash({"allowlist", "--format", "c"}), UnorderedElementsAre("cilium", "config"));
  EXPECT_THAT(Bash({"completion", ""}), AllOf(Contains("bash"), Contains("fish"), Contains("zsh")));
  // bash splits words at `=`.
  EXPECT_THAT(Bash({"scan", "--output", "=", "h"}), ElementsAre("html"));
  EXPECT_THAT(Bash({"scan", "--output", "="}), Contains("html"));
}

TEST_F(Completion, BashOffersFilesWhereAFileIsMeant) {
  EXPECT_THAT(Bash({"scan", "--config.file", ""}), UnorderedElementsAre("config.yml", "data"));
  EXPECT_THAT(Bash({"--config.file", "c"}), ElementsAre("config.yml"));
  EXPECT_THAT(Bash({"allowlist", "--report", "c"}), ElementsAre("config.yml"));
  EXPECT_THAT(Bash({"diff", "c"}), ElementsAre("config.yml"));
  EXPECT_THAT(Bash({"--storage.path", ""}), ElementsAre("data"));
  EXPECT_THAT(Bash({"scan", "--password", ""}), ElementsAre());
  EXPECT_THAT(Bash({"scan", "--username", ""}), ElementsAre()) << "not an option either";
}

bool HasProgram(const std::string& name) {
  return RunToEnd({"sh", "-c", "command -v " + name}).exit_code == 0;
}

TEST_F(Completion, FishOffersTheSame) {
  if (!HasProgram("fish")) GTEST_SKIP() << "there is no fish";
  WriteFile(directory_ / "script", Script("fish"));
  const auto offered = [this](const std::string& line) {
    SubprocessOptions options;
    options.working_directory = directory_ / "files";
    options.env["HOME"] = (directory_ / "home").string();
    const RunResult run = RunToEnd({"fish", "--no-config", "-c",
                                    "source '" + (directory_ / "script").string() +
                                        "'; complete -C 'registry_backend_exporter " + line + "'"},
                                   options);
    EXPECT_EQ(run.err, "");
    return Lines(run.out);
  };
  EXPECT_THAT(offered(""), UnorderedElementsAre("serve", "scan", "diff", "allowlist", "drill",
                                                "healthcheck", "completion"));
  EXPECT_THAT(offered("drill --serves "), Contains("manifests"));
  EXPECT_THAT(offered("scan --out"), ElementsAre("--output"));
  EXPECT_THAT(offered("scan --output "),
              UnorderedElementsAre("json", "summary", "detailed", "html"));
  EXPECT_THAT(offered("--log.level=w"), ElementsAre("--log.level=warn"));
  EXPECT_THAT(offered("scan --log"), ElementsAre());
  EXPECT_THAT(offered("completion "), UnorderedElementsAre("bash", "fish", "zsh"));
  EXPECT_THAT(offered("--config.file c"), ElementsAre("config.yml"));
  EXPECT_THAT(offered("--storage.path "), Not(Contains("config.yml")));
}

TEST_F(Completion, OfAnotherShellIsAUsageError) {
  EXPECT_EQ(RunExporter(REGISTRY_BACKEND_EXPORTER, {"completion", "tcsh"}).exit_code, 2);
  EXPECT_EQ(RunExporter(REGISTRY_BACKEND_EXPORTER, {"completion"}).exit_code, 2);
}

}  // namespace
}  // namespace registry_backend::testing
