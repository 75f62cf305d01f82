#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "exporter/config/config.h"
#include "tests/support/markdown.h"

namespace registry_backend {
namespace {

const std::string kDocument = REGISTRY_BACKEND_SOURCE_DIR "/docs/configuration.md";

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
  const std::string example = FirstBlock(kDocument);
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

std::set<std::string> Words(const std::string& text) {
  const std::regex word("[a-z_]+");
  return {std::sregex_token_iterator(text.begin(), text.end(), word), {}};
}

// The keys that a mapping may have, by what is said of one that it may not have. `file` has that
// key, `wrong`.
std::set<std::string> KeysThatMayBe(const std::string& file) {
  const Result<Config> config = ParseConfig(file, "c.yml");
  const std::string message = config ? "" : config.error().message;
  const std::string before = "expected one of ";
  const std::size_t list = message.find(before);
  EXPECT_NE(list, std::string::npos) << file << message;
  return list == std::string::npos ? std::set<std::string>()
                                   : Words(message.substr(list + before.size()));
}

// By the mapping that they are in.
std::map<std::string, std::set<std::string>> AllKeys() {
  const std::string target = "targets: [{registry: r.example, repository: a, ";
  std::map<std::string, std::set<std::string>> keys = {
      {"the file", KeysThatMayBe("wrong: 1")},
      {"scan", KeysThatMayBe("scan: {wrong: 1}")},
      {"scan.tags", KeysThatMayBe("scan: {tags: {wrong: 1}}")},
      {"policy", KeysThatMayBe("policy: {wrong: 1}")},
      {"metrics", KeysThatMayBe("metrics: {wrong: 1}")},
      {"targets", KeysThatMayBe(target + "wrong: 1}]")},
  };
  for (const std::string mapping :
       {"basic_auth", "authorization", "tls_config", "scan", "policy"}) {
    keys["targets." + mapping] = KeysThatMayBe(target + mapping + ": {wrong: 1}}]");
  }
  return keys;
}

TEST(ConfigDocumentation, HasEachKey) {
  const std::string document = testing::ReadDocument(kDocument);
  std::set<std::string> documented;
  for (const std::string& span : testing::CodeSpans(document)) documented.merge(Words(span));
  for (const std::string& line : testing::CodeLines(document)) documented.merge(Words(line));
  std::size_t count = 0;
  for (const auto& [mapping, keys] : AllKeys()) {
    for (const std::string& key : keys) {
      EXPECT_TRUE(documented.contains(key))
          << "docs/configuration.md lacks " << key << " of " << mapping;
    }
    count += keys.size();
  }
  EXPECT_GT(count, 50U);
}

TEST(ConfigDocumentation, ExplainsNoKeyThatThereIsNot) {
  std::set<std::string> known;
  for (const auto& [mapping, keys] : AllKeys()) known.insert(keys.begin(), keys.end());
  const auto rows = testing::TableRows(testing::ReadDocument(kDocument), "| key | what it is |");
  EXPECT_GT(rows.size(), 10U);
  std::set<std::string> explained;
  for (const auto& row : rows) {
    for (const std::string& path : testing::CodeSpans(row.at(0))) {
      for (const std::string& key : Words(path)) EXPECT_TRUE(known.contains(key)) << path;
      EXPECT_TRUE(explained.insert(path).second) << path << " is explained twice";
    }
  }
}

}  // namespace
}  // namespace registry_backend
