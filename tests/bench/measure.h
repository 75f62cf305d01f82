#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

// What the benches have in common: what a program costs, and figures of several runs.
namespace registry_backend::testing {

inline constexpr double kMiB = 1024 * 1024;

// What a program used, from its start to its end.
struct Cost {
  double requests = 0;
  double wall_s = 0;
  double cpu_s = 0;     // its children's included
  double peak_mib = 0;  // 0: not known

  [[nodiscard]] double cpu_us_each() const { return cpu_s / requests * 1e6; }
};

// Runs a program to its end. Requests are left to the caller. Throws std::runtime_error where it
// does not end with 0.
[[nodiscard]] Cost CostOf(const std::vector<std::string>& command);

// The instructions that a program and its libraries run outside of the kernel, counted by valgrind,
// which makes it some twenty times slower. The same on a busy machine. Throws likewise.
[[nodiscard]] double InstructionsOf(std::vector<std::string> command);

// Of the middle one of an odd number of values.
[[nodiscard]] double Median(std::vector<double> values);
[[nodiscard]] Cost Median(const std::vector<Cost>& costs);

// `4.05 (3.98–4.11)`: the median, the least and the most. One value is shown alone.
[[nodiscard]] std::string Spread(const std::vector<double>& values, int digits);

// A running process, by /proc.
[[nodiscard]] double CpuSecondsOf(pid_t pid);  // of all its threads that still run
// Bytes: `VmRSS`, `VmHWM`.
[[nodiscard]] double MemoryOf(pid_t pid, const std::string& key);

// argv[position], the last one, a number of at least 1, or `absent`. Throws std::runtime_error with
// `usage`.
[[nodiscard]] int NumberArgument(int argc, char** argv, int position, int absent,
                                 const std::string& usage);

// Runs a bench, and says on standard error why it fails.
int BenchMain(const char* name, void (*run)(int, char**), int argc, char** argv);

}  // namespace registry_backend::testing
