#include <gtest/gtest.h>

#include <fstream>

#include "exporter/config/config.h"

namespace registry_backend {
namespace {

// The first indented block of a Markdown file, without its indentation.
std::string FirstBlock(const std::string& path) {
  std::ifstream file(path);
  std::string block;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("    ")) {
      block += line.substr(4) + "\n";
    } else if (!block.empty() && !line.empty()) {
      break;
    }
  }
  return block;
}

TEST(ConfigDocumentation, ItsExampleIsValidAndShowsTheDefaults) {
  const std::string example = FirstBlock(REGISTRY_BACKEND_SOURCE_DIR "/docs/configuration.md");
  const Result<Config> config = ParseConfig(example, "configuration.md");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->warnings.empty());
  const TargetOptions& shown = config->targets.at(0);
  const ScanOptions scan;
  EXPECT_EQ(shown.scan.timeout, scan.timeout);
  EXPECT_EQ(shown.scan.max_concurrency, scan.max_concurrency);
  EXPECT_EQ(shown.scan.max_requests_per_second, scan.max_requests_per_second);
  EXPECT_EQ(shown.scan.newest_tags, scan.newest_tags);
  EXPECT_EQ(shown.scan.platforms, scan.platforms);
  EXPECT_EQ(shown.inventory.selection, InventoryOptions().selection);
  EXPECT_EQ(shown.inventory.absent_after, InventoryOptions().absent_after);
  EXPECT_EQ(shown.inventory.forget_after, InventoryOptions().forget_after);
  EXPECT_EQ(shown.inventory.max_endpoints, InventoryOptions().max_endpoints);
  EXPECT_EQ(shown.schedule.retry_interval, ScheduleOptions().retry_interval);
  EXPECT_EQ(*shown.registry.connection, ConnectionOptions());
}

}  // namespace
}  // namespace registry_backend
