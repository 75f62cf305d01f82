#include "exporter/discovery/tag_order.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace registry_backend {
namespace {

TEST(TagOrder, PutsTheNewestFirst) {
  const std::vector<std::vector<std::string_view>> sorted = {
      {"v202507-1", "v202506-2", "v202506-1", "v202412-10", "v202412-2"},
      {"1.10.0", "1.9.1", "1.9.0", "1.9.0-rc.11", "1.9.0-rc.2", "1.9.0-beta", "0.1"},
      {"v2.0.0", "1.0.1", "v1.0.0"},
      {"latest", "1.0.0", "v202507-1"},
      {"latest", "nightly", "2.0", "202507"},
      {"1.0.0-alpha.1", "1.0.0-alpha", "1.0.0-1"},
      {"sha256-abc.sig", "1.0.0"},
      {},
  };
  for (const std::vector<std::string_view>& expected : sorted) {
    std::vector<std::string_view> tags = expected;
    std::ranges::sort(tags);
    do {
      std::vector<std::string_view> shuffled = tags;
      SortNewestFirst(shuffled);
      ASSERT_EQ(shuffled, expected);
    } while (std::ranges::next_permutation(tags).found);
  }
}

TEST(TagOrder, SurvivesNumbersNoIntegerHolds) {
  std::vector<std::string_view> tags = {"99999999999999999999999", "1.99999999999999999999999", "v",
                                        "1.", "1.0.0-"};
  SortNewestFirst(tags);
  EXPECT_EQ(tags.size(), 5U);
}

}  // namespace
}  // namespace registry_backend
