#include "exporter/http/curl_transport.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/http/fetch.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Fetch;
using testing::HttpText;
using testing::RawConnection;
using testing::RawServer;

class CountingObserver final : public RequestObserver {
 public:
  void OnRequest(std::string_view, std::string_view operation, int status, Duration) override {
    seen.push_back(std::string(operation) + " " + std::to_string(status));
  }
  void OnRetry(std::string_view, std::string_view) override {}
  void OnRegistryGone(std::string_view) override {}
  std::vector<std::string> seen;
};

class CurlTransportTest : public ::testing::Test {
 protected:
  Request Get(const std::string& url) {
    Request request{.url = *Url::Parse(url)};
    request.operation = "blob";
    return request;
  }

  Result<Response> Ask(Request request, Duration timeout = seconds(20)) {
    return Fetch(transport_, std::move(request), timeout);
  }

  CountingObserver observer_;
  CurlTransport transport_{{}, &observer_};
};

TEST_F(CurlTransportTest, GivesStatusHeadersAndBody) {
  std::string sent;
  RawServer server([&](RawConnection& connection) {
    sent = connection.ReadRequest();
    connection.Send(
        "HTTP/1.1 103 Early Hints\r\nLink: <early>\r\n\r\n"
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n"
        "www-authenticate:  Bearer realm=\"y\" \r\nContent-Length: 2\r\n\r\nhi");
  });
  Request request = Get(server.url() + "/v2/?q=1");
  request.headers.Add("Accept", "text/x");
  const auto response = Ask(std::move(request));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 401);
  EXPECT_EQ(response->body, "hi");
  EXPECT_EQ(response->headers.GetAll("WWW-Authenticate"),
            (std::vector<std::string_view>{"Basic realm=x", "Bearer realm=\"y\""}));
  EXPECT_TRUE(response->headers.Get("link").empty()) << "a 103's fields are not the answer's";
  EXPECT_TRUE(sent.starts_with("GET /v2/?q=1 HTTP/1.1\r\n")) << sent;
  EXPECT_NE(sent.find("accept: text/x\r\n"), std::string::npos) << sent;
  EXPECT_EQ(observer_.seen, std::vector<std::string>{"blob 401"});
}

TEST_F(CurlTransportTest, FollowsNoRedirect) {
  RawServer server([&](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send(HttpText(307, "", "Location: /elsewhere\r\n"));
  });
  const auto response = Ask(Get(server.url() + "/"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 307);
  EXPECT_EQ(response->headers.Get("location"), "/elsewhere");
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(CurlTransportTest, OneDeadlineCoversADrippedBody) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    connection.Drip(std::string(100000, 'x'), 1, milliseconds(20));
  });
  const auto response = Ask(Get(server.url() + "/"), milliseconds(300));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kTimeout);
  EXPECT_EQ(observer_.seen, std::vector<std::string>{"blob 0"});
}

TEST_F(CurlTransportTest, ADeadlineInThePastIsATimeout) {
  const auto response = Ask(Get("http://127.0.0.1:1/"), milliseconds(0));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kTimeout);
}

TEST_F(CurlTransportTest, CapsHeaders) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\n");
    while (connection.Send("X-Filler: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  const auto response = Ask(Get(server.url() + "/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kProtocol);
  EXPECT_NE(response.error().message.find("headers"), std::string::npos)
      << response.error().message;
}

TEST_F(CurlTransportTest, CapsOneLongHeader) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nX-Filler: ");
    while (connection.Send(std::string(10'000, 'x'))) {
    }
  });
  const auto response = Ask(Get(server.url() + "/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kProtocol) << response.error().message;
}

TEST_F(CurlTransportTest, CapsTheNumberOfHeaderFields) {
  std::atomic<int> fields = 500;
  RawServer server([&fields](RawConnection& connection) {
    while (!connection.ReadRequest().empty()) {
      std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
      for (int i = 1; i < fields; ++i) head += "a:\r\n";
      connection.Send(head + "\r\n");
    }
  });
  EXPECT_TRUE(Ask(Get(server.url() + "/")));
  fields = 501;
  const auto response = Ask(Get(server.url() + "/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kProtocol);
  EXPECT_NE(response.error().message.find("more than 500 header fields"), std::string::npos)
      << response.error().message;
}

TEST_F(CurlTransportTest, CapsABodyThatIsKept) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.Send(std::string(10'000, 'x'))) {
    }
  });
  Request request = Get(server.url() + "/");
  request.max_body_bytes = 100'000;
  const auto response = Ask(std::move(request));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kProtocol);
  EXPECT_NE(response.error().message.find("100000 bytes"), std::string::npos);
}

