#include "exporter/registry/credential_helper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using testing::Eventually;
using testing::ReadFile;
using testing::TempDir;
using testing::WriteFile;

// Longer than any test may take: what comes back before was not ended by it.
constexpr auto kLong = 50s;

const HelperQuestion kQuestion{"test", "r.example"};

// A directory that is the first in PATH for as long as this lives, with one helper, `test`: a shell
// script, if it does not name its interpreter itself.
class HelperOnPath {
 public:
  explicit HelperOnPath(const std::string& script) : path_(Path()) {
    ::setenv("PATH", (dir_.path().string() + ":" + path_).c_str(), 1);
    const auto program = dir_ / "docker-credential-test";
    const std::string shell = "#!/bin/sh\ncd '" + dir_.path().string() + "' || exit 99\n";
    WriteFile(program, (script.starts_with("#!") ? "" : shell) + script);
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  }
  ~HelperOnPath() { ::setenv("PATH", path_.c_str(), 1); }
  HelperOnPath(const HelperOnPath&) = delete;
  HelperOnPath& operator=(const HelperOnPath&) = delete;

  // A file that the helper writes; its working directory is here.
  [[nodiscard]] std::filesystem::path File(std::string_view name) const { return dir_ / name; }

  // The process number in such a file, waited for.
  [[nodiscard]] pid_t PidIn(std::string_view name) const {
    pid_t pid = -1;
    EXPECT_TRUE(Eventually(10s, [&] { return bool(std::ifstream(dir_ / name) >> pid); }));
    return pid;
  }

 private:
  static std::string Path() {
    const char* path = std::getenv("PATH");
    return path == nullptr ? "/usr/bin:/bin" : path;
  }

  TempDir dir_{"credential-helper"};
  const std::string path_;
};

Result<Credentials> Ask(Duration timeout = kLong) {
  return AskCredentialHelper(kQuestion, {}, timeout);
}

std::string ErrorOf(const Result<Credentials>& result) {
  if (result) return "no error";
  EXPECT_EQ(result.error().kind, ErrorKind::kCredentials);
  return result.error().message;
}

// Whether it runs no more, reaped or not: who reaps orphans here may be slow.
bool IsGone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number;
  std::string name;
  std::string state;
  return !(file >> number >> name >> state) || state == "Z" || state == "X";
}

TEST(CredentialHelper, GivesUserAndSecret) {
  const HelperOnPath helper(R"(
echo "$*" >arguments
cat >input
echo '{"ServerURL": "r.example", "Username": "me", "Secret": "a:\u00e4 b"}'
)");
  const auto credentials = Ask();
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(*credentials, (Credentials{"me", "a:\u00e4 b", {}, {}}));
  EXPECT_EQ(ReadFile(helper.File("arguments")), "get\n");
  EXPECT_EQ(ReadFile(helper.File("input")), "r.example\n");
}

TEST(CredentialHelper, NeedNotReadItsInput) {
  const HelperOnPath helper(R"(exec <&-; echo '{"Username": "me", "Secret": "s"}')");
  const auto credentials = Ask();
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(*credentials, (Credentials{"me", "s", {}, {}}));
}

TEST(CredentialHelper, MayGiveAnIdentityToken) {
  const HelperOnPath helper(R"(echo '{"Username": "<token>", "Secret": "refresh"}')");
  EXPECT_EQ(*Ask(), (Credentials{{}, {}, "refresh", {}}));
}

TEST(CredentialHelper, MayKnowNothing) {
  const HelperOnPath helper("echo 'credentials not found in native keychain'; exit 1");
  const auto credentials = Ask();
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_TRUE(credentials->anonymous());
}

