#include "exporter/discovery/tag_filter.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using Patterns = std::vector<std::string>;

// Those of `tags` that pass.
std::vector<std::string> Passing(const Patterns& include, const Patterns& exclude,
                                 const std::vector<std::string>& tags) {
  const Result<TagFilter> filter = TagFilter::Make(include, exclude);
  EXPECT_TRUE(filter) << filter.error().message;
  std::vector<std::string> passing;
  for (const std::string& tag : tags) {
    if (filter && filter->Matches(tag)) passing.push_back(tag);
  }
  return passing;
}

TEST(TagFilter, WithoutPatternsEveryTagPasses) {
  EXPECT_TRUE(TagFilter().Matches("latest"));
  EXPECT_EQ(Passing({}, {}, {"latest", "v1"}), (Patterns{"latest", "v1"}));
}

TEST(TagFilter, PassesWhatAnyPatternIncludesAndNoneExcludes) {
  const Patterns tags = {"v1.0.0", "v1.1.0-rc1", "v1.1.0", "latest", "nightly-1"};
  const struct {
    Patterns include;
    Patterns exclude;
    Patterns passing;
  } kCases[] = {
      {{"v.*"}, {}, {"v1.0.0", "v1.1.0-rc1", "v1.1.0"}},
      {{"v.*", "latest"}, {}, {"v1.0.0", "v1.1.0-rc1", "v1.1.0", "latest"}},
      {{"v.*|latest"}, {}, {"v1.0.0", "v1.1.0-rc1", "v1.1.0", "latest"}},
      {{}, {".*-rc[0-9]+", "nightly-.*"}, {"v1.0.0", "v1.1.0", "latest"}},
      {{"v.*"}, {".*-rc[0-9]+"}, {"v1.0.0", "v1.1.0"}},
      {{"latest"}, {"latest"}, {}},
      {{".*"}, {".*"}, {}},
      {{"V.*"}, {}, {}},
      {{"(?i)V.*"}, {}, {"v1.0.0", "v1.1.0-rc1", "v1.1.0"}},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Passing(c.include, c.exclude, tags), c.passing)
        << ::testing::PrintToString(c.include) << " " << ::testing::PrintToString(c.exclude);
  }
}

TEST(TagFilter, APatternMustMatchTheWholeTag) {
  EXPECT_EQ(Passing({"v1"}, {}, {"v1", "v1.0", "xv1", "v10"}), Patterns{"v1"});
  EXPECT_EQ(Passing({"a|b"}, {}, {"a", "b", "ab", "ax", "xb"}), (Patterns{"a", "b"}));
  EXPECT_EQ(Passing({}, {"rc"}, {"rc", "v1-rc"}), Patterns{"v1-rc"});
  EXPECT_EQ(Passing({"^v1$"}, {}, {"v1", "v10"}), Patterns{"v1"});
  EXPECT_EQ(Passing({""}, {}, {"v1"}), Patterns{}) << "the empty pattern matches no tag";
}

TEST(TagFilter, SaysWhichPatternIsNone) {
  const struct {
    Patterns include;
    Patterns exclude;
    std::string error;
  } kCases[] = {
      {{"v.*", "("}, {}, "'(' is not a regular expression (RE2 syntax): missing ): ("},
      {{},
       {"a**", "["},
       "'a**' is not a regular expression (RE2 syntax): bad repetition operator: **"},
      {{"(?=x)"},
       {},
       "'(?=x)' is not a regular expression (RE2 syntax): invalid perl operator: (?="},
  };
  for (const auto& c : kCases) {
    const Result<TagFilter> filter = TagFilter::Make(c.include, c.exclude);
    ASSERT_FALSE(filter);
    EXPECT_EQ(filter.error().kind, ErrorKind::kInternal);
    EXPECT_EQ(filter.error().message, c.error);
  }
}

// A backtracking matcher would not return within a lifetime.
TEST(TagFilter, NoPatternTakesLong) {
  const std::string tag(100'000, 'a');
  EXPECT_EQ(Passing({"(a+)+b", "(a|aa)+b", "(.*)*c"}, {}, {tag, tag + "b"}), Patterns{tag + "b"});
}

}  // namespace
}  // namespace registry_backend
