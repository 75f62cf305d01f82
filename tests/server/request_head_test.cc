#include "exporter/server/request_head.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "exporter/server/connection.h"
#include "exporter/server/request_reader.h"

namespace registry_backend::server {
namespace {

// The status of the refusal, 0 where it is read.
int StatusOf(const std::string& text) {
  RequestHead head;
  const auto refusal = ReadHead(text, head);
  return refusal ? refusal->status : 0;
}

std::string Get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

TEST(RequestHead, IsReadAsItWasSent) {
  RequestHead head;
  ASSERT_FALSE(
      ReadHead("POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-Test: \t a:b, c \r\n"
               "Content-Length: 12\r\nExpect: 100-continue\r\n\r\n",
               head));
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/a%20b?c=d");
  ASSERT_EQ(head.fields.size(), 4U);
  EXPECT_EQ(head.fields[1].first, "X-Test");
  EXPECT_EQ(head.fields[1].second, "a:b, c");
  EXPECT_EQ(head.body_bytes, 12U);
  EXPECT_TRUE(head.expects_100);
  EXPECT_TRUE(head.keep_alive);
}

TEST(RequestHead, SaysWhetherAnotherOneMayFollow) {
  const auto keeps = [](const std::string& text) {
    RequestHead head;
    EXPECT_FALSE(ReadHead(text, head)) << text;
    return head.keep_alive;
  };
  EXPECT_TRUE(keeps(Get("")));
  EXPECT_FALSE(keeps(Get("Connection: close\r\n")));
  EXPECT_FALSE(keeps(Get("Connection: TE, Close\r\n")));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST(RequestHead, OfHttp10ExpectsNothing) {
  RequestHead head;
  ASSERT_FALSE(
      ReadHead("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", head));
  EXPECT_FALSE(head.expects_100);
}

TEST(RequestHead, MayNameItsTargetInFull) {
  const auto target = [](const std::string& text) {
    RequestHead head;
    EXPECT_FALSE(ReadHead("GET " + text + " HTTP/1.1\r\nHost: x\r\n\r\n", head)) << text;
    return head.target;
  };
  EXPECT_EQ(target("http://x/-/healthy"), "/-/healthy");
  EXPECT_EQ(target("HTTPS://x:1/a?b=c"), "/a?b=c");
  EXPECT_EQ(target("http://x"), "/");
  EXPECT_EQ(target("http://x?a=http://y/z"), "/?a=http://y/z");
  EXPECT_EQ(target("/http://x/a"), "/http://x/a");
  EXPECT_EQ(target("*"), "*");
}

TEST(RequestHead, OfAnUnknownMethodIsNotServed) {
  EXPECT_EQ(StatusOf("FOO /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("get / HTTP/1.1\r\nHost: x\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
}

TEST(RequestHead, WhatTwoReadersCouldReadDifferentlyIsRefused) {
  for (const std::string& text :
       std::vector<std::string>{"\r\n\r\n",
                                "GET\r\n\r\n",
                                "GET /\r\n\r\n",
                                "GET  / HTTP/1.1\r\n\r\n",
                                "GET / a HTTP/1.1\r\nHost: x\r\n\r\n",
                                "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
                                "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
                                "G\"T / HTTP/1.1\r\nHost: x\r\n\r\n",
                                std::string("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 28),
                                "GET / HTTP/1.1\r\n\r\n",
                                Get("Host: y\r\n"),
                                Get("X-Test\r\n"),
                                Get("X-Test : a\r\n"),
                                Get(" folded\r\n"),
                                Get(": a\r\n"),
                                Get("X-Test: a\rb\r\n"),
                                Get("X-Test: a\nX: b\r\n"),
                                Get(std::string("X-Test: a\0b\r\n", 13)),
                                Get("Content-Length: 1\r\nContent-Length: 1\r\n"),
                                Get("Content-Length: +1\r\n"),
                                Get("Content-Length: \r\n"),
                                Get("Content-Length: 1, 1\r\n"),
                                Get("Content-Length: 0x1\r\n")}) {
    EXPECT_EQ(StatusOf(text), 400) << text;
  }
}

TEST(RequestHead, HasASizeThatIsBounded) {
  EXPECT_EQ(StatusOf(Get("X: " + std::string(8000, 'a') + "\r\n")), 0);
  EXPECT_EQ(StatusOf(Get("X: " + std::string(8200, 'a') + "\r\n")), 431);
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "X: a\r\n";
  EXPECT_EQ(StatusOf(Get(fields)), 0);
  EXPECT_EQ(StatusOf(Get(fields + "X: a\r\n")), 431);
  EXPECT_EQ(StatusOf(Get("Content-Length: 65536\r\n")), 0);
  EXPECT_EQ(StatusOf(Get("Content-Length: 65537\r\n")), 413);
  EXPECT_EQ(StatusOf(Get("Content-Length: 99999999999999999999\r\n")), 413);
  EXPECT_EQ(StatusOf(Get("Transfer-Encoding: chunked\r\n")), 411);
  EXPECT_EQ(StatusOf(Get("transfer-encoding: identity\r\nContent-Length: 1\r\n")), 411);
  EXPECT_EQ(StatusOf(Get("Content-Encoding: gzip\r\n")), 415);
}

TEST(RequestHead, EndsAtTheEmptyLine) {
  EXPECT_EQ(FindHeadEnd("").bytes, 0U);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\nHost: x\r\n\r").bytes, 0U);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\nHost: x\r\n\r\nmore").bytes, 27U);
}

// What a RequestReader makes of these bytes, after which the client waits: statuses of refusals,
// targets of requests.
std::string Read(const std::string& sent) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  EXPECT_EQ(send(ends[1], sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
  Connection connection(ends[0]);
  // A request that does not end is told so in time, and one that does not begin is not.
  RequestReader reader(connection, {std::chrono::milliseconds(50), std::chrono::milliseconds(50)});
  std::string text;
  for (auto next = reader.Next();; next = reader.Next()) {
    if (next.refusal) text += std::to_string(next.refusal->status) + " ";
    if (!next.head) break;
    text += next.head->target + " ";
  }
  close(ends[0]);
  close(ends[1]);
  return text;
}

TEST(RequestReader, RefusesBareLineFeedsAtOnce) {
  EXPECT_EQ(Read("GET / HTTP/1.1\nHost: x\n\n"), "400 ");
  EXPECT_EQ(Read("GET / HTTP/1.1\r\nHost: x\n"), "400 ");
  EXPECT_EQ(Read("\n"), "400 ");
  EXPECT_EQ(Read("GET / HTTP/1.1\r\nHost: x\r\n\r"), "408 ") << "its end may still come";
}

TEST(RequestReader, PassesOverOneEmptyLineBeforeARequest) {
  EXPECT_EQ(Read("\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                 "\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n\r\n"),
            "/a /b ");
  EXPECT_EQ(Read("\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n"), "400 ");
  EXPECT_EQ(Read("\r\n\r\n"), "400 ");
  EXPECT_EQ(Read("\r"), "");
}

TEST(RequestHead, IsRefusedBeforeItsEndWhereItIsTooLong) {
  const auto status = [](const std::string& received) {
    const HeadEnd end = FindHeadEnd(received);
    return end.refusal ? end.refusal->status : 0;
  };
  EXPECT_EQ(status(std::string(8190, 'a')), 0);
  EXPECT_EQ(status(std::string(8191, 'a')), 414);
  EXPECT_EQ(status("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n"), 414);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nX: " + std::string(40'000, 'a')), 431);
}

}  // namespace
}  // namespace registry_backend::server
