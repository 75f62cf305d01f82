#include "exporter/server/basic_auth.h"

#include <crypt.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "exporter/server/rate_limiter.h"
#include "tests/support/eventually.h"

namespace registry_backend::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = PasswordChecker::Verdict;

std::string HashOf(const std::string& password, const std::string& prefix = "$2b$04$") {
  crypt_data data{};
  return crypt_r(password.c_str(), (prefix + "abcdefghijklmnopqrstuu").c_str(), &data);
}

TEST(ReadBasicAuth, ReadsUserAndPassword) {
  const auto read = [](const std::string& field) {
    const auto given = ReadBasicAuth(field);
    return given ? given->user + "|" + given->password : "none";
  };
  EXPECT_EQ(read("Basic YWxpY2U6c2VjcmV0"), "alice|secret");
  EXPECT_EQ(read("bAsIc  YWxpY2U6c2VjcmV0 "), "alice|secret");
  EXPECT_EQ(read("Basic YWxpY2U6YTpi"), "alice|a:b") << "only the first colon parts them";
  EXPECT_EQ(read("Basic Og=="), "|");
  EXPECT_EQ(read("Basic w7w6w7w="), "ü|ü");
  for (const char* field : {"", "Basic", "Basic ", "Bearer YWxpY2U6c2VjcmV0", "Basic YWxpY2U=",
                            "Basic !!!!", "Basic YWxpY2U6c2VjcmV0====", "Basic YWxpY2U6A"}) {
    EXPECT_EQ(read(field), "none") << field;
  }
}

TEST(ReadBasicAuth, ANulIsNoPartOfAPassword) {
  EXPECT_FALSE(ReadBasicAuth("Basic YWxpY2U6c2VjcmV0AGFuZCBtb3Jl"));  // alice:secret\0and more
  EXPECT_FALSE(ReadBasicAuth("Basic AGFsaWNlOnNlY3JldA=="));          // \0alice:secret
}

TEST(FaultOfHash, TakesBcryptOnly) {
  for (const char* prefix : {"$2a$04$", "$2b$10$", "$2y$14$"}) {
    EXPECT_FALSE(FaultOfHash(prefix + std::string(53, 'a'))) << prefix;
  }
  for (const std::string& hash : std::vector<std::string>{
           "", "secret", "$2x$10$" + std::string(53, 'a'), "$1$abc$" + std::string(53, 'a'),
           "$6$rounds=5000$" + std::string(45, 'a'), "$2b$10$" + std::string(52, 'a'),
           "$2b$10$" + std::string(54, 'a'), "$2b$10$" + std::string(52, 'a') + "+",
           "$2b$03$" + std::string(53, 'a'), "$2b$15$" + std::string(53, 'a'),
           "$2b$1a$" + std::string(53, 'a')}) {
    EXPECT_TRUE(FaultOfHash(hash)) << hash;
  }
}

class PasswordCheckerTest : public ::testing::Test {
 protected:
  Verdict Check(const std::string& user, const std::string& password) {
    return checker_.Check(users_, {user, password}, Clock::now() + seconds(20));
  }

  std::map<std::string, std::string> users_ = {{"alice", HashOf("secret")},
                                               {"bob", HashOf("other", "$2y$05$")}};
  PasswordChecker checker_;
};

TEST_F(PasswordCheckerTest, TellsGoodFromBad) {
  EXPECT_EQ(Check("alice", "secret"), Verdict::kGood);
  EXPECT_EQ(Check("bob", "other"), Verdict::kGood);
  for (const auto& [user, password] :
       std::vector<std::pair<std::string, std::string>>{{"alice", "Secret"},
                                                        {"alice", ""},
                                                        {"alice", "secret "},
                                                        {"alice", "other"},
                                                        {"bob", "secret"},
                                                        {"carol", "secret"},
                                                        {"", "secret"},
                                                        {"Alice", "secret"}}) {
    EXPECT_EQ(Check(user, password), Verdict::kBad) << user << ":" << password;
  }
}

TEST_F(PasswordCheckerTest, AnUnknownUserCostsAHashToo) {
  EXPECT_EQ(Check("nobody", "a"), Verdict::kBad);
  EXPECT_EQ(checker_.computed(), 1U);
}

TEST_F(PasswordCheckerTest, AnUnknownUserCostsAsMuchAsTheDearestKnownOne) {
  users_["zoe"] = HashOf("third", "$2b$06$");
  Check("bob", "wrong");
  EXPECT_EQ(checker_.work(), 1U << 5U);
  Check("nobody", "wrong");
  EXPECT_EQ(checker_.work(), (1U << 5U) + (1U << 6U));
}