TEST(CredentialHelper, ReadsAnAnswerOfSeveralPieces) {
  const HelperOnPath helper(R"(
printf '{"Username": "me", '
sleep 0.1
printf '"Secret": "'
head -c 60000 /dev/zero | tr '\0' x
printf '"}'
)");
  const auto credentials = Ask();
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->password, std::string(60'000, 'x'));
}

TEST(CredentialHelper, SaysWhatWentWrongWithoutQuotingIt) {
  const std::string by = "credential helper 'test': ";
  const std::pair<std::string, std::string> cases[] = {
      {"echo hunter2; echo hunter2 >&2; exit 3", "it ended with exit status 3"},
      {"echo '{\"Username\": \"me\", \"Secret\": \"hunter2\"}'; exit 1",
       "it ended with exit status 1"},
      {"echo hunter2; kill -KILL $$", "it was ended by signal 9"},
      {"kill -PIPE $$", "it was ended by signal 13"},
      {"", "its answer is no JSON object"},
      {"echo hunter2", "its answer is no JSON object"},
      {"echo 'credentials not found in native keychain'", "its answer is no JSON object"},
      {"echo '[\"hunter2\"]'", "its answer is no JSON object"},
      {"echo '{\"Username\": \"me\"}'", "its answer has no text for Secret"},
      {"echo '{\"Username\": 7, \"Secret\": \"hunter2\"}'", "its answer has no text for Username"},
      {"echo '{\"Username\": \"me\", \"Secret\": [\"hunter2\"]}'",
       "its answer has no text for Secret"},
      {"printf '{\"Username\": \"\\377\", \"Secret\": \"hunter2\"}'",
       "its answer is no JSON object"},
  };
  for (const auto& [script, why] : cases) {
    const HelperOnPath helper(script);
    EXPECT_EQ(ErrorOf(Ask()), by + why) << script;
  }
}

TEST(CredentialHelper, MustBeInPath) {
  EXPECT_EQ(ErrorOf(AskCredentialHelper({"no-such", "r.example"}, {})),
            "credential helper 'no-such': docker-credential-no-such was not found in PATH");
  const HelperOnPath helper("");
  std::filesystem::permissions(helper.File("docker-credential-test"),
                               std::filesystem::perms::owner_read);
  EXPECT_EQ(ErrorOf(Ask()), "credential helper 'test': cannot start it: Permission denied");
}

TEST(CredentialHelper, HasANameThatLeadsNowhereElse) {
  const HelperOnPath helper("echo ran >ran");
  for (const char* name : {"", "a/test", "../test", "/bin/sh", "te st", "test;test", "test\n",
                           "$(test)", "t\u00e4st", "te*t"}) {
    const std::string message = ErrorOf(AskCredentialHelper({name, "r.example"}, {}));
    EXPECT_TRUE(message.ends_with("': its name may only have letters, digits, '.', '_' and '-'"))
        << message;
  }
  EXPECT_FALSE(std::filesystem::exists(helper.File("ran")));
}

TEST(CredentialHelper, IsKilledAtTheDeadline) {
  const HelperOnPath helper("trap '' TERM; echo hunter2; while :; do sleep 60; done");
  const Time begin = Clock::now();
  EXPECT_EQ(ErrorOf(Ask(200ms)),
            "credential helper 'test': it was killed, as it had not answered within 200ms");
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST(CredentialHelper, IsWaitedForWhenItHasClosedItsOutput) {
  const HelperOnPath helper("exec >&-; sleep 60");
  EXPECT_EQ(ErrorOf(Ask(200ms)),
            "credential helper 'test': it was killed, as it had not answered within 200ms");
}

TEST(CredentialHelper, DoesNotLiveOnInAChildThatHoldsItsOutput) {
  const HelperOnPath helper(R"(
sleep 60 &
echo $! >child
echo '{"Username": "me", "Secret": "s"}'
)");
  const Time begin = Clock::now();
  const auto credentials = Ask();
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->password, "s");
  EXPECT_LT(Clock::now() - begin, 10s);
  const pid_t child = helper.PidIn("child");
  EXPECT_TRUE(Eventually(10s, [child] { return IsGone(child); }));
}

TEST(CredentialHelper, MayNotFloodUs) {
  const HelperOnPath helper("echo $$ >self; while :; do echo hunter2hunter2hunter2; done");
  const Time begin = Clock::now();
  EXPECT_EQ(ErrorOf(Ask()), "credential helper 'test': its answer is larger than 64 KiB");
  EXPECT_LT(Clock::now() - begin, 10s);
  EXPECT_TRUE(IsGone(helper.PidIn("self")));
}

TEST(CredentialHelper, IsKilledWithItsChildrenWhenCalledOff) {
  const HelperOnPath helper("sleep 60 & echo $! >child; echo $$ >self; wait");
  std::stop_source stop;
  Result<Credentials> result = Credentials{};
  Time end;
  std::jthread asking([&] {
    result = AskCredentialHelper(kQuestion, stop.get_token(), kLong);
    end = Clock::now();
  });
  const pid_t self = helper.PidIn("self");
  const pid_t child = helper.PidIn("child");
  const Time begin = Clock::now();
  stop.request_stop();
  asking.join();
  EXPECT_LT(end - begin, 5s) << "100 ms on an idle machine";
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCancelled);
  EXPECT_TRUE(IsGone(self));
  EXPECT_TRUE(Eventually(10s, [child] { return IsGone(child); }));
}

