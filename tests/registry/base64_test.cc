#include "exporter/registry/base64.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using namespace std::string_literals;

// RFC 4648 §10, and bytes that use the whole alphabet.
const std::pair<std::string, std::string> kVectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\0"s, "AA=="},
    {"\0\0\0"s, "AAAA"},
    {"\xfb\xff\xbf", "+/+/"},
};

TEST(Base64, GoesBothWays) {
  for (const auto& [bytes, text] : kVectors) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text), bytes) << text;
  }
}

TEST(Base64, BringsEveryByteAndLengthBack) {
  std::string bytes;
  for (int i = 0; i < 600; ++i) {
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST(Base64, SkipsLineBreaks) {
  EXPECT_EQ(DecodeBase64("Zm9v\nYmFy\n"), "foobar");
  EXPECT_EQ(DecodeBase64("Zm9vYg=\r\n=\r\n"), "foob");
}

TEST(Base64, RefusesWhatItIsNot) {
  for (const char* text :
       {"Z",        "Zg",       "Zg=",      "Zm9vYg", "=",        "==",        "===",
        "====",     "Z===",     "Zg==Zg==", "Zm=v",   "Zm9v====", " Zm9",      "Zm9 ",
        "Zm9v    ", "Zm9v----", "----",     "Zm9-",   "Zm9_",     "Zm9v\tYmF", "Zm9\xc3"}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
  }
  EXPECT_EQ(DecodeBase64("Zm9\0"s), std::nullopt);
}

}  // namespace
}  // namespace registry_backend
