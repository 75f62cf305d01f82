// A thousand targets over four processes, as a user sees them.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/integration/exporter_process.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using testing::ExporterProcess;

constexpr int kTargets = 1000;
constexpr int kShards = 4;

TEST(Shards, EachOfAThousandTargetsIsScannedByExactlyOneProcess) {
  const testing::TempDir directory;
  std::string config = "targets:\n  - registry: http://127.0.0.1:1\n    repositories:\n";
  for (int i = 0; i < kTargets; ++i) config += "      - team/app-" + std::to_string(i) + "\n";
  testing::WriteFile(directory / "config.yml", config);
  std::map<std::string, int> times;
  for (int shard = 0; shard < kShards; ++shard) {
    const ExporterProcess exporter(
        REGISTRY_BACKEND_EXPORTER, directory / "config.yml",
        {"--storage.path", (directory / std::to_string(shard)).string(), "--shard.index",
         std::to_string(shard), "--shard.total", std::to_string(kShards)});
    int own = 0;
    for (const testing::Sample& sample : exporter.Metrics()) {
      if (sample.name != "registry_backend_target_info") continue;
      ++times[sample.labels.at("repository")];
      ++own;
    }
    EXPECT_GT(own, 200) << shard;
  }
  EXPECT_EQ(times.size(), static_cast<std::size_t>(kTargets));
  for (const auto& [repository, count] : times) EXPECT_EQ(count, 1) << repository;
}

TEST(Shards, OneThatIsNotThereIsAMistake) {
  const auto run = testing::RunExporter(REGISTRY_BACKEND_EXPORTER,
                                        {"serve", "--shard.index", "2", "--shard.total", "2"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("--shard.index is 2, which is not below --shard.total, 2"),
            std::string::npos)
      << run.err;
}

}  // namespace
}  // namespace registry_backend
