#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "tests/integration/server_process.h"
#include "tests/support/markdown.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text.h"

// The scripts in docs/howto/, run as they stand there. The programs that they call are played; git
// is not.
namespace registry_backend::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class HowToDocumentation : public ::testing::Test {
 protected:
  static std::string Document(const std::string& name) {
    return ReadDocument(fs::path(REGISTRY_BACKEND_SOURCE_DIR) / "docs/howto" / name);
  }

  // A program of that name which does this instead.
  void Play(const std::string& program, const std::string& script) {
    const fs::path file = dir_ / "bin" / program;
    WriteFile(file, "#!/bin/sh\n" + script);
    fs::permissions(file, fs::perms::owner_all);
  }

  RunResult Sh(const std::string& script, const fs::path& where) {
    SubprocessOptions options = HermeticOptions();
    const char* const path = std::getenv("PATH");
    options.env = {{"PATH", (dir_ / "bin").string() + ":" + (path != nullptr ? path : "/usr/bin")},
                   {"HOME", dir_.path().string()},
                   {"GIT_CONFIG_NOSYSTEM", "1"},
                   {"GIT_CONFIG_GLOBAL", (dir_ / "gitconfig").string()}};
    for (const char* name : {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}) {
      options.unset_env.emplace_back(name);
    }
    options.working_directory = where;
    return RunToEnd({"sh", "-c", script}, options);
  }

  // What must not fail.
  std::string Must(const std::string& script) {
    const RunResult run = Sh(script, dir_.path());
    EXPECT_EQ(run.exit_code, 0) << script << "\n" << run.err;
    return run.out;
  }

  const TempDir dir_{"howto"};
};

class FirewallDocumentation : public HowToDocumentation {
 protected:
  FirewallDocumentation() {
    Replace(document_, "/srv/", (dir_ / "srv/").string());
    scripts_ = Scripts(document_);
    WriteFile(dir_ / "gitconfig",
              "[user]\nname = t\nemail = t@example.com\n[init]\ndefaultBranch = main\n");
    Play("registry_backend_exporter", "cat " + (dir_ / "list").string() + "\n");
    Play("curl", "echo \"$@\" >>" + (dir_ / "curls").string() + "\n");
    WriteFile(dir_ / "list", "# scanned now\nnew.example\nold.example\n");
    Must(
        "git init -q --bare lists.git && git clone -q lists.git first 2>&1 && cd first &&"
        "echo old.example >hosts.txt && git add . && git commit -qm First && git push -q");
    // Each folder that a script works in, or that the exporter is told of, is a clone.
    for (const fs::path& folder : Folders()) {
      if (fs::exists(folder)) continue;
      Must("mkdir -p srv && git clone -q lists.git " + folder.string());
    }
  }

  std::vector<fs::path> Folders() {
    std::vector<fs::path> folders = {Approved().parent_path()};
    const std::regex pattern(R"(\ncd (\S+))");
    for (const std::string& script : scripts_) {
      std::smatch match;
      if (std::regex_search(script, match, pattern)) folders.emplace_back(match[1].str());
    }
    return folders;
  }

  fs::path Approved() {
    std::smatch match;
    const bool found =
        std::regex_search(document_, match, std::regex(R"(approved_hosts_file: (/[^\s}]+)\})"));
    return found ? match[1].str() : "";
  }

  // hosts.txt, as that branch of the repository has it.
  std::string OnBranch(const std::string& branch) {
    return Must("git -C lists.git show " + branch + ":hosts.txt");
  }

  std::string document_ = Document("firewall-allowlist.md");
  std::vector<std::string> scripts_;
};

