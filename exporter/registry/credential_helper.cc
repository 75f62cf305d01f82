#include "exporter/registry/credential_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "exporter/registry/json.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::string_view kNotFound = "credentials not found in native keychain";
constexpr std::string_view kTokenUser = "<token>";
constexpr std::size_t kMaxAnswerBytes = std::size_t{64} * 1024;

// How long a wait goes on before the helper's end, the deadline and the stop are looked at again.
constexpr std::chrono::milliseconds kGlance{20};

// Makes errors that name one helper.
class Failures {
 public:
  explicit Failures(std::string_view helper) : helper_(Printable(helper, 64)) {}

  [[nodiscard]] Error operator()(std::string_view why) const {
    return {ErrorKind::kCredentials, "credential helper '" + helper_ + "': " + std::string(why)};
  }
  [[nodiscard]] Error Cancelled() const {
    return {ErrorKind::kCancelled, "credential helper '" + helper_ + "': called off"};
  }

 private:
  std::string helper_;
};

// The name becomes a part of a program's: it must not lead to another directory.
bool IsHelperName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  [[nodiscard]] int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

std::optional<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// A pipe that holds `text` already and nothing more. So the helper may read it or not: nobody waits
// for it, and no signal comes of a pipe that it has closed.
std::optional<FileDescriptor> MakeInput(std::string_view text) {
  std::optional<Pipe> pipe = MakePipe();
  if (!pipe) return std::nullopt;
  if (text.size() > PIPE_BUF) {  // what certainly fits
    errno = E2BIG;
    return std::nullopt;
  }
  const ssize_t written = ::write(pipe->write_end.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) return std::nullopt;
  return std::move(pipe->read_end);
}

// What the child does before it becomes the helper. The first call that fails is remembered.
class SpawnActions {
 public:
  SpawnActions() : fault_(::posix_spawn_file_actions_init(&actions_)) {}
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  void Connect(int input, int output) {
    Note(::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO));
    Note(::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO));
    Note(::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0));
    // Sockets and locks of ours are no business of the helper.
    Note(::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1));
  }

  [[nodiscard]] int fault() const { return fault_; }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  void Note(int fault) {
    if (fault_ == 0) fault_ = fault;
  }

  posix_spawn_file_actions_t actions_{};
  int fault_;
};

// A group of its own, so that its children can be ended with it; signals as a shell would leave
// them: this program's threads block some and it may ignore SIGPIPE, which exec hands on.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;

  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

// A running helper, the leader of its process group; what is left of the group dies with this.
class Process {
 public:
  explicit Process(pid_t pid) : pid_(pid) {}
  ~Process() { End(); }
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&&) = delete;

  [[nodiscard]] bool Ended() const {
    // WNOWAIT leaves the zombie, and with it the group's number in our hands, until End().
    siginfo_t info{};
    const int fault = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return fault != 0 || info.si_pid == pid_;
  }

  // Kills and reaps; the helper's own wait status, or nothing where the system has lost it.
  std::optional<int> End() {
    std::optional<int> own;
    if (pid_ < 0) return own;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);  // it may have gone over to another group
    // The whole group: process 1 of a container inherits the children that the helper leaves.
    while (const std::optional<Reaped> reaped = Reap(-pid_)) {
      if (reaped->pid == pid_) own = reaped->status;
    }
    if (!own) {
      if (const std::optional<Reaped> reaped = Reap(pid_)) own = reaped->status;
    }
    pid_ = -1;
    return own;
  }

 private:
  struct Reaped {
    pid_t pid;
    int status;
  };

  // Waits for a child that `which` names, as waitpid(2) reads it; nothing where there is none.
  static std::optional<Reaped> Reap(pid_t which) {
    Reaped reaped{};
    do {
      reaped.pid = ::waitpid(which, &reaped.status, 0);
    } while (reaped.pid < 0 && errno == EINTR);
    return reaped.pid > 0 ? std::optional(reaped) : std::nullopt;
  }

  pid_t pid_;
};

std::string SystemText(int fault) { return std::strerror(fault); }