TEST_F(CurlTransportTest, CutsALongBodyThatIsNotWanted) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    while (connection.Send(std::string(10'000, 'x'))) {
    }
  });
  Request request = Get(server.url() + "/");
  request.body_use = BodyUse::kDiscard;
  request.max_body_bytes = 16 * 1024;
  const auto response = Ask(std::move(request));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(response->body.empty());
}

TEST_F(CurlTransportTest, KeepsTheConnectionAfterAShortBodyThatIsNotWanted) {
  RawServer server([](RawConnection& connection) {
    while (!connection.ReadRequest().empty()) {
      connection.Send("HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx");
    }
  });
  for (int i = 0; i < 3; ++i) {
    Request request = Get(server.url() + "/");
    request.body_use = BodyUse::kDiscard;
    request.max_body_bytes = 16 * 1024;
    ASSERT_TRUE(Ask(std::move(request)));
  }
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(CurlTransportTest, DoesNotUnpackABody) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send(HttpText(200, "not gzip", "Content-Encoding: gzip\r\n"));
  });
  const auto response = Ask(Get(server.url() + "/"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "not gzip");
}

TEST_F(CurlTransportTest, NamesWhatWentWrong) {
  RawServer silent([](RawConnection& connection) { connection.ReadRequest(); });
  RawServer cut([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
  });
  RawServer reset([](RawConnection& connection) {
    connection.ReadRequest();
    connection.ResetOnClose();
  });
  RawServer garbage([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send("220 smtp.example ESMTP\r\n");
  });
  RawServer no_tls(
      [](RawConnection& connection) { connection.Send("220 smtp.example ESMTP\r\n"); });
  const std::string closed_port = [] { return RawServer([](RawConnection&) {}).url(); }();
  const struct {
    std::string url;
    ErrorKind kind;
  } kCases[] = {
      {silent.url() + "/", ErrorKind::kConnect},
      {cut.url() + "/", ErrorKind::kConnect},
      {reset.url() + "/", ErrorKind::kConnect},
      {closed_port + "/", ErrorKind::kConnect},
      {garbage.url() + "/", ErrorKind::kProtocol},
      {"http://name.invalid/", ErrorKind::kDns},
      {"https://" + no_tls.host() + "/", ErrorKind::kTls},
  };
  for (const auto& c : kCases) {
    const auto response = Ask(Get(c.url + "?SECRET"));
    ASSERT_FALSE(response) << c.url;
    EXPECT_EQ(ReasonName(response.error().kind), ReasonName(c.kind))
        << c.url << ": " << response.error().message;
    EXPECT_TRUE(response.error().message.starts_with(c.url)) << response.error().message;
    EXPECT_EQ(response.error().message.find("SECRET"), std::string::npos);
  }
}

TEST_F(CurlTransportTest, ACancelledCallIsNeverDone) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Stall();
  });
  NetworkLoop loop(transport_);
  const CallId call = transport_.Start(Get(server.url() + "/"), loop.Now() + seconds(60),
                                       [](const Result<Response>&) { FAIL(); });
  loop.At(loop.Now() + milliseconds(50), [&] {
    transport_.Cancel(call);
    transport_.Cancel(call);
  });
  loop.At(loop.Now() + milliseconds(100), [&] { loop.Stop(); });
  loop.Run();
}

TEST_F(CurlTransportTest, DoneMayStartAndCancelOthers) {
  RawServer server([](RawConnection& connection) {
    while (!connection.ReadRequest().empty()) connection.Send(HttpText(200, "x", ""));
  });
  NetworkLoop loop(transport_);
  std::vector<CallId> calls;
  int done = 0;
  for (int i = 0; i < 4; ++i) {
    calls.push_back(transport_.Start(
        Get(server.url() + "/"), loop.Now() + seconds(20), [&](const Result<Response>& response) {
          EXPECT_TRUE(response);
          if (++done > 1) return;
          for (const CallId call : calls) transport_.Cancel(call);
          transport_.Start(Get(server.url() + "/"), loop.Now() + seconds(20),
                           [&](const Result<Response>&) { loop.Stop(); });
        }));
  }
  loop.Run();
  EXPECT_EQ(done, 1);
}

// What libcurl has read and keeps to itself, no socket tells; see TlsAccess for how that looks.
TEST_F(CurlTransportTest, APollIsShortWhileACallIsUnderWay) {
  std::atomic<bool> asked = false;
  RawServer server([&](RawConnection& connection) {
    connection.ReadRequest();
    asked = true;
    connection.Stall();
  });
  transport_.Start(Get(server.url() + "/"), Clock::now() + seconds(600), [](const auto&) {});
  while (!asked) transport_.Poll(milliseconds(10));
  const Time start = Clock::now();
  transport_.Poll(seconds(60));
  EXPECT_LT(Clock::now() - start, seconds(10));
}

