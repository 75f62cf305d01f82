#include "exporter/monitor/shard.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace registry_backend {
namespace {

std::vector<TargetOptions> Targets(int count) {
  std::vector<TargetOptions> targets;
  for (int i = 0; i < count; ++i) {
    const std::string registry = "https://r" + std::to_string(i % 7) + ".example";
    targets.push_back(
        {.name = "t", .registry = {*Url::Parse(registry), "team/app-" + std::to_string(i), {}}});
  }
  return targets;
}

TEST(Shard, EachTargetIsOfExactlyOneAndTheyShareFairly) {
  std::map<std::uint32_t, int> sizes;
  for (const TargetOptions& target : Targets(1000)) {
    const std::uint32_t shard = ShardOf(target, 4);
    ASSERT_LT(shard, 4U);
    ++sizes[shard];
  }
  ASSERT_EQ(sizes.size(), 4U);
  for (const auto& [shard, size] : sizes) {
    EXPECT_GT(size, 200) << shard;
    EXPECT_LT(size, 300) << shard;
  }
}

TEST(Shard, OneShardMoreMovesOnlyWhatItGets) {
  int moved = 0;
  for (const TargetOptions& target : Targets(1000)) {
    const std::uint32_t before = ShardOf(target, 4);
    const std::uint32_t after = ShardOf(target, 5);
    if (before == after) continue;
    EXPECT_EQ(after, 4U);
    ++moved;
  }
  EXPECT_GT(moved, 150);
  EXPECT_LT(moved, 250);
}

TEST(Shard, IsToldByRegistryAndRepositoryAlone) {
  TargetOptions target = Targets(1)[0];
  const std::uint32_t shard = ShardOf(target, 1000);
  EXPECT_EQ(shard, 224U) << "the same in every version: what moves loses its history";
  target.name = "another";
  target.team = "t";
  target.registry.token_realms.push_back(*Url::Parse("https://auth.example"));
  EXPECT_EQ(ShardOf(target, 1000), shard);
  EXPECT_EQ(ShardOf(target, 1), 0U);
}

}  // namespace
}  // namespace registry_backend
