#include "exporter/http/proxy.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

TEST(ProxyText, IsReadInAllItsForms) {
  const struct {
    std::string_view text;
    Proxy proxy;
  } kCases[] = {
      {"http://proxy.example:3128", {"http://proxy.example:3128", "", ""}},
      {"http://proxy.example:3128/", {"http://proxy.example:3128", "", ""}},
      {"https://proxy.example", {"https://proxy.example:443", "", ""}},
      {"HTTP://proxy.example:3128", {"http://proxy.example:3128", "", ""}},
      {"proxy.example:3128", {"http://proxy.example:3128", "", ""}},
      {"proxy", {"http://proxy:80", "", ""}},
      {"192.0.2.1:3128", {"http://192.0.2.1:3128", "", ""}},
      {"[2001:db8::1]:3128", {"http://[2001:db8::1]:3128", "", ""}},
      {"http://[2001:db8::1]", {"http://[2001:db8::1]:80", "", ""}},
      {"socks5://proxy.example:1080", {"socks5://proxy.example:1080", "", ""}},
      {"socks5h://user:pw@proxy.example", {"socks5h://proxy.example:1080", "user", "pw"}},
      {"http://user:pw@proxy.example:3128", {"http://proxy.example:3128", "user", "pw"}},
      {"user:pw@proxy.example:3128", {"http://proxy.example:3128", "user", "pw"}},
      {"http://user@proxy.example", {"http://proxy.example:80", "user", ""}},
      {"http://user:@proxy.example", {"http://proxy.example:80", "user", ""}},
      {"http://d%5Cuser:p%40s%3as%2F%25@[::1]:8080", {"http://[::1]:8080", "d\\user", "p@s:s/%"}},
  };
  for (const auto& c : kCases) {
    const auto proxy = ParseProxy(c.text);
    ASSERT_TRUE(proxy) << proxy.error().message;
    EXPECT_EQ(proxy->url, c.proxy.url) << c.text;
    EXPECT_EQ(proxy->username, c.proxy.username) << c.text;
    EXPECT_EQ(proxy->password, c.proxy.password) << c.text;
    EXPECT_FALSE(proxy->empty());
  }
}

TEST(ProxyText, EndsWhereItEndsAndNotAtANul) {
  using std::string_view_literals::operator""sv;
  EXPECT_FALSE(ParseProxy("http://proxy\0.example"sv));
  EXPECT_FALSE(ParseProxy("http://proxy:3128\0@other.example:3128"sv));
}

TEST(ProxyText, OfNoUseIsRefusedWithoutItsSecrets) {
  for (const std::string_view text : {"",
                                      "http://",
                                      "http://user:SECRET@",
                                      "ftp://user:SECRET@proxy",
                                      "socks4://SECRET@proxy",
                                      "unix:///run/proxy",
                                      "http://user:SECRET@proxy:99999",
                                      "http://user:SECRET@proxy:port",
                                      "http://user:SECRET@[::1",
                                      "http://user:SECRET@pro xy",
                                      "http://user:SECRET@proxy/path",
                                      "http://user:SECRET@proxy/?query",
                                      "http://user:SEC@RET@proxy",
                                      "http://user:SEC/RET@proxy",
                                      "user:SECRET@proxy/path",
                                      "http://user:SECRET%0a@proxy",
                                      "http://SECRET%00:x@proxy",
                                      "http://user:SEC:RET",
                                      "user:SEC:RET",
                                      "http://user:SECRET@%2561.example:1",
                                      "http://user:SECRET@%30",
                                      "http://%30#@proxy"}) {
    const auto proxy = ParseProxy(text);
    ASSERT_FALSE(proxy) << text;
    EXPECT_EQ(proxy.error().kind, ErrorKind::kProtocol);
    EXPECT_EQ(proxy.error().message.find("SEC"), std::string::npos) << proxy.error().message;
    EXPECT_NE(proxy.error().message.find("(expected one like http://proxy:3128)"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace registry_backend
