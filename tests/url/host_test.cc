#include "exporter/url/host.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

TEST(Host, IsShownInOneSpelling) {
  const struct {
    std::string_view name;
    std::uint16_t port;
    std::string_view text;
  } kCases[] = {
      {"CDN.Example.COM", 0, "cdn.example.com"},
      {"cdn.example.com.", 0, "cdn.example.com"},
      {"minio.corp", 9000, "minio.corp:9000"},
      {"2001:DB8:0:0::1", 0, "[2001:db8::1]"},
      {"[2001:db8::1]", 5000, "[2001:db8::1]:5000"},
      {"127.0.0.1", 0, "127.0.0.1"},
      {"my_bucket.s3.amazonaws.com", 0, "my_bucket.s3.amazonaws.com"},
      {"localhost", 0, "localhost"},
  };
  for (const auto& c : kCases) {
    const auto host = Host::Make(c.name, c.port);
    ASSERT_TRUE(host) << c.name << ": " << host.error().message;
    EXPECT_EQ(host->text(), c.text);
  }
}

TEST(Host, RefusesWhatIsNoName) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a..b"), std::string("-a.b"),
        std::string("a-.b"), std::string("a b"), std::string("a/b"), std::string("a\"b"),
        std::string("caf\xc3\xa9.fr"), std::string("1.2.3"), std::string("1.2.3.4.5"),
        std::string("256.1.1.1"), std::string("0x7f"), std::string("a.0X1f"), std::string("[::1"),
        std::string("g::1"), std::string(64, 'a') + ".com", std::string("a\0b", 3)}) {
    EXPECT_FALSE(Host::Make(name)) << name;
  }
  std::string long_name;
  while (long_name.size() < 254) long_name += "abcdefg.";
  EXPECT_FALSE(Host::Make(long_name + "com"));
}

TEST(Host, ParsesItsOwnText) {
  for (const std::string_view text :
       {"cdn.example.com", "minio.corp:9000", "[2001:db8::1]", "[2001:db8::1]:5000"}) {
    const auto host = Host::Parse(text);
    ASSERT_TRUE(host) << text;
    EXPECT_EQ(host->text(), text);
  }
  for (const std::string_view text : {"a:0", "a:65536", "a:x", "a:", ":80"}) {
    EXPECT_FALSE(Host::Parse(text)) << text;
  }
}

TEST(Host, KnowsLoopback) {
  for (const std::string_view name :
       {"localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"}) {
    EXPECT_TRUE(Host::Make(name)->is_loopback()) << name;
  }
  for (const std::string_view name : {"127.evil.example", "localhost.evil.example", "128.0.0.1"}) {
    EXPECT_FALSE(Host::Make(name)->is_loopback()) << name;
  }
}

TEST(Host, KnowsWhatIsOfThisMachineOrItsLink) {
  for (const std::string name :
       {"localhost", "a.localhost", "127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3",
        "169.254.169.254", "[::]", "[::1]", "[fe80::1]", "[febf::1]", "[::ffff:127.0.0.1]",
        "[::ffff:169.254.0.1]", "[::127.0.0.1]", "[fd00:ec2::254]"}) {
    EXPECT_TRUE(Host::Parse(name)->is_local()) << name;
  }
  for (const std::string name :
       {"r.example", "localhost.example", "10.0.0.1", "192.168.1.1", "169.255.0.1", "[2001:db8::1]",
        "[fec0::1]", "[::ffff:10.0.0.1]", "127.example"}) {
    EXPECT_FALSE(Host::Parse(name)->is_local()) << name;
  }
}

TEST(Host, SameSiteGoesByThePublicSuffixList) {
  const auto same = [](std::string_view a, std::string_view b) {
    return SameSite(*Host::Parse(a), *Host::Parse(b));
  };
  EXPECT_TRUE(same("registry-1.docker.io", "auth.docker.io"));
  EXPECT_TRUE(same("registry.gitlab.com", "gitlab.com"));
  EXPECT_TRUE(same("registry.corp.internal", "auth.corp.internal"));
  EXPECT_TRUE(same("10.0.0.1:5000", "10.0.0.1:5001"));
  EXPECT_FALSE(same("registry.example.co.uk", "auth.evil.co.uk"));
  EXPECT_FALSE(same("docker.io", "docker.io.evil.example"));
  EXPECT_FALSE(same("alice.github.io", "bob.github.io"));
  EXPECT_FALSE(same("10.0.0.1", "10.0.0.2"));
  EXPECT_FALSE(same("co.uk", "evil.co.uk"));
}

TEST(Host, IsAPublicSuffixWhereTheListSaysSo) {
  for (const std::string_view name :
       {"com", "co.uk", "github.io", "s3.amazonaws.com", "com:8080"}) {
    EXPECT_TRUE(IsPublicSuffix(*Host::Parse(name))) << name;
  }
  for (const std::string_view name :
       {"example.com", "amazonaws.com", "corp", "localhost", "10.0.0.1", "[::1]"}) {
    EXPECT_FALSE(IsPublicSuffix(*Host::Parse(name))) << name;
  }
}

}  // namespace
}  // namespace registry_backend
