#include "exporter/url/url.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

TEST(Url, TakesAUrlApart) {
  const auto url =
      Url::Parse("HTTPS://User:Secret@Registry.Example.COM:443/v2/a/../b?x=1&y=%2F#frag");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->origin().scheme, "https");
  EXPECT_EQ(url->host().text(), "registry.example.com");
  EXPECT_EQ(url->path(), "/v2/b");
  EXPECT_EQ(url->query(), "x=1&y=%2F");
  EXPECT_TRUE(url->has_userinfo());
  EXPECT_EQ(url->text(), "https://registry.example.com/v2/b?x=1&y=%2F");
  EXPECT_EQ(url->shown(), "https://registry.example.com/v2/b");
}

// What is made without being parsed is what parsing would make.
TEST(Url, NamesAnotherPathOfItsOrigin) {
  const Url url = *Url::Parse("https://user:secret@Registry.Example:8443/a?b=c");
  const std::string path = "/v2/team/app/blobs/sha256:00";
  EXPECT_EQ(url.At(path), *Url::Parse("https://registry.example:8443" + path));
}

TEST(Url, ShowsOnlyTheBeginningOfALongPath) {
  const std::string path = "/" + std::string(10'000, 'x');
  const auto url = Url::Parse("https://registry.example.com" + path + "?q");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->text(), "https://registry.example.com" + path + "?q");
  EXPECT_EQ(url->shown(), "https://registry.example.com" + path.substr(0, 512) + "...");
}

TEST(Url, KeepsPortsThatAreNotTheSchemes) {
  EXPECT_EQ(Url::Parse("http://a.example:443")->host().text(), "a.example:443");
  EXPECT_EQ(Url::Parse("https://a.example:80")->host().text(), "a.example:80");
  EXPECT_EQ(Url::Parse("http://a.example:80")->host().text(), "a.example");
  EXPECT_EQ(Url::Parse("http://[::1]:5000/")->host().text(), "[::1]:5000");
}

TEST(Url, MakesALabelsOfNamesInOtherScripts) {
  EXPECT_EQ(Url::Parse("https://b\xc3\xbc"
                       "cher.example/")
                ->host()
                .text(),
            "xn--bcher-kva.example");
}

TEST(Url, RefusesWhatItShouldNotFollow) {
  for (const std::string_view text :
       {"", "registry.example.com", "//registry.example.com/", "ftp://a.example/",
        "file:///etc/passwd", "https://", "https:///path", "https://a b/", "https://a.example/\n",
        "https://a.example\\@evil/", "https://a.example:0/", "https://a.example:99999/",
        "https://a..example/", "javascript:alert(1)", "https://[::1/", "https://%00.example/"}) {
    EXPECT_FALSE(Url::Parse(text)) << text;
  }
  EXPECT_FALSE(Url::Parse("https://a.example/" + std::string(20'000, 'x')));
}

TEST(Url, ReadsTheHostAfterUserinfoAsTheHost) {
  EXPECT_EQ(Url::Parse("https://s3.amazonaws.com@evil.example/")->host().text(), "evil.example");
}

TEST(Url, ErrorsHoldNoSecrets) {
  for (const std::string_view text :
       {"ftp://user:SECRET@a.example/p?X-Sig=SECRET", "https://user:SECRET@a..example/?q=SECRET",
        "https://a.example/\n?SECRET", "https://a..example/?sig=SECRET@SECRET",
        "https://user:SECRET?@a..example/", "/blobs/x?sig=SECRET&next=https://u@\n"}) {
    const auto url = Url::Parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().message.find("SECRET"), std::string::npos) << url.error().message;
  }
}

TEST(Url, ResolvesReferences) {
  const Url base = *Url::Parse("https://registry.example.com:5000/v2/a/tags/list?n=1");
  const struct {
    std::string_view reference;
    std::string_view text;
  } kCases[] = {
      {"https://cdn.example/b?sig=1", "https://cdn.example/b?sig=1"},
      {"//cdn.example/b", "https://cdn.example/b"},
      {"/v2/a/tags/list?last=x", "https://registry.example.com:5000/v2/a/tags/list?last=x"},
      {"?last=y", "https://registry.example.com:5000/v2/a/tags/list?last=y"},
      {"../blobs/x", "https://registry.example.com:5000/v2/a/blobs/x"},
  };
  for (const auto& c : kCases) {
    const auto url = base.Resolve(c.reference);
    ASSERT_TRUE(url) << c.reference;
    EXPECT_EQ(url->text(), c.text);
  }
  for (const std::string_view reference : {"", "ftp://x/", "https://a b/", "\\\\evil.example/x"}) {
    EXPECT_FALSE(base.Resolve(reference)) << reference;
  }
}

TEST(Url, OriginsDifferByAnyOfSchemeHostAndPort) {
  const Origin origin = Url::Parse("https://a.example/x")->origin();
  EXPECT_EQ(origin, Url::Parse("https://A.example:443/y?z")->origin());
  EXPECT_NE(origin, Url::Parse("http://a.example/")->origin());
  EXPECT_NE(origin, Url::Parse("https://a.example:8443/")->origin());
  EXPECT_NE(origin, Url::Parse("https://b.example/")->origin());
}

TEST(PercentEncode, LeavesOnlyUnreservedBytes) {
  EXPECT_EQ(PercentEncode("repository:a/b:pull~._-\xff"), "repository%3Aa%2Fb%3Apull~._-%FF");
}

TEST(PercentDecode, IsTheOtherWayAndTakesNoHalfByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(PercentDecode(PercentEncode(all)), all);
  EXPECT_EQ(PercentDecode("a%2fb+c"), "a/b+c");
  for (const char* wrong : {"%", "a%2", "%zz", "%2g", "%-1"}) {
    EXPECT_EQ(PercentDecode(wrong), std::nullopt) << wrong;
  }
}

TEST(Url, BytesBeyondAsciiAreSentEncoded) {
  const auto url = Url::Parse("https://a.example/b\xff/\xc3\xa9?q=\xfe");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->path(), "/b%FF/%C3%A9");
  EXPECT_EQ(url->query(), "q=%FE");
}

TEST(Url, ASchemeIsFollowedByTwoSlashes) {
  const Url base = *Url::Parse("https://a.example/x/");
  for (const std::string_view reference :
       {"https:/evil.example/x", "https:evil.example", "http:x", "///evil.example", "https:///y"}) {
    EXPECT_FALSE(base.Resolve(reference)) << reference;
  }
  EXPECT_EQ(base.Resolve("/v2/x?u=https:///y")->text(), "https://a.example/v2/x?u=https:///y");
  EXPECT_EQ(base.Resolve("/v2/sha256:abc")->text(), "https://a.example/v2/sha256:abc");
  EXPECT_EQ(base.Resolve("//b.example/y")->text(), "https://b.example/y");
}

TEST(Url, APasswordWithAnySignInItIsNotShown) {
  for (const std::string_view text : {"ftp://user:SEC/RET@a.example/", "https://user:SEC/RET@a..b/",
                                      "user:SEC?RET@a.example", "https://user:SEC#RET@a..b/"}) {
    const auto url = Url::Parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().message.find("SEC"), std::string::npos) << url.error().message;
    EXPECT_EQ(url.error().message.find("RET"), std::string::npos) << url.error().message;
  }
}

}  // namespace
}  // namespace registry_backend
