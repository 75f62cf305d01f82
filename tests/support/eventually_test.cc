#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <chrono>

namespace registry_backend::testing {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST(Eventually, AsksUntilTrue) {
  int asked = 0;
  EXPECT_TRUE(Eventually(milliseconds(10'000), [&] { return ++asked == 4; }));
  EXPECT_EQ(asked, 4);
}

TEST(Eventually, AsksOnceEvenWithoutTime) {
  EXPECT_TRUE(Eventually(milliseconds(0), [] { return true; }));
}

TEST(Eventually, GivesUpAtTheDeadlineAndAsksOnceMoreThere) {
  const auto start = Clock::now();
  bool asked_at_the_end = false;
  EXPECT_FALSE(Eventually(milliseconds(60), [&] {
    asked_at_the_end = Clock::now() - start >= milliseconds(60);
    return false;
  }));
  EXPECT_TRUE(asked_at_the_end);
}

}  // namespace
}  // namespace registry_backend::testing