TEST_F(CurlTransportTest, DestructionEndsWhatIsUnderWay) {
  RawServer server([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Stall();
  });
  CurlTransport transport({}, nullptr);
  NetworkLoop loop(transport);
  transport.Start(Get(server.url() + "/"), loop.Now() + seconds(60),
                  [](const Result<Response>&) { FAIL(); });
  loop.At(loop.Now() + milliseconds(50), [&] { loop.Stop(); });
  loop.Run();
}

TEST_F(CurlTransportTest, AProxyThatMakesNoTunnelIsToldFromTheRegistry) {
  const std::pair<int, ErrorKind> cases[] = {
      {407, ErrorKind::kAuth}, {401, ErrorKind::kAuth}, {403, ErrorKind::kConnect}};
  for (const auto& [status, kind] : cases) {
    RawServer proxy([status = status](RawConnection& connection) {
      connection.ReadRequest();
      connection.Send(HttpText(status, "no"));
    });
    ConnectionOptions options;
    options.https_proxy = *ParseProxy(proxy.url());
    Request request = Get("https://registry.invalid/v2/");
    request.connection = std::make_shared<const ConnectionOptions>(options);
    const auto response = Ask(std::move(request));
    ASSERT_FALSE(response) << status;
    EXPECT_EQ(response.error().kind, kind) << status;
    EXPECT_TRUE(response.error().message.starts_with("https://registry.invalid/v2/: the proxy "))
        << response.error().message;
    EXPECT_NE(response.error().message.find(std::to_string(status)), std::string::npos)
        << response.error().message;
  }
}

TEST_F(CurlTransportTest, UsesOnlyTheProxyItIsTold) {
  RawServer proxy([](RawConnection& connection) {
    const std::string request = connection.ReadRequest();
    connection.Send(HttpText(200, request.substr(0, request.find('\r')), ""));
  });
  ConnectionOptions options;
  options.http_proxy = *ParseProxy(proxy.url());
  options.no_proxy = "direct.invalid";
  Request request = Get("http://registry.invalid/v2/");
  request.connection = std::make_shared<const ConnectionOptions>(options);
  const auto response = Ask(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "GET http://registry.invalid/v2/ HTTP/1.1");

  request.url = *Url::Parse("http://direct.invalid/v2/");
  EXPECT_EQ(Ask(request).error().kind, ErrorKind::kDns);

  setenv("http_proxy", proxy.url().c_str(), 1);
  EXPECT_EQ(Ask(Get("http://registry.invalid/v2/")).error().kind, ErrorKind::kDns)
      << "the environment is the command's business";
  unsetenv("http_proxy");
}

TEST_F(CurlTransportTest, AHeadHasNoBodyToWaitFor) {
  RawServer server([](RawConnection& connection) {
    for (std::string head; !(head = connection.ReadRequest()).empty();) {
      EXPECT_TRUE(head.starts_with("HEAD /x HTTP/1.1\r\n")) << head;
      connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: \"x\"\r\n\r\n");
    }
  });
  for (int i = 0; i < 2; ++i) {
    Request request = Get(server.url() + "/x");
    request.method = Method::kHead;
    const auto response = Ask(std::move(request));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->headers.Get("etag"), "\"x\"");
    EXPECT_EQ(response->body, "");
  }
  EXPECT_EQ(server.accepted(), 1) << "the connection is kept";
}

TEST_F(CurlTransportTest, PostsAFormAndThenGetsAgain) {
  RawServer server([&](RawConnection& connection) {
    for (std::string head; !(head = connection.ReadRequest()).empty();) {
      const std::string body = head.starts_with("POST ") ? connection.ReadUntil("b%2Bb") : "";
      const std::string seen = head + body;
      connection.Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(seen.size()) +
                      "\r\n\r\n" + seen);
    }
  });
  Request request = Get(server.url() + "/token");
  request.method = Method::kPost;
  request.form = "grant_type=refresh_token&refresh_token=b%2Bb";
  const auto posted = Ask(std::move(request));
  ASSERT_TRUE(posted) << posted.error().message;
  EXPECT_TRUE(posted->body.starts_with("POST /token HTTP/1.1\r\n")) << posted->body;
  EXPECT_NE(posted->body.find("\r\nContent-Type: application/x-www-form-urlencoded\r\n"),
            std::string::npos)
      << posted->body;
  EXPECT_NE(posted->body.find("\r\nContent-Length: 44\r\n"), std::string::npos) << posted->body;
  EXPECT_TRUE(posted->body.ends_with("\r\n\r\ngrant_type=refresh_token&refresh_token=b%2Bb"));

  const auto got = Ask(Get(server.url() + "/token"));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(got->body.starts_with("GET /token HTTP/1.1\r\n")) << got->body;
  EXPECT_EQ(got->body.find("refresh_token"), std::string::npos) << "handles are used again";
}

