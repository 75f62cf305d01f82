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

}  // namespace
}  // namespace registry_backend
