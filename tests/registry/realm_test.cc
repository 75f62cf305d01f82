#include <gtest/gtest.h>

#include "exporter/registry/authenticator.h"

namespace registry_backend {
namespace {

bool MayHave(std::string_view registry, std::string_view realm) {
  return CheckRealm(Url::Parse(registry)->origin(), *Url::Parse(realm)).ok();
}

TEST(Realm, OfTheRegistrysOwnSiteMayHaveItsCredentials) {
  EXPECT_TRUE(MayHave("https://registry-1.docker.io", "https://auth.docker.io/token"));
  EXPECT_TRUE(MayHave("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"));
  EXPECT_TRUE(MayHave("https://ghcr.io", "https://ghcr.io/token"));
  EXPECT_TRUE(MayHave("https://registry.corp:5000", "https://registry.corp:5001/token"));
  EXPECT_TRUE(MayHave("http://127.0.0.1:5000", "http://127.0.0.1:5000/token"));
}

TEST(Realm, OfAnyoneElseMayNot) {
  EXPECT_FALSE(MayHave("https://registry.example.com", "https://auth.evil.example/token"));
  EXPECT_FALSE(MayHave("https://registry.example.com", "http://auth.example.com/token"));
  EXPECT_FALSE(MayHave("https://registry.example.com", "https://u:p@auth.example.com/token"));
  EXPECT_FALSE(MayHave("http://registry.example.com", "http://registry.example.com/token"));
  EXPECT_FALSE(MayHave("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"));
  EXPECT_FALSE(MayHave("http://127.0.0.1:5000", "http://localhost:5000/token"));
  EXPECT_FALSE(MayHave("https://a.example.co.uk", "https://a.evil.co.uk/token"));
}

TEST(Realm, NamedByTheTargetMayHaveThemToo) {
  const Origin registry = Url::Parse("https://registry.example.com")->origin();
  const auto may_have = [&](std::string_view realm, std::string_view named) {
    return CheckRealm(registry, *Url::Parse(realm), {*Url::Parse(named)}).ok();
  };
  constexpr std::string_view kRealm = "https://auth.other.example/token?own=1";
  EXPECT_TRUE(may_have(kRealm, "https://auth.other.example"));
  EXPECT_TRUE(may_have(kRealm, "https://auth.other.example:443/"));
  EXPECT_TRUE(may_have(kRealm, "https://auth.other.example/token"));
  EXPECT_FALSE(may_have(kRealm, "https://auth.other.example/tok"));
  EXPECT_FALSE(may_have(kRealm, "https://auth.other.example/token/"));
  EXPECT_FALSE(may_have(kRealm, "https://other.example"));
  EXPECT_FALSE(may_have(kRealm, "https://sub.auth.other.example"));
  EXPECT_FALSE(may_have(kRealm, "https://auth.other.example:444"));
  EXPECT_FALSE(may_have(kRealm, "http://auth.other.example"));
  EXPECT_FALSE(may_have("https://u:p@auth.other.example/token", "https://auth.other.example"));
}

TEST(Realm, OfAnotherDomainMayBeNamedAndTheErrorSaysSo) {
  const Origin registry = Url::Parse("https://registry.example.com")->origin();
  const auto refused = CheckRealm(registry, *Url::Parse("https://auth.other.example/token?secret"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kAuth);
  EXPECT_EQ(refused.error().message,
            "the token realm https://auth.other.example/token that https://registry.example.com "
            "names may not have its credentials: it belongs to another domain (if it may have "
            "them, put https://auth.other.example into token_realms)");
}

TEST(Realm, OfAnonymousTokensIsHttpsOrTheRegistryItself) {
  const auto may_be_asked = [](std::string_view registry, std::string_view realm) {
    return CheckAnonymousRealm(Url::Parse(registry)->origin(), *Url::Parse(realm)).ok();
  };
  EXPECT_TRUE(may_be_asked("https://r.example", "https://auth.other.example/"));
  EXPECT_TRUE(may_be_asked("http://r.example", "http://r.example/token"));
  EXPECT_FALSE(may_be_asked("https://r.example", "http://r.example/token"));
  EXPECT_FALSE(may_be_asked("http://r.example", "http://169.254.169.254/token"));
  EXPECT_FALSE(may_be_asked("https://r.example", "https://u:p@auth.other.example/token"));
}

// The server-side request forgery of CVE-2026-12566: the registry names a place that only we reach.
TEST(Realm, OfAnonymousTokensIsNotOnThisMachineUnlessTheRegistryIs) {
  const auto may_be_asked = [](std::string_view registry, std::string_view realm) {
    return CheckAnonymousRealm(Url::Parse(registry)->origin(), *Url::Parse(realm)).ok();
  };
  for (const char* realm :
       {"https://127.0.0.1/token", "https://127.8.9.1:8443/token", "https://localhost/token",
        "https://a.localhost/token", "https://169.254.169.254/token", "https://0.0.0.0/token",
        "https://[::1]/token", "https://[fe80::1]/token", "https://[::ffff:169.254.169.254]/token",
        "https://2130706433/token", "https://0x7f.1/token"}) {
    EXPECT_FALSE(may_be_asked("https://r.example", realm)) << realm;
    EXPECT_TRUE(may_be_asked("https://127.0.0.1:5000", realm)) << realm;
  }
}

}  // namespace
}  // namespace registry_backend
