#include "exporter/metrics/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using ::testing::ElementsAre;
using ::testing::Key;
using testing::TempDir;
using testing::WriteFile;

// proc(5): after the name 50 fields, of which these count: utime 250, stime 50, starttime 12300,
// vsize 1048576, rss 64.
constexpr std::string_view kAfterName =
    " S 1 2 3 4 5 6 7 8 9 10 250 50 9000 9000 20 0 7 0 12300 1048576 64 18446744073709551615 1 1 0";

std::map<std::string, double> Values(const std::vector<MetricFamily>& families) {
  std::map<std::string, double> values;
  for (const MetricFamily& family : families) {
    EXPECT_EQ(family.metric.size(), 1U) << family.name;
    EXPECT_FALSE(family.help.empty()) << family.name;
    const bool counter = family.type == MetricType::Counter;
    EXPECT_EQ(counter, family.name.ends_with("_total")) << family.name;
    values[family.name] = counter ? family.metric[0].counter.value : family.metric[0].gauge.value;
  }
  return values;
}

double Ticks() { return static_cast<double>(sysconf(_SC_CLK_TCK)); }

class ProcessTest : public ::testing::Test {
 protected:
  void WriteAll(const std::string& program) {
    WriteFile(proc_ / "self/stat", "4711 (" + program + ")" + std::string(kAfterName) + "\n");
    WriteFile(proc_ / "stat", "cpu  1 2 3 4\nintr 5 6\nctxt 7\nbtime 1795420800\nprocesses 8\n");
    for (const std::string_view fd : {"0", "1", "2", "7"}) {
      WriteFile(proc_ / ("self/fd/" + std::string(fd)), "");
    }
  }

  std::map<std::string, double> Read() { return Values(ProcessFamilies(proc_.path().string())); }

  TempDir proc_;
};

TEST_F(ProcessTest, ReadsThisProcess) {
  const auto values = Values(ProcessFamilies());
  ASSERT_THAT(
      values,
      ElementsAre(Key("process_cpu_seconds_total"), Key("process_max_fds"), Key("process_open_fds"),
                  Key("process_resident_memory_bytes"), Key("process_start_time_seconds"),
                  Key("process_virtual_memory_bytes"), Key("process_virtual_memory_max_bytes")));
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_GE(values.at("process_cpu_seconds_total"), 0);
  EXPECT_LT(values.at("process_cpu_seconds_total"), 3600);
  EXPECT_GT(values.at("process_resident_memory_bytes"), 1e5);
  EXPECT_GT(values.at("process_virtual_memory_bytes"), values.at("process_resident_memory_bytes"));
  EXPECT_GE(values.at("process_virtual_memory_max_bytes"),
            values.at("process_virtual_memory_bytes"));
  EXPECT_GT(values.at("process_start_time_seconds"), now - 3600);
  EXPECT_LT(values.at("process_start_time_seconds"), now + 2);  // btime is cut to a second
  EXPECT_GE(values.at("process_open_fds"), 3);
  EXPECT_GE(values.at("process_max_fds"), values.at("process_open_fds"));
}

TEST_F(ProcessTest, CountsEachOpenFileOnce) {
  const double before = Values(ProcessFamilies()).at("process_open_fds");
  const int more[] = {dup(STDERR_FILENO), dup(STDERR_FILENO), dup(STDERR_FILENO)};
  const double with_more = Values(ProcessFamilies()).at("process_open_fds");
  for (const int fd : more) close(fd);
  EXPECT_EQ(with_more, before + 3);
}

TEST_F(ProcessTest, ReadsThePartsOfProc) {
  for (const std::string program : {"exporter", "a b", "a) R 1 (b", "((", "))", ""}) {
    WriteAll(program);
    const auto values = Read();
    EXPECT_EQ(values.size(), 7U) << program;
    EXPECT_EQ(values.at("process_cpu_seconds_total"), 300 / Ticks()) << program;
    EXPECT_EQ(values.at("process_resident_memory_bytes"),
              64 * static_cast<double>(sysconf(_SC_PAGESIZE)));
    EXPECT_EQ(values.at("process_virtual_memory_bytes"), 1'048'576);
    EXPECT_EQ(values.at("process_start_time_seconds"), 1'795'420'800 + 12'300 / Ticks());
    EXPECT_EQ(values.at("process_open_fds"), 3) << "one is the folder being read";
  }
}

TEST_F(ProcessTest, LeavesOutWhatItCannotRead) {
  const auto limits = ElementsAre(Key("process_max_fds"), Key("process_virtual_memory_max_bytes"));
  EXPECT_THAT(Read(), limits);

  for (const std::string_view broken : {"", "\n", "4711 exporter S 1 2", "4711 (x) S 1 2 3",
                                        "4711 (x) S 1 2 3 4 5 6 7 8 9 10 x y"}) {
    WriteFile(proc_ / "self/stat", broken);
    EXPECT_THAT(Read(), limits) << broken;
  }

  WriteAll("exporter");
  WriteFile(proc_ / "stat", "cpu 1 2\n");
  EXPECT_FALSE(Read().contains("process_start_time_seconds"));
  EXPECT_EQ(Read().size(), 6U);

  std::filesystem::remove_all(proc_ / "self/fd");
  EXPECT_FALSE(Read().contains("process_open_fds"));
  EXPECT_EQ(Read().size(), 5U);
}

}  // namespace
}  // namespace registry_backend