TEST_F(PasswordCheckerTest, WhoGuessesAtNamesKeepsNobodyWaiting) {
  users_ = {{"alice", HashOf("secret", "$2b$08$")}, {"bob", HashOf("other", "$2b$08$")}};
  std::atomic<bool> over = false;
  std::vector<std::thread> guessers;
  for (int i = 0; i < 40; ++i) {
    guessers.emplace_back([this, &over, i] {
      for (int n = 0; !over; ++n) Check("guess" + std::to_string(i), std::to_string(n));
    });
  }
  EXPECT_TRUE(testing::Eventually(seconds(20), [this] { return checker_.waiting() > 30; }));
  const std::size_t before = checker_.computed();
  EXPECT_EQ(Check("alice", "secret"), Verdict::kGood);
  EXPECT_LE(checker_.computed() - before, 4U) << "it waited for more than the guess under way";
  over = true;
  for (std::thread& guesser : guessers) guesser.join();
}

TEST_F(PasswordCheckerTest, WhenItStopsNobodyWaitsForTheOneThatHashes) {
  users_["slow"] = HashOf("secret", "$2b$13$");  // about half a second
  std::vector<std::thread> clients;
  std::atomic<int> busy = 0;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([this, &busy, i] {
      if (Check("slow", std::to_string(i)) == Verdict::kBusy) ++busy;
    });
  }
  EXPECT_TRUE(testing::Eventually(seconds(20), [this] { return checker_.waiting() == 5; }));
  checker_.Stop();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(busy, 5);
  EXPECT_EQ(checker_.computed(), 1U);
  EXPECT_EQ(Check("alice", "secret"), Verdict::kBusy);
}

TEST_F(PasswordCheckerTest, HashesTheSameOnlyOnce) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Check("alice", "secret"), Verdict::kGood);
    EXPECT_EQ(Check("alice", "wrong"), Verdict::kBad);
  }
  EXPECT_EQ(checker_.computed(), 2U);
}

TEST_F(PasswordCheckerTest, ManyGuessesDoNotPushOutWhatIsGood) {
  ASSERT_EQ(Check("alice", "secret"), Verdict::kGood);
  for (int i = 0; i < 600; ++i) ASSERT_EQ(Check("alice", std::to_string(i)), Verdict::kBad);
  const std::size_t computed = checker_.computed();
  EXPECT_EQ(Check("alice", "secret"), Verdict::kGood);
  EXPECT_EQ(checker_.computed(), computed);
}

TEST_F(PasswordCheckerTest, ANewPasswordEndsTheOldOne) {
  ASSERT_EQ(Check("alice", "secret"), Verdict::kGood);
  users_["alice"] = HashOf("new");
  EXPECT_EQ(Check("alice", "secret"), Verdict::kBad);
  EXPECT_EQ(Check("alice", "new"), Verdict::kGood);
}

TEST_F(PasswordCheckerTest, AUserWhoIsAddedIsKnownFromThenOn) {
  ASSERT_EQ(Check("carol", "secret"), Verdict::kBad);
  users_["carol"] = users_["alice"];
  EXPECT_EQ(Check("carol", "secret"), Verdict::kGood);
}

TEST_F(PasswordCheckerTest, WhoCannotWaitIsTurnedAway) {
  users_["slow"] = HashOf("secret", "$2b$14$");  // about a second
  std::thread slow([&] { EXPECT_EQ(Check("slow", "guess"), Verdict::kBad); });
  // What is asked while the slow one is hashed has no time to wait for it.
  const bool turned_away = testing::Eventually(seconds(10), [&] {
    static int n = 0;
    return checker_.Check(users_, {"alice", std::to_string(++n)},
                          Clock::now() + milliseconds(20)) == Verdict::kBusy;
  });
  EXPECT_TRUE(turned_away);
  slow.join();
}

TEST(RateLimiter, LetsABurstThroughAndThenOneAnInterval) {
  const RateLimit limit{.interval = seconds(1), .burst = 3};
  RateLimiter limiter;
  Time now{};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Allow(limit, now));
  EXPECT_FALSE(limiter.Allow(limit, now));
  EXPECT_FALSE(limiter.Allow(limit, now + milliseconds(900)));
  EXPECT_TRUE(limiter.Allow(limit, now + milliseconds(1100)));
  EXPECT_FALSE(limiter.Allow(limit, now + milliseconds(1200)));
  now += seconds(60);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Allow(limit, now));
  EXPECT_FALSE(limiter.Allow(limit, now));
}

TEST(RateLimiter, WithoutAnIntervalThereIsNoneAndWithoutABurstNothingPasses) {
  RateLimiter limiter;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limiter.Allow({}, Time{}));
  EXPECT_FALSE(limiter.Allow({.interval = seconds(1)}, Time{}));
  EXPECT_FALSE(limiter.Allow({.interval = seconds(1)}, Time{} + seconds(10)));
}

}  // namespace
}  // namespace registry_backend::server
