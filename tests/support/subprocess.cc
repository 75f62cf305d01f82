#include "tests/support/subprocess.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "tests/support/eventually.h"

namespace registry_backend::testing {
namespace {

[[noreturn]] void ThrowErrno(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  // Daemons such as nginx live in sbin, which an ordinary user's PATH lacks.
  std::istringstream directories(std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = directory + "/" + name;
    if (!directory.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  ThrowErrno(ENOENT, name);
}

std::vector<std::string> Environment(const SubprocessOptions& options) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const auto& unset = options.unset_env;
    if (options.env.contains(name) || std::ranges::find(unset, name) != unset.end()) continue;
    result.push_back(text);
  }
  for (const auto& [name, value] : options.env) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Everything the child needs, made before fork: after it only async-signal-safe calls are allowed,
// as other threads may have held the allocator's lock.
struct ChildPlan {
  std::string program;
  char* const* argv;
  char* const* envp;
  std::string in, out, err, directory;
  int error_pipe;
  pid_t parent;
};

bool Redirect(const std::string& path, int flags, int target) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  return fd >= 0 && ::dup2(fd, target) == target;
}

// Runs in the child; returns only when something failed, with errno set.
void BecomeProgram(const ChildPlan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // the parent died before prctl
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (!plan.directory.empty() && ::chdir(plan.directory.c_str()) != 0) return;
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
  if (!Redirect(plan.in, O_RDONLY, STDIN_FILENO) || !Redirect(plan.out, kAppend, STDOUT_FILENO) ||
      !Redirect(plan.err, kAppend, STDERR_FILENO)) {
    return;
  }
  // No listening socket of the test may live on in the program.
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(plan.program.c_str(), plan.argv, plan.envp);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Forks and execs; throws the child's errno if it did not come to exec.
pid_t Spawn(ChildPlan plan) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) ThrowErrno(errno, "pipe2");
  plan.error_pipe = ends[1];
  plan.parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    BecomeProgram(plan);
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(plan.error_pipe, &error, sizeof error);
    ::_exit(127);
  }
  const int fork_error = errno;
  ::close(ends[1]);
  if (pid > 0) ::setpgid(pid, pid);  // also here: whoever comes first, the group exists from now on
  int error = 0;
  ssize_t got = 0;
  if (pid > 0) {
    do {
      got = ::read(ends[0], &error, sizeof error);  // end of file: exec closed the other end
    } while (got < 0 && errno == EINTR);
  }
  ::close(ends[0]);
  if (pid < 0) ThrowErrno(fork_error, "fork");
  if (got > 0) {
    ::waitpid(pid, nullptr, 0);
    ThrowErrno(error, plan.program);
  }
  return pid;
}

}  // namespace

std::string ExitStatus::ToString() const {
  return code ? "exit code " + std::to_string(*code) : "signal " + std::to_string(signal);
}

Subprocess::Subprocess(const std::vector<std::string>& argv, const SubprocessOptions& options) {
  if (argv.empty()) throw std::invalid_argument("a program needs a name");
  const std::string in = (output_ / "stdin").string();
  WriteFile(in, options.stdin_text);
  WriteFile(output_ / "stdout", "");
  WriteFile(output_ / "stderr", "");
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = Environment(options);
  const std::vector<char*> arguments_c = Pointers(arguments);
  const std::vector<char*> environment_c = Pointers(environment);
  pid_ = Spawn({.program = FindProgram(argv[0]),
                .argv = arguments_c.data(),
                .envp = environment_c.data(),
                .in = in,
                .out = options.stdout_file.empty() ? (output_ / "stdout").string()
                                                   : options.stdout_file.string(),
                .err = options.stderr_file.empty() ? (output_ / "stderr").string()
                                                   : options.stderr_file.string(),
                .directory = options.working_directory.string(),
                .error_pipe = -1,
                .parent = -1});
}

Subprocess::~Subprocess() {
  if (status_) return;
  ::kill(-pid_, SIGKILL);
  Reap();
}

bool Subprocess::Ended() const {
  // WNOWAIT leaves the zombie, so that its process and group numbers stay ours until Reap().
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

bool Subprocess::Running() { return !status_ && !Ended(); }

void Subprocess::Signal(int signal) {
  if (!status_) ::kill(pid_, signal);
}

std::optional<ExitStatus> Subprocess::Wait(std::chrono::milliseconds deadline) {
  if (!status_ && Eventually(deadline, [this] { return Ended(); })) Reap();
  return status_;
}

void Subprocess::Reap() {
  ::kill(-pid_, SIGKILL);
  int status = 0;
  rusage usage{};
  while (::wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  ExitStatus result;
  if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.user_cpu_seconds = Seconds(usage.ru_utime);
  result.system_cpu_seconds = Seconds(usage.ru_stime);
  result.max_rss_kib = usage.ru_maxrss;
  status_ = result;
}

RunResult RunToEnd(const std::vector<std::string>& argv, const SubprocessOptions& options,
                   std::chrono::milliseconds deadline) {
  Subprocess process(argv, options);
  std::optional<ExitStatus> status = process.Wait(deadline);
  RunResult result;
  result.timed_out = !status;
  if (status) result.exit_code = status->code.value_or(128 + status->signal);
  result.out = process.Stdout();
  result.err = process.Stderr();
  return result;
}

}  // namespace registry_backend::testing
