#include "exporter/registry/link.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

TEST(Link, FindsTheNextPage) {
  const struct {
    std::string_view field;
    std::string_view target;
  } kCases[] = {
      {"</v2/a/tags/list?last=x&n=2>; rel=\"next\"", "/v2/a/tags/list?last=x&n=2"},
      {"</p>; rel=next", "/p"},
      {"</p>;REL=NEXT", "/p"},
      {"</a>; rel=prev, </b>; rel=\"next\"", "/b"},
      {"</a>; title=\"x, y; rel=next\"; rel=prev, </b>; rel=next", "/b"},
      {"</p>; rel=\"last next\"", "/p"},
      {"<https://r.example/a,b;c>; rel=next", "https://r.example/a,b;c"},
  };
  for (const auto& c : kCases) {
    const auto target = FindNextLink({c.field});
    ASSERT_TRUE(target.has_value()) << c.field;
    EXPECT_EQ(*target, c.target);
  }
  EXPECT_EQ(FindNextLink({"</a>; rel=prev", "</b>; rel=next"}), "/b");
}

TEST(Link, FindsNoneWhereThereIsNone) {
  EXPECT_FALSE(FindNextLink({}));
  for (const std::string_view field :
       {"", "</p>", "</p>; rel=prev", "</p>; rel=prev; rel=next", "</p; rel=next", "next", "<",
        "</p>; rel=\"next", "</p>; rel=nextpage"}) {
    EXPECT_FALSE(FindNextLink({field})) << field;
  }
}

}  // namespace
}  // namespace registry_backend
