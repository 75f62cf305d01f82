#include "tests/support/subprocess.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "tests/support/eventually.h"

namespace registry_backend::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::string> Shell(const std::string& script) { return {"sh", "-c", script}; }

// A zombie that init has not reaped yet counts as gone.
bool Gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  if (!std::getline(file, stat)) return true;
  return stat.find(") Z ") != std::string::npos;
}

TEST(RunToEnd, TellsExitCodeAndOutput) {
  const RunResult result = RunToEnd(Shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_FALSE(result.timed_out);
}

TEST(RunToEnd, TellsASignalAsAShellDoes) {
  EXPECT_EQ(RunToEnd(Shell("kill -TERM $$")).exit_code, 128 + SIGTERM);
}

TEST(RunToEnd, KillsAtTheDeadline) {
  const RunResult result = RunToEnd(Shell("echo before; sleep 1000"), {}, milliseconds(300));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_EQ(result.out, "before\n");
}

TEST(RunToEnd, MegabytesOfOutputDoNotBlock) {
  EXPECT_EQ(RunToEnd(Shell("head -c 3000000 /dev/zero")).out.size(), 3'000'000U);
}

TEST(RunToEnd, GivesStandardInput) {
  EXPECT_EQ(RunToEnd({"cat"}, {.stdin_text = "given\n"}).out, "given\n");
  EXPECT_EQ(RunToEnd({"cat"}).out, "");
}

TEST(RunToEnd, SetsAndUnsetsEnvironmentAndDirectory) {
  const TempDir directory;
  ::setenv("SUBPROCESS_TEST_GONE", "here", 1);
  ::setenv("SUBPROCESS_TEST_SET", "old", 1);
  const RunResult result =
      RunToEnd(Shell("echo ${SUBPROCESS_TEST_GONE-gone} $SUBPROCESS_TEST_SET; pwd -P"),
               {.env = {{"SUBPROCESS_TEST_SET", "new"}},
                .unset_env = {"SUBPROCESS_TEST_GONE"},
                .working_directory = directory.path()});
  const std::string path = std::filesystem::canonical(directory.path()).string();
  EXPECT_EQ(result.out, "gone new\n" + path + "\n");
}

TEST(Subprocess, WhatCannotStartThrowsWithTheReason) {
  EXPECT_THROW(Subprocess({"no-such-program-anywhere"}), std::system_error);
  try {
    const Subprocess process({"/etc/passwd"});
    FAIL() << "/etc/passwd was executed";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EACCES);
  }
}

TEST(Subprocess, WaitGivesUpAndAnswersTheSameAfterTheEnd) {
  Subprocess process(Shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
  EXPECT_FALSE(process.Wait(milliseconds(20)));
  EXPECT_TRUE(process.Running());
  ASSERT_TRUE(Eventually(seconds(20), [&] { return process.Stdout() == "ready\n"; }));
  process.Signal(SIGTERM);
  const std::optional<ExitStatus> status = process.Wait(seconds(20));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 5);
  EXPECT_FALSE(process.Running());
  process.Signal(SIGTERM);  // to nobody
  EXPECT_EQ(process.Wait(milliseconds(0))->ToString(), "exit code 5");
}

TEST(Subprocess, MeasuresWhatTheProgramUsed) {
  Subprocess process(Shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"));
  const std::optional<ExitStatus> status = process.Wait(seconds(50));
  ASSERT_TRUE(status);
  EXPECT_GT(status->cpu_seconds(), 0.01);
  EXPECT_GT(status->max_rss_kib, 100);
}

TEST(Subprocess, TheDestructorKillsTheWholeGroup) {
  auto process = std::make_unique<Subprocess>(Shell("sleep 1000 & echo $!; wait"));
  ASSERT_TRUE(Eventually(seconds(20), [&] { return process->Stdout().ends_with("\n"); }));
  const pid_t leader = process->pid();
  const pid_t grandchild = std::stoi(process->Stdout());
  process.reset();
  EXPECT_EQ(::kill(leader, 0), -1) << "it was not reaped";
  EXPECT_TRUE(Eventually(seconds(20), [&] { return Gone(grandchild); }));
}

TEST(Subprocess, WhatTheLeaderLeavesBehindEndsWithIt) {
  Subprocess process(Shell("sleep 1000 & echo $!"));
  ASSERT_TRUE(process.Wait(seconds(20)));
  const pid_t grandchild = std::stoi(process.Stdout());
  EXPECT_TRUE(Eventually(seconds(20), [&] { return Gone(grandchild); }));
}

TEST(Subprocess, DiesWithTheTestThatStartedIt) {
  const TempDir directory;
  const std::string file = (directory / "pid").string();
  const pid_t test = ::fork();
  if (test == 0) {
    // Killed, it cannot remove its files: they shall lie where this test does.
    ::setenv("TMPDIR", directory.path().c_str(), 1);
    const Subprocess process(
        Shell("echo $$ > " + file + ".new; mv " + file + ".new " + file + "; exec sleep 1000"));
    for (;;) ::pause();
  }
  const bool started = Eventually(seconds(20), [&] { return std::filesystem::exists(file); });
  ::kill(test, SIGKILL);
  ::waitpid(test, nullptr, 0);
  ASSERT_TRUE(started);
  EXPECT_TRUE(Eventually(seconds(20), [&] { return Gone(std::stoi(ReadFile(file))); }));
}

}  // namespace
}  // namespace registry_backend::testing