TEST_F(CurlTransportTest, OnlyTheProxySeesItsUserAndPassword) {
  const auto echo = [](RawConnection& connection) {
    connection.Send(HttpText(200, connection.ReadRequest()));
  };
  RawServer proxy(echo);
  RawServer direct(echo);
  ConnectionOptions options;
  options.http_proxy = *ParseProxy("http://pro%40xy:pa%3A55@" + proxy.host());
  options.no_proxy = "127.0.0.1";
  Request request = Get("http://registry.invalid/");
  request.connection = std::make_shared<const ConnectionOptions>(options);
  const auto proxied = Ask(request);
  ASSERT_TRUE(proxied) << proxied.error().message;
  EXPECT_NE(proxied->body.find("\r\nProxy-Authorization: Basic cHJvQHh5OnBhOjU1\r\n"),
            std::string::npos)
      << proxied->body;
  request.url = *Url::Parse(direct.url() + "/");
  const auto unproxied = Ask(request);
  ASSERT_TRUE(unproxied) << unproxied.error().message;
  EXPECT_EQ(unproxied->body.find("Proxy-Authorization"), std::string::npos) << unproxied->body;
  EXPECT_EQ(unproxied->body.find("uthorization"), std::string::npos) << unproxied->body;
}

TEST_F(CurlTransportTest, AProxyThatWantsAnotherUserIsAnAuthError) {
  RawServer proxy([](RawConnection& connection) {
    while (!connection.ReadRequest().empty()) {
      connection.Send(
          "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n"
          "Content-Length: 0\r\n\r\n");
    }
  });
  for (const std::string user : {"", "SECRET:SECRET@"}) {
    ConnectionOptions options;
    options.https_proxy = options.http_proxy = *ParseProxy("http://" + user + proxy.host());
    Request request = Get("https://registry.invalid/v2/?SECRET");
    request.connection = std::make_shared<const ConnectionOptions>(options);
    const auto tunnelled = Ask(request);
    ASSERT_FALSE(tunnelled);
    EXPECT_EQ(ReasonName(tunnelled.error().kind), "auth") << tunnelled.error().message;
    EXPECT_TRUE(tunnelled.error().message.starts_with("https://registry.invalid/v2/: the proxy "))
        << tunnelled.error().message;
    EXPECT_EQ(tunnelled.error().message.find("SECRET"), std::string::npos)
        << tunnelled.error().message;
    request.url = *Url::Parse("http://registry.invalid/v2/");
    EXPECT_EQ(Ask(request)->status, 407) << "of plain http it is an answer like others";
  }
}

TEST_F(CurlTransportTest, AProxyThatMakesNoTunnelOrIsNotThereIsNamed) {
  RawServer refusing([](RawConnection& connection) {
    connection.ReadRequest();
    connection.Send(HttpText(502, ""));
  });
  const std::string closed_port = [] { return RawServer([](RawConnection&) {}).url(); }();
  for (const auto& [url, kind] : {std::pair(refusing.url(), ErrorKind::kConnect),
                                  {closed_port, ErrorKind::kConnect},
                                  {std::string("http://proxy.invalid"), ErrorKind::kDns}}) {
    ConnectionOptions options;
    options.https_proxy = *ParseProxy(url);
    Request request = Get("https://registry.invalid/v2/");
    request.connection = std::make_shared<const ConnectionOptions>(options);
    const auto answer = Ask(request);
    ASSERT_FALSE(answer);
    EXPECT_EQ(ReasonName(answer.error().kind), ReasonName(kind)) << answer.error().message;
  }
}

TEST_F(CurlTransportTest, ReadsNoNetrc) {
  RawServer server(
      [](RawConnection& connection) { connection.Send(HttpText(200, connection.ReadRequest())); });
  const testing::TempDir home;
  testing::WriteFile(home / ".netrc", "machine 127.0.0.1 login user password pa55\n");
  const char* const before = std::getenv("HOME");
  const std::string old_home = before == nullptr ? "" : before;
  setenv("HOME", home.path().c_str(), 1);
  const auto answer = Ask(Get(server.url() + "/"));
  setenv("HOME", old_home.c_str(), 1);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body.find("Authorization"), std::string::npos) << answer->body;
}

}  // namespace
}  // namespace registry_backend
