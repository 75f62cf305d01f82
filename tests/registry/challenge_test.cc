#include "exporter/registry/challenge.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

TEST(Challenge, ReadsABearerChallenge) {
  const auto challenges = ParseChallenges(
      {R"(Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push")"});
  ASSERT_EQ(challenges.size(), 1U);
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_EQ(challenges[0].Get("realm"), "https://auth.example/token");
  EXPECT_EQ(challenges[0].Get("service"), "registry.example");
  EXPECT_EQ(challenges[0].Get("scope"), "repository:a/b:pull,push");
  EXPECT_EQ(challenges[0].Get("error"), "");
}

TEST(Challenge, ReadsSeveralInOneFieldAndInSeveral) {
  const auto challenges =
      ParseChallenges({R"(Negotiate, NTLM dG9rZW42OA==, basic realm="a, \"b\"" , BEARER Realm = x)",
                       "Basic realm=c"});
  ASSERT_EQ(challenges.size(), 5U);
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_EQ(challenges[1].scheme, "ntlm");
  EXPECT_TRUE(challenges[1].parameters.empty());
  EXPECT_EQ(challenges[2].scheme, "basic");
  EXPECT_EQ(challenges[2].Get("realm"), "a, \"b\"");
  EXPECT_EQ(challenges[3].scheme, "bearer");
  EXPECT_EQ(challenges[3].Get("realm"), "x");
  EXPECT_EQ(challenges[4].Get("realm"), "c");
}

TEST(Challenge, SurvivesWhatIsMalformed) {
  EXPECT_TRUE(ParseChallenges({}).empty());
  for (const std::string_view field : {"", ",,,", "=", "\"", "Bearer realm=\"open",
                                       "Bearer realm=\"x\\", "realm=x", ";;;", "\x01"}) {
    ParseChallenges({field});  // no crash, no hang
  }
  const auto parameter_first = ParseChallenges({"realm=x, Basic realm=y"});
  ASSERT_EQ(parameter_first.size(), 1U);
  EXPECT_EQ(parameter_first[0].Get("realm"), "y");
}

}  // namespace
}  // namespace registry_backend
