#include "exporter/registry/reference.h"

#include <gtest/gtest.h>

#include "exporter/registry/digest.h"

namespace registry_backend {
namespace {

TEST(Reference, Repositories) {
  for (const std::string_view good :
       {"a", "hashicorp/terraform-enterprise", "a/b/c/d", "a.b_c__d---e/f0", "0/1"}) {
    EXPECT_TRUE(IsRepository(good)) << good;
  }
  for (const std::string_view bad : {"", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a._b",
                                     "-a", "a-", "a b", "a/../b", "a?b", "a%2fb", "a\n"}) {
    EXPECT_FALSE(IsRepository(bad)) << bad;
  }
  EXPECT_FALSE(IsRepository(std::string(256, 'a')));
}

TEST(Reference, Tags) {
  for (const std::string_view good : {"latest", "v202507-1", "1.0.0", "_x", "A.b-C"}) {
    EXPECT_TRUE(IsTag(good)) << good;
  }
  for (const std::string_view bad : {"", ".x", "-x", "a/b", "a b", "a:b", "a\n", "../x", "a?"}) {
    EXPECT_FALSE(IsTag(bad)) << bad;
  }
  EXPECT_TRUE(IsTag(std::string(128, 'a')));
  EXPECT_FALSE(IsTag(std::string(129, 'a')));
}

TEST(Digest, IsCheckedAndComputed) {
  const std::string empty =
      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  EXPECT_EQ(Sha256Of(""), empty);
  EXPECT_TRUE(IsDigest(empty));
  EXPECT_TRUE(IsDigest(DigestOf("x", "sha512:")));
  EXPECT_EQ(DigestOf("x", "sha512:").size(), 7U + 128U);
  for (const std::string& bad :
       {std::string(), std::string("sha256:"), empty + "0", empty.substr(0, empty.size() - 1),
        std::string("md5:d41d8cd98f00b204e9800998ecf8427e"), "sha256:" + std::string(64, 'G'),
        "sha256:" + std::string(64, 'A'), "sha256:../" + std::string(61, 'a')}) {
    EXPECT_FALSE(IsDigest(bad)) << bad;
  }
}

}  // namespace
}  // namespace registry_backend
