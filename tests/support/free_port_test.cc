#include "tests/support/free_port.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

namespace registry_backend::testing {
namespace {

TEST(FreePort, LiesBelowTheRangeOfOutgoingConnections) {
  const int port = FreePort();
  EXPECT_GE(port, 12000);
  EXPECT_LT(port, 32000);
}

TEST(WithFreePort, TriesAnotherPortAfterAClash) {
  std::set<std::uint16_t> tried;
  const std::optional<int> answer = WithFreePort([&](std::uint16_t port) -> std::optional<int> {
    tried.insert(port);
    if (tried.size() < 3) return std::nullopt;
    return 7;
  });
  EXPECT_EQ(answer, 7);
  EXPECT_EQ(tried.size(), 3U);
}

TEST(WithFreePort, GivesUpAfterTheAttempts) {
  int calls = 0;
  const auto clash = [&](std::uint16_t) {
    ++calls;
    return std::unique_ptr<int>();
  };
  EXPECT_THROW((void)WithFreePort(clash, 2), std::runtime_error);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace registry_backend::testing
