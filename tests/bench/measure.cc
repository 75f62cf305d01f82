#include "tests/bench/measure.h"

#include <malloc.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "tests/integration/server_process.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Blocks: asking again and again would make the run longer by half of the pause. No program that is
// measured can hang: each has deadlines of its own.
void AwaitEnd(pid_t pid) {
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT);
}

// Of one that has ended, well.
ExitStatus EndOf(Subprocess& process, const std::vector<std::string>& command) {
  const auto status = process.Wait(1s);
  if (!status || status->code != 0) {
    throw std::runtime_error(command[0] + ": " + process.Stdout() + process.Stderr());
  }
  return *status;
}

std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace

Cost CostOf(const std::vector<std::string>& command) {
  // A program's peak is never below what its parent has at the fork.
  ::malloc_trim(0);
  const Clock::time_point start = Clock::now();
  Subprocess process(command, HermeticOptions());
  AwaitEnd(process.pid());
  const std::chrono::duration<double> wall = Clock::now() - start;
  const ExitStatus status = EndOf(process, command);
  return {.wall_s = wall.count(),
          .cpu_s = status.cpu_seconds(),
          .peak_mib = static_cast<double>(status.max_rss_kib) / 1024};
}

double InstructionsOf(std::vector<std::string> command) {
  const std::vector<std::string> valgrind = {"valgrind", "--tool=cachegrind", "--cache-sim=no",
                                             "--cachegrind-out-file=/dev/null"};
  command.insert(command.begin(), valgrind.begin(), valgrind.end());
  Subprocess process(command, HermeticOptions());
  AwaitEnd(process.pid());
  (void)EndOf(process, command);
  std::string text = process.Stderr();  // `==4711== I   refs:      318,224,972`
  const std::size_t found = text.find("refs:");
  if (found == std::string::npos) throw std::runtime_error("valgrind counts nothing: " + text);
  text.erase(0, found + 5);
  text.erase(text.find('\n'));
  std::erase(text, ',');
  return std::stod(text);
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Cost Median(const std::vector<Cost>& costs) {
  const auto of = [&costs](double Cost::*member) {
    std::vector<double> values;
    for (const Cost& cost : costs) values.push_back(cost.*member);
    return Median(std::move(values));
  };
  return {.requests = of(&Cost::requests),
          .wall_s = of(&Cost::wall_s),
          .cpu_s = of(&Cost::cpu_s),
          .peak_mib = of(&Cost::peak_mib)};
}

std::string Spread(const std::vector<double>& values, int digits) {
  const std::string median = Fixed(Median(values), digits);
  if (values.size() == 1) return median;
  const auto [least, most] = std::ranges::minmax(values);
  return median + " (" + Fixed(least, digits) + "–" + Fixed(most, digits) + ")";
}

double CpuSecondsOf(pid_t pid) {
  double nanoseconds = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    double on_cpu = 0;
    if (std::ifstream(task.path() / "schedstat") >> on_cpu) nanoseconds += on_cpu;
  }
  return nanoseconds / 1e9;
}

double MemoryOf(pid_t pid, const std::string& key) {
  const std::string status = ReadFile("/proc/" + std::to_string(pid) + "/status");
  return std::stod(status.substr(status.find(key + ":") + key.size() + 1)) * 1024;
}

int NumberArgument(int argc, char** argv, int position, int absent, const std::string& usage) {
  if (argc <= position) return absent;
  int number = 0;
  const std::string_view text = argv[position];
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (argc > position + 1 || number < 1) throw std::runtime_error("usage: " + usage);
  return number;
}

int BenchMain(const char* name, void (*run)(int, char**), int argc, char** argv) {
  try {
    run(argc, argv);
    return 0;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "%s: %s\n", name, fault.what());
    return 1;
  }
}

}  // namespace registry_backend::testing
