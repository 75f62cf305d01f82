#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

struct SubprocessOptions {
  std::map<std::string, std::string> env = {};   // set on top of this process's environment
  std::vector<std::string> unset_env = {};       // taken away from it
  std::filesystem::path working_directory = {};  // empty: this process's
  std::string stdin_text = {};                   // standard input: this text, then end of file
  std::filesystem::path stdout_file = {};        // standard output goes there, not to Stdout()
  std::filesystem::path stderr_file = {};        // standard error goes there, not to Stderr()
};

// How a process ended, and what it used: itself and the children it waited for.
struct ExitStatus {
  std::optional<int> code;  // absent: ended by `signal`
  int signal = 0;
  double user_cpu_seconds = 0;
  double system_cpu_seconds = 0;
  long max_rss_kib = 0;

  [[nodiscard]] double cpu_seconds() const { return user_cpu_seconds + system_cpu_seconds; }
  // For messages: "exit code 3" or "signal 9".
  [[nodiscard]] std::string ToString() const;
};

// A running program, leader of a process group of its own. Standard output and error go to files in
// a directory this object owns, so that no full pipe ever blocks it. The destructor kills the whole
// group and reaps. When the test dies, the kernel kills the program (PR_SET_PDEATHSIG; this holds
// for the thread that made the object: make it in one that lives as long as the program shall).
// Thread-compatible: one thread at a time.
class Subprocess {
 public:
  // `argv[0]` without a slash is looked up in PATH. Throws std::system_error when the program
  // cannot be started, with the reason that exec gave.
  explicit Subprocess(const std::vector<std::string>& argv, const SubprocessOptions& options = {});
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // False once it has ended, reaped or not.
  [[nodiscard]] bool Running();
  // To the program alone, not to its group; nothing when it has ended.
  void Signal(int signal);
  // Waits for the end, at most `deadline` from now; nothing when it still runs then. What is left
  // of its process group ends with it. May be asked again, and answers the same.
  [[nodiscard]] std::optional<ExitStatus> Wait(std::chrono::milliseconds deadline);

  // What it has written so far.
  [[nodiscard]] std::string Stdout() const { return ReadFile(output_ / "stdout"); }
  [[nodiscard]] std::string Stderr() const { return ReadFile(output_ / "stderr"); }

 private:
  [[nodiscard]] bool Ended() const;
  void Reap();

  TempDir output_{"registry-backend-process"};
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;  // set when reaped
};

struct RunResult {
  int exit_code = -1;  // 128 + n for signal n; -1 when it was killed at the deadline
  bool timed_out = false;
  std::string out;
  std::string err;
};

// Runs a program to its end; kills it at the deadline. Throws as Subprocess does.
[[nodiscard]] RunResult RunToEnd(const std::vector<std::string>& argv,
                                 const SubprocessOptions& options = {},
                                 std::chrono::milliseconds deadline = std::chrono::seconds(30));

}  // namespace registry_backend::testing
