#include "exporter/server/line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"

namespace registry_backend::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Eventually;

// A line of one place, and threads that write down who they are when they have it.
class LineTest : public ::testing::Test {
 protected:
  ~LineTest() override {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  // Stands behind all that came before.
  void Come(const std::string& name, const std::string& lane) {
    const std::size_t before = line_.waiting();
    threads_.emplace_back([this, name, lane] {
      Line::Turn turn(line_);
      if (!turn.Await(lane, Clock::now() + seconds(20))) return;
      order_.push_back(name);  // one at a time
    });
    ASSERT_TRUE(Eventually(seconds(20), [&] { return line_.waiting() > before; }));
  }

  std::vector<std::string> Order() {
    for (std::thread& thread : threads_) thread.join();
    return order_;
  }

  Line line_{1};
  std::vector<std::thread> threads_;
  std::vector<std::string> order_;
};

TEST_F(LineTest, WhoComesFirstIsFirst) {
  {
    Line::Turn first(line_);
    ASSERT_TRUE(first.Await("", Clock::now()));
    for (const char* name : {"a", "b", "c", "d"}) Come(name, "");
  }
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(LineTest, LanesTakeTurns) {
  {
    Line::Turn first(line_);
    ASSERT_TRUE(first.Await("crowd", Clock::now()));
    for (const char* name : {"a", "b", "c"}) Come(name, "crowd");
    Come("d", "other");
    Come("e", "third");
    Come("f", "other");
  }
  EXPECT_THAT(Order(), ElementsAre("d", "e", "a", "f", "b", "c"));
}

TEST_F(LineTest, WhoHasNoPlaceInTimeGoes) {
  Line::Turn first(line_);
  ASSERT_TRUE(first.Await("", Clock::now()));
  Line::Turn late(line_);
  EXPECT_FALSE(late.Await("", Clock::now() + milliseconds(1)));
  EXPECT_EQ(line_.waiting(), 0U);
}

TEST_F(LineTest, WhoIsCancelledWaitsNoLonger) {
  Line::Turn first(line_);
  ASSERT_TRUE(first.Await("", Clock::now()));
  Line::Turn early(line_);
  early.Cancel();
  EXPECT_FALSE(early.Await("", Clock::now() + seconds(20)));
  Line::Turn turn(line_);
  std::thread other([&] { EXPECT_FALSE(turn.Await("", Clock::now() + seconds(20))); });
  ASSERT_TRUE(Eventually(seconds(20), [&] { return line_.waiting() == 1; }));
  const Time begun = Clock::now();
  turn.Cancel();
  other.join();
  EXPECT_LT(Clock::now() - begun, seconds(5));
}

TEST_F(LineTest, WhenItIsClosedNobodyWaits) {
  Line::Turn first(line_);
  ASSERT_TRUE(first.Await("", Clock::now()));
  Come("a", "");
  const Time begun = Clock::now();
  line_.Close();
  EXPECT_THAT(Order(), ElementsAre());
  threads_.clear();
  Line::Turn late(line_);
  EXPECT_FALSE(late.Await("", Clock::now() + seconds(20)));
  EXPECT_LT(Clock::now() - begun, seconds(5));
}

}  // namespace
}  // namespace registry_backend::server