Result<Process> Start(const std::string& helper, int input, int output, const Failures& failure) {
  SpawnActions actions;
  actions.Connect(input, output);
  if (actions.fault() != 0) return failure("cannot start it: " + SystemText(actions.fault()));
  const SpawnAttributes attributes;
  std::string program = "docker-credential-" + helper;
  char get[] = "get";
  char* const arguments[] = {program.data(), get, nullptr};
  pid_t pid = -1;
  const int fault =
      ::posix_spawnp(&pid, program.c_str(), actions.get(), attributes.get(), arguments, environ);
  if (fault == ENOENT) return failure(program + " was not found in PATH");
  if (fault != 0) return failure("cannot start it: " + SystemText(fault));
  return Process(pid);
}

// Waits for bytes at most `wait` and appends them. Returns their number, 0 at the end of the file,
// -1 when there are none yet. Without a file it only waits.
ssize_t ReadSome(int fd, std::chrono::milliseconds wait, std::string& text) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, static_cast<int>(wait.count())) <= 0) return -1;
  char buffer[4096];
  const ssize_t count = ::read(fd, buffer, sizeof buffer);
  if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
  return count;
}

// All that the helper writes until it ends. Its end counts, not that of its output, which a child
// that it leaves behind may hold open for ever.
Result<std::string> ReadAnswer(const Process& process, FileDescriptor output,
                               const std::stop_token& stop, Duration timeout,
                               const Failures& failure) {
  const Time deadline = Clock::now() + timeout;
  std::string answer;
  while (true) {
    if (stop.stop_requested()) return failure.Cancelled();
    if (Clock::now() >= deadline) {
      return failure("it was killed, as it had not answered within " + FormatDuration(timeout));
    }
    // Asked before reading: whatever it wrote is in the pipe by then.
    const bool ended = process.Ended();
    const ssize_t count =
        ReadSome(output.get(), ended ? std::chrono::milliseconds(0) : kGlance, answer);
    if (answer.size() > kMaxAnswerBytes) return failure("its answer is larger than 64 KiB");
    if (ended && count <= 0) return answer;
    if (count == 0) output.Close();
  }
}

std::string DescribeEnd(int status) {
  if (WIFSIGNALED(status)) return "it was ended by signal " + std::to_string(WTERMSIG(status));
  return "it ended with exit status " + std::to_string(WEXITSTATUS(status));
}

Result<Credentials> ReadCredentialsFrom(std::string_view answer, const Failures& failure) {
  const nlohmann::json json = ParseJson(answer);
  if (!json.is_object()) return failure("its answer is no JSON object");
  for (const char* name : {"Username", "Secret"}) {
    const auto member = json.find(name);
    if (member == json.end() || !member->is_string()) {
      return failure("its answer has no text for " + std::string(name));
    }
  }
  std::string username = TextMember(json, "Username");
  std::string secret = TextMember(json, "Secret");
  Credentials credentials;
  if (username == kTokenUser) {
    credentials.identity_token = std::move(secret);
  } else {
    credentials.username = std::move(username);
    credentials.password = std::move(secret);
  }
  return credentials;
}

Result<Credentials> Judge(std::optional<int> status, std::string_view answer,
                          const Failures& failure) {
  if (!status) return failure("how it ended is not known");
  if (*status == 0) return ReadCredentialsFrom(answer, failure);
  if (WIFEXITED(*status) && Trim(answer) == kNotFound) return Credentials{};
  return failure(DescribeEnd(*status));
}

}  // namespace

Result<Credentials> AskCredentialHelper(const HelperQuestion& question, const std::stop_token& stop,
                                        Duration timeout) {
  const Failures failure(question.helper);
  if (!IsHelperName(question.helper)) {
    return failure("its name may only have letters, digits, '.', '_' and '-'");
  }
  if (stop.stop_requested()) return failure.Cancelled();
  std::optional<FileDescriptor> input = MakeInput(question.server + "\n");
  std::optional<Pipe> output = input ? MakePipe() : std::nullopt;
  if (!output) return failure("cannot make a pipe to it: " + SystemText(errno));
  Result<Process> process = Start(question.helper, input->get(), output->write_end.get(), failure);
  if (!process) return process.error();
  output->write_end.Close();  // or its end would never be seen
  const Result<std::string> answer =
      ReadAnswer(*process, std::move(output->read_end), stop, timeout, failure);
  if (!answer) return answer.error();
  return Judge(process->End(), *answer, failure);
}

}  // namespace registry_backend