TEST_F(FirewallDocumentation, AHostApprovesItselfNeitherBeforeNorWithoutAMerge) {
  ASSERT_GE(scripts_.size(), 1U);
  for (int hour = 0; hour < 2; ++hour) {
    const RunResult job = Sh(scripts_[0], dir_.path());
    EXPECT_EQ(job.exit_code, 0) << job.err;
    EXPECT_EQ(OnBranch("new-hosts"), "new.example\nold.example\n");
    EXPECT_EQ(ReadFile(Approved()), "old.example\n") << "hour " << hour;
  }
  EXPECT_EQ(OnBranch("main"), "old.example\n");
  ASSERT_EQ(scripts_.size(), 2U) << "what the exporter is told of follows main by a script";
  const RunResult before = Sh(scripts_[1], dir_.path());
  EXPECT_EQ(before.exit_code, 0) << before.err;
  EXPECT_EQ(ReadFile(Approved()), "old.example\n");
  Must("git -C lists.git update-ref refs/heads/main new-hosts");
  const RunResult after = Sh(scripts_[1], dir_.path());
  EXPECT_EQ(after.exit_code, 0) << after.err;
  EXPECT_EQ(ReadFile(Approved()), "new.example\nold.example\n");
  EXPECT_THAT(ReadFile(dir_ / "curls"), HasSubstr("/-/reload"));
}

TEST_F(FirewallDocumentation, WithoutAListNothingIsPushed) {
  Play("registry_backend_exporter", "exit 3\n");
  EXPECT_EQ(Sh(scripts_.at(0), dir_.path()).exit_code, 3);
  EXPECT_EQ(Must("git -C lists.git branch --list"), "* main\n");
}

class MigrationDocumentation : public HowToDocumentation {
 protected:
  MigrationDocumentation() {
    fs::create_directories(work_);
    // Reports are words here: `diff` exits with 1 where they differ.
    Play("registry_backend_exporter",
         "if [ \"$1\" = scan ]; then echo \"$SCAN\"; exit \"$STATUS\"; fi\n"
         "if cmp -s \"$2\" \"$3\"; then exit 0; fi\n"
         "echo \"from $(cat \"$2\") to $(cat \"$3\")\"; exit 1\n");
    Play("gh", "cat diff.md >>issues\nexit \"${GH:-0}\"\n");
  }

  // A run of the job in which scan prints `report` and exits with `status`.
  int Run(const std::string& report, int status, const std::string& more = "") {
    const std::string script = Scripts(Document("migrate.md")).at(0);
    return Sh("export SCAN=" + report + " STATUS=" + std::to_string(status) + " " + more + "\n" +
                  script,
              work_)
        .exit_code;
  }

  [[nodiscard]] std::string Issues() const {
    return fs::exists(work_ / "issues") ? ReadFile(work_ / "issues") : "";
  }
  [[nodiscard]] std::string Last() const {
    return fs::exists(work_ / "last.json") ? ReadFile(work_ / "last.json") : "";
  }

  const fs::path work_ = dir_ / "work";
};

TEST_F(MigrationDocumentation, APartialScanIsReportedAndDoesNotReplaceACompleteOne) {
  EXPECT_EQ(Run("ab", 0), 0);
  EXPECT_EQ(Last(), "ab\n");
  EXPECT_EQ(Run("bc", 3), 0);
  EXPECT_EQ(Issues(), "from ab to bc\n");
  EXPECT_EQ(Last(), "ab\n") << "else nobody would ever be told that a is gone";
  EXPECT_EQ(Run("b", 0), 0);
  EXPECT_EQ(Issues(), "from ab to bc\nfrom ab to b\n");
  EXPECT_EQ(Last(), "b\n");
  EXPECT_EQ(Run("b", 0), 0);
  EXPECT_EQ(Issues(), "from ab to bc\nfrom ab to b\n") << "nothing changed";
}

TEST_F(MigrationDocumentation, NoPartialScanIsTheFirstToBeKept) {
  EXPECT_EQ(Run("a", 3), 0);
  EXPECT_EQ(Last(), "");
  EXPECT_EQ(Issues(), "");
}

TEST_F(MigrationDocumentation, WhatFailedChangesNothing) {
  EXPECT_EQ(Run("a", 0), 0);
  EXPECT_EQ(Run("nothing", 1), 1);
  EXPECT_EQ(Last(), "a\n");
  EXPECT_NE(Run("b", 0, "GH=1"), 0);
  EXPECT_EQ(Last(), "a\n") << "the issue is opened by the next run";
}

}  // namespace
}  // namespace registry_backend::testing
