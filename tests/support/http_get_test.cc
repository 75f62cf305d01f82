#include "tests/support/http_get.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/support/free_port.h"
#include "tests/support/raw_server.h"

namespace registry_backend::testing {
namespace {

// Answers with the request's head as the body, and its body (of `length` bytes) after it.
RawServer::Handler Echo(std::size_t length = 0) {
  return [length](RawConnection& peer) {
    std::string request = peer.ReadRequest();
    if (length > 0) request += peer.ReadUntil(std::string(1, '.'));
    peer.Send(HttpText(201, request, "Set-Cookie: a\r\nSet-Cookie: b\r\n"));
  };
}

TEST(HttpGet, SendsHeadersAndThePathAsItIs) {
  RawServer server(Echo());
  const HttpAnswer answer = HttpGet(server.url() + "/a%20b?q=%7Bx%7D+1",
                                    {.headers = {{"Accept", "x/y"}, {"X-One", "1"}}});
  EXPECT_EQ(answer.status, 201);
  EXPECT_TRUE(answer.body.starts_with("GET /a%20b?q=%7Bx%7D+1 HTTP/1.1\r\n")) << answer.body;
  EXPECT_NE(answer.body.find("\r\nAccept: x/y\r\n"), std::string::npos);
  EXPECT_NE(answer.body.find("\r\nX-One: 1\r\n"), std::string::npos);
  EXPECT_EQ(answer.body.find("Accept-Encoding"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.Header("set-cookie"), "a");
  EXPECT_EQ(answer.Header("missing"), "");
}

TEST(HttpGet, SendsBasicCredentials) {
  RawServer server(Echo());
  const HttpAnswer answer = HttpGet(server.url(), {.username = "user", .password = "secret"});
  EXPECT_NE(answer.body.find("\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n"), std::string::npos);
}

TEST(HttpPostAndPut, SendBodyAndContentType) {
  RawServer server(Echo(6));
  for (const bool post : {true, false}) {
    const HttpAnswer answer = post ? HttpPost(server.url() + "/p", "12345.", "a/b")
                                   : HttpPut(server.url() + "/p", "12345.", "a/b");
    EXPECT_TRUE(answer.body.starts_with(post ? "POST /p " : "PUT /p ")) << answer.body;
    EXPECT_TRUE(answer.body.ends_with("12345."));
    EXPECT_NE(answer.body.find("\r\nContent-Type: a/b\r\n"), std::string::npos);
    EXPECT_NE(answer.body.find("\r\nContent-Length: 6\r\n"), std::string::npos);
  }
}

TEST(HttpGet, DoesNotFollowRedirects) {
  RawServer server([](RawConnection& peer) {
    (void)peer.ReadRequest();
    peer.Send(HttpText(307, "", "Location: http://elsewhere.invalid/\r\n"));
  });
  const HttpAnswer answer = HttpGet(server.url());
  EXPECT_EQ(answer.status, 307);
  EXPECT_EQ(answer.Header("Location"), "http://elsewhere.invalid/");
}

TEST(HttpGet, NoAnswerIsStatusZeroWithAReason) {
  const std::string nobody = "http://127.0.0.1:" + std::to_string(FreePort());
  const HttpAnswer refused = HttpGet(nobody);
  EXPECT_EQ(refused.status, 0);
  EXPECT_FALSE(refused.error.empty());

  RawServer server([](RawConnection& peer) { peer.Stall(); });
  EXPECT_EQ(HttpGet(server.url(), {.timeout = std::chrono::milliseconds(100)}).status, 0);
}

TEST(PercentEncode, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(PercentEncode("aZ0-._~"), "aZ0-._~");
  EXPECT_EQ(PercentEncode("up{a=\"b c\"}/\xff"), "up%7Ba%3D%22b%20c%22%7D%2F%FF");
}

}  // namespace
}  // namespace registry_backend::testing
