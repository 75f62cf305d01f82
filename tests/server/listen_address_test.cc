#include "exporter/server/listen_address.h"

#include <gtest/gtest.h>

namespace registry_backend::server {
namespace {

TEST(ListenAddress, ReadsWhatFlagsSay) {
  const struct {
    std::string_view given;
    std::string_view host;
    std::uint16_t port;
    std::string_view text;
  } kCases[] = {
      {":9877", "", 9877, ":9877"},
      {":0", "", 0, ":0"},
      {"127.0.0.1:9877", "127.0.0.1", 9877, "127.0.0.1:9877"},
      {"localhost:65535", "localhost", 65535, "localhost:65535"},
      {"exporter.example:80", "exporter.example", 80, "exporter.example:80"},
      {"[::1]:9877", "::1", 9877, "[::1]:9877"},
      {"[::]:9877", "::", 9877, "[::]:9877"},
      {"[fe80::1%eth0]:1", "fe80::1%eth0", 1, "[fe80::1%eth0]:1"},
      {"0.0.0.0:09877", "0.0.0.0", 9877, "0.0.0.0:9877"},
  };
  for (const auto& c : kCases) {
    const Result<ListenAddress> address = ParseListenAddress(c.given);
    ASSERT_TRUE(address) << c.given << ": " << address.error().message;
    EXPECT_EQ(address->host, c.host);
    EXPECT_EQ(address->port, c.port);
    EXPECT_EQ(address->text(), c.text);
  }
}

TEST(ListenAddress, SaysWhatIsWrong) {
  constexpr std::string_view kExpected = " (expected :port, host:port or [v6]:port)";
  const struct {
    std::string_view given;
    std::string_view why;
  } kCases[] = {
      {"", "it has no port"},
      {"9877", "it has no port"},
      {"localhost", "it has no port"},
      {"localhost:", "its port is no number from 0 to 65535"},
      {":", "its port is no number from 0 to 65535"},
      {":65536", "its port is no number from 0 to 65535"},
      {":-1", "its port is no number from 0 to 65535"},
      {":+1", "its port is no number from 0 to 65535"},
      {":http", "its port is no number from 0 to 65535"},
      {":1 ", "its port is no number from 0 to 65535"},
      {"[::1]", "its port is no number from 0 to 65535"},
      {"::1:9877", "an IPv6 address needs brackets"},
      {"http://localhost:9877", "an IPv6 address needs brackets"},
      {"[]:9877", "its brackets hold no IPv6 address"},
      {"[localhost]:9877", "its brackets hold no IPv6 address"},
      {"[::1:9877", "an IPv6 address needs brackets"},
      {"::1]:9877", "an IPv6 address needs brackets"},
  };
  for (const auto& c : kCases) {
    const Result<ListenAddress> address = ParseListenAddress(c.given);
    ASSERT_FALSE(address) << c.given;
    EXPECT_EQ(address.error().message, "listen address '" + std::string(c.given) +
                                           "': " + std::string(c.why) + std::string(kExpected));
  }
}

}  // namespace
}  // namespace registry_backend::server
