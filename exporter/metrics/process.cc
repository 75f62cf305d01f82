#include "exporter/metrics/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>

namespace registry_backend {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily One(std::string name, std::string help, MetricType type, double value) {
  MetricFamily family{std::move(name), std::move(help), type, {prometheus::ClientMetric{}}};
  if (type == MetricType::Counter) {
    family.metric[0].counter.value = value;
  } else {
    family.metric[0].gauge.value = value;
  }
  return family;
}

double Limit(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<double>::infinity();
  }
  return static_cast<double>(limit.rlim_cur);
}

// The fields of /proc/self/stat that follow the program's name (proc(5)); that name may itself hold
// blanks and brackets.
struct Stat {
  double cpu_ticks = 0;
  double start_ticks = 0;
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<Stat> ReadStat(const std::string& proc) {
  std::ifstream file(proc + "/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(bracket + 1));
  std::string skipped;
  const auto skip = [&](int count) {
    while (count-- > 0) fields >> skipped;
  };
  Stat stat;
  double user = 0;
  double system = 0;
  skip(11);  // state (3) … cmajflt (13)
  fields >> user >> system;
  skip(6);  // cutime (16) … itrealvalue (21)
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  stat.cpu_ticks = user + system;
  return fields ? std::optional(stat) : std::nullopt;
}

std::optional<double> ReadBootTime(const std::string& proc) {
  std::ifstream file(proc + "/stat");
  std::string word;
  double seconds = 0;
  while (file >> word) {
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> CountOpenFiles(const std::string& proc) {
  std::error_code fault;
  double count = 0;
  for (std::filesystem::directory_iterator entry(proc + "/self/fd", fault), end;
       !fault && entry != end; entry.increment(fault)) {
    ++count;
  }
  if (fault) return std::nullopt;
  return count - 1;  // the directory itself, while it is read
}

}  // namespace

std::vector<MetricFamily> ProcessFamilies(const std::string& proc) {
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::vector<MetricFamily> families;
  if (const auto stat = ReadStat(proc)) {
    families.push_back(One("process_cpu_seconds_total",
                           "Total user and system CPU time spent in seconds.", MetricType::Counter,
                           stat->cpu_ticks / ticks));
    families.push_back(One("process_resident_memory_bytes", "Resident memory size in bytes.",
                           MetricType::Gauge,
                           stat->resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE))));
    families.push_back(One("process_virtual_memory_bytes", "Virtual memory size in bytes.",
                           MetricType::Gauge, stat->virtual_bytes));
    if (const auto boot = ReadBootTime(proc)) {
      families.push_back(One("process_start_time_seconds",
                             "Start time of the process since unix epoch in seconds.",
                             MetricType::Gauge, *boot + stat->start_ticks / ticks));
    }
  }
  families.push_back(One("process_virtual_memory_max_bytes",
                         "Maximum amount of virtual memory available in bytes.", MetricType::Gauge,
                         Limit(RLIMIT_AS)));
  if (const auto open_files = CountOpenFiles(proc)) {
    families.push_back(One("process_open_fds", "Number of open file descriptors.",
                           MetricType::Gauge, *open_files));
  }
  families.push_back(One("process_max_fds", "Maximum number of open file descriptors.",
                         MetricType::Gauge, Limit(RLIMIT_NOFILE)));
  return families;
}

}  // namespace registry_backend