TEST(CredentialHelper, IsNotStartedWhenCalledOffBefore) {
  const HelperOnPath helper("echo ran >ran");
  std::stop_source stop;
  stop.request_stop();
  const auto result = AskCredentialHelper(kQuestion, stop.get_token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(helper.File("ran")));
}

// As `serve` has them in its threads.
class SignalsOfAServer {
 public:
  SignalsOfAServer() : pipe_(std::signal(SIGPIPE, SIG_IGN)) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, &mask_);
  }
  ~SignalsOfAServer() {
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    std::signal(SIGPIPE, pipe_);
  }
  SignalsOfAServer(const SignalsOfAServer&) = delete;
  SignalsOfAServer& operator=(const SignalsOfAServer&) = delete;

 private:
  void (*pipe_)(int);
  sigset_t mask_{};
};

TEST(CredentialHelper, InheritsNoSignals) {
  // No shell: dash unblocks all signals when it starts.
  const HelperOnPath helper(R"(#!/usr/bin/awk -f
BEGIN {
  while ((getline < "/proc/self/status") > 0) mask[$1] = $2
  printf "{\"Username\": \"%s\", \"Secret\": \"%s\"}", mask["SigBlk:"], mask["SigIgn:"]
}
)");
  const SignalsOfAServer signals;
  const auto credentials = Ask();
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->username, "0000000000000000");
  // glibc's posix_spawn ignores two signals of its own, 32 and 33.
  EXPECT_EQ(std::stoull(credentials->password, nullptr, 16) & 0x7fffffffU, 0U);
}

TEST(CredentialHelper, InheritsNoFiles) {
  const TempDir dir("credential-helper");
  WriteFile(dir / "ours", "");
  const int ours = ::open((dir / "ours").c_str(), O_RDONLY);  // NOLINT: on purpose not O_CLOEXEC
  ASSERT_GE(ours, 3);
  const HelperOnPath helper("[ -e /proc/self/fd/" + std::to_string(ours) +
                            " ] && echo yes >leaked\n"
                            "readlink /proc/$$/fd/2 >errors\n"
                            "echo '{\"Username\": \"me\", \"Secret\": \"s\"}'\n");
  const auto credentials = Ask();
  ::close(ours);
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_FALSE(std::filesystem::exists(helper.File("leaked")));
  EXPECT_EQ(ReadFile(helper.File("errors")), "/dev/null\n");
}

TEST(CredentialHelper, LeavesNoFilesOpen) {
  const auto open_files = [] {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
  };
  const HelperOnPath helper("exit 1");
  const auto before = open_files();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Ask());
  EXPECT_FALSE(AskCredentialHelper({"no-such", "r.example"}, {}));
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace registry_backend
