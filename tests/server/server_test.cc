#include "exporter/server/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>

#include "tests/support/http_get.h"

namespace registry_backend::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::HttpAnswer;
using testing::HttpGet;
using testing::HttpPost;
using ::testing::Not;
using ::testing::StartsWith;

using TestClock = std::chrono::steady_clock;

Request MakeRequest(const std::string& method, const std::string& path) {
  Request request;
  request.method = method;
  request.path = path;
  return request;
}

std::string Body(const Response& response) { return response.body ? *response.body : ""; }

TEST(Request, FindsFieldsInAnyCaseAndParametersExactly) {
  Request request;
  request.fields = {{"Accept", "one"}, {"accept", "two"}, {"Empty", ""}};
  request.query = {{"name", "first"}, {"name", "second"}};
  EXPECT_EQ(request.Field("ACCEPT"), "one");
  EXPECT_EQ(request.Field("Empty"), "");
  EXPECT_EQ(request.Field("accep"), "");
  EXPECT_EQ(request.Parameter("name"), "first");
  EXPECT_EQ(request.Parameter("Name"), "");
}

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    for (const std::string path : {"/read", "/both"}) {
      router_.Add("GET", path, [path](const Request&) { return Response::Text(200, path); });
    }
    for (const std::string path : {"/write", "/both"}) {
      router_.Add("POST", path, [](const Request&) { return Response::Text(202, "done"); });
    }
  }

  // Status, the Allow field, and the body.
  std::string Ask(const std::string& method, const std::string& path) {
    const Response response = router_.Handle(MakeRequest(method, path));
    std::string text = std::to_string(response.status) + " ";
    for (const auto& [name, value] : response.fields) text += name + ": " + value + " ";
    return text + Body(response);
  }

  Router router_;
};

TEST_F(RouterTest, FindsRoutesByExactPathAndMethod) {
  EXPECT_EQ(Ask("GET", "/read"), "200 /read\n");
  EXPECT_EQ(Ask("HEAD", "/read"), "200 /read\n") << "the server leaves the body out";
  EXPECT_EQ(Ask("POST", "/both"), "202 done\n");
  EXPECT_EQ(Ask("HEAD", "/both"), "200 /both\n");
  for (const std::string path : {"", "/", "/read/", "/rea", "/reads", "/READ", "//read"}) {
    EXPECT_EQ(Ask("GET", path), "404 404 page not found\n") << path;
  }
}

TEST_F(RouterTest, SaysWhichMethodsAPathHas) {
  EXPECT_EQ(Ask("POST", "/read"), "405 Allow: GET, HEAD 405 method not allowed\n");
  EXPECT_EQ(Ask("GET", "/write"), "405 Allow: POST 405 method not allowed\n");
  EXPECT_EQ(Ask("HEAD", "/write"), "405 Allow: POST 405 method not allowed\n");
  EXPECT_EQ(Ask("DELETE", "/both"), "405 Allow: GET, HEAD, POST 405 method not allowed\n");
  EXPECT_EQ(Ask("get", "/read"), "405 Allow: GET, HEAD 405 method not allowed\n");
}

// One TCP connection to a server on loopback. Reads give up after a time no working server needs.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }

  void Send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // The head of the next answer and as much body as it announces; what came before the connection
  // closed otherwise.
  std::string ReadAnswer(bool head_only = false) {
    while (buffer_.find("\r\n\r\n") == std::string::npos) {
      if (!Fill()) return std::exchange(buffer_, "");
    }
    std::size_t length = buffer_.find("\r\n\r\n") + 4;
    const std::size_t field = buffer_.find("Content-Length: ");
    if (!head_only && field < length) length += std::stoul(buffer_.substr(field + 16));
    while (buffer_.size() < length) {
      if (!Fill()) return std::exchange(buffer_, "");
    }
    std::string answer = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
  }

  // All that comes until the server closes.
  std::string ReadAll() {
    while (Fill()) {
    }
    return std::exchange(buffer_, "");
  }

 private:
  bool Fill() {
    char data[4096];
    const ssize_t got = recv(fd_, data, sizeof data, 0);
    if (got <= 0) return false;
    buffer_.append(data, static_cast<std::size_t>(got));
    return true;
  }

  const int fd_;
  bool connected_ = false;
  std::string buffer_;
};

// `Server` with routes that show what they were asked.
class ServerTest : public ::testing::Test {
 protected:
  static Router MakeRouter() {
    Router router;
    router.Add("GET", "/", [](const Request&) { return Response::Text(200, "root"); });
    const auto echo = [](const Request& request) {
      std::string text = request.method + " " + request.path;
      for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
      text += " X-Test=" + std::string(request.Field("x-test"));
      return Response::Text(200, text);
    };
    router.Add("GET", "/echo", echo);
    router.Add("POST", "/echo", echo);
    router.Add("GET", "/fields", [](const Request&) {
      Response response = Response::Text(418, "tea");
      response.content_type = "text/html; charset=utf-8";
      response.fields = {{"X-One", "1"}, {"X-Two", "two"}};
      return response;
    });
    router.Add("GET", "/empty", [](const Request&) { return Response{.status = 204}; });
    router.Add("GET", "/large", [](const Request&) {
      Response response;
      response.body = std::make_shared<const std::string>(kLarge, 'x');
      return response;
    });
    router.Add("GET", "/throws",
               [](const Request&) -> Response { throw std::runtime_error("SECRET detail"); });
    router.Add("GET", "/throws-no-exception", [](const Request&) -> Response { throw 1; });
    return router;
  }

  // Serves on the addresses, port 0 of 127.0.0.1 by default.
  void Start(const std::vector<std::string>& addresses = {"127.0.0.1:0"}) {
    const Status started = Try(addresses);
    ASSERT_TRUE(started) << started.error().message;
  }

  Status Try(const std::vector<std::string>& addresses) {
    server_ = Make(addresses);
    return server_->Start();
  }

  static std::unique_ptr<Server> Make(const std::vector<std::string>& addresses,
                                      const std::string& path_prefix = "") {
    ServerOptions options;
    options.path_prefix = path_prefix;
    for (const std::string& text : addresses) {
      options.addresses.push_back(*ParseListenAddress(text));
    }
    return std::make_unique<Server>(std::move(options), MakeRouter(), Logger());
  }

  [[nodiscard]] std::uint16_t port() const { return server_->addresses().at(0).port; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  // How long Stop takes.
  milliseconds Stop() {
    const auto begin = TestClock::now();
    server_->Stop();
    return std::chrono::duration_cast<milliseconds>(TestClock::now() - begin);
  }

  static constexpr std::size_t kLarge = std::size_t{8} * 1024 * 1024;
  // A server that waits for its clients' good will needs longer; CONTRACT.md §4 allows 5 s in all.
  static constexpr auto kStopsWithin = seconds(4);

  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersGet) {
  Start();
  const HttpAnswer answer = HttpGet(url() + "/fields");
  EXPECT_EQ(answer.status, 418) << answer.error;
  EXPECT_EQ(answer.body, "tea\n");
  EXPECT_EQ(answer.Header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(answer.Header("Content-Length"), "4");
  EXPECT_EQ(answer.Header("X-One"), "1");
  EXPECT_EQ(answer.Header("X-Two"), "two");
  EXPECT_EQ(HttpGet(url() + "/empty").status, 204);
}

TEST_F(ServerTest, AnswersHeadWithTheLengthButNoBody) {
  Start();
  for (const std::string path : {"/", "/large"}) {
    Connection connection(port());
    connection.Send("HEAD " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string answer = connection.ReadAll();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer,
                HasSubstr("Content-Length: " + std::to_string(path == "/" ? 5 : kLarge) + "\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
  }
}

TEST_F(ServerTest, GivesRoutesTheRequestDecoded) {
  Start();
  EXPECT_EQ(
      HttpGet(url() + "/ech%6F?b=%26%C3%BC&a=x+y&b=2&c", {.headers = {{"X-TEST", "v: 1"}}}).body,
      "GET /echo a=x y b=&ü b=2 c= X-Test=v: 1\n");
  EXPECT_EQ(HttpGet(url() + "/%65cho").body, "GET /echo X-Test=\n");
  EXPECT_EQ(HttpPost(url() + "/echo?q=1", "q=2&body=3", "application/x-www-form-urlencoded").status,
            200);
}

// As a reverse proxy asks, whether or not it takes its own part of the path away.
TEST_F(ServerTest, FindsRoutesBelowItsPrefixToo) {
  server_ = Make({"127.0.0.1:0"}, "/a/b");
  ASSERT_TRUE(server_->Start());
  EXPECT_EQ(HttpGet(url() + "/a/b/echo?c=1").body, "GET /echo c=1 X-Test=\n");
  EXPECT_EQ(HttpGet(url() + "/echo").body, "GET /echo X-Test=\n");
  EXPECT_EQ(HttpGet(url() + "/a/b").body, "root\n");
  EXPECT_EQ(HttpGet(url() + "/a/b/").body, "root\n");
  for (const char* path : {"/a/becho", "/a/echo", "/a/b/a/b/echo", "/A/b/echo"}) {
    EXPECT_EQ(HttpGet(url() + path).status, 404) << path;
  }
  server_ = Make({"127.0.0.1:0"}, "/e");  // as `/a` before `/api`
  ASSERT_TRUE(server_->Start());
  EXPECT_EQ(HttpGet(url() + "/echo").body, "GET /echo X-Test=\n");
}

TEST_F(ServerTest, AnswersWhatItHasNoRouteFor) {
  Start();
  const HttpAnswer missing = HttpGet(url() + "/missing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "404 page not found\n");
  const HttpAnswer refused = HttpPost(url() + "/", "x");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.Header("Allow"), "GET, HEAD");
  for (const std::string method : {"PUT", "PATCH", "DELETE", "OPTIONS"}) {
    Connection connection(port());
    connection.Send(method + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_THAT(connection.ReadAnswer(), StartsWith("HTTP/1.1 405 ")) << method;
  }
}

TEST_F(ServerTest, SendsALargeBodyWhole) {
  Start();
  const HttpAnswer answer = HttpGet(url() + "/large");
  EXPECT_EQ(answer.body.size(), kLarge) << answer.error;
  EXPECT_EQ(answer.body.find_first_not_of('x'), std::string::npos);
}

TEST_F(ServerTest, ARangeIsNotPassedOffAsTheWhole) {
  Start();
  for (const std::string range : {"bytes=0-1", "bytes=-1", "bytes=0-0,2-3"}) {
    const HttpAnswer answer = HttpGet(url() + "/", {.headers = {{"Range", range}}});
    EXPECT_EQ(answer.status, 200) << range;
    EXPECT_EQ(answer.body, "root\n") << range;
    EXPECT_EQ(answer.Header("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(answer.Header("Content-Range"), "");
  }
}

TEST_F(ServerTest, ARouteThatThrowsIsABare500) {
  Start();
  for (const std::string path : {"/throws", "/throws-no-exception"}) {
    Connection connection(port());
    connection.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = connection.ReadAnswer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n500 internal server error\n"));
    EXPECT_THAT(answer, Not(HasSubstr("SECRET")));
    EXPECT_THAT(answer, Not(HasSubstr("EXCEPTION"))) << answer;
  }
  EXPECT_EQ(HttpGet(url() + "/").status, 200) << "it goes on serving";
}

TEST_F(ServerTest, SurvivesLongAndBrokenRequests) {
  Start();
  const std::string filler(8000, 'a');
  EXPECT_EQ(HttpGet(url() + "/" + filler).status, 404);
  EXPECT_EQ(HttpGet(url() + "/?" + filler).status, 200);
  EXPECT_EQ(HttpGet(url() + "/" + std::string(20'000, 'a')).status, 414);
  for (const std::string head :
       {"GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\r\n\r\n", "\x16\x03\x01\r\n\r\n"}) {
    Connection connection(port());
    connection.Send(head);
    EXPECT_THAT(connection.ReadAnswer(), StartsWith("HTTP/1.1 400 ")) << head;
  }
  Connection brewer(port());
  brewer.Send("BREW / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(brewer.ReadAll(), EndsWith("\r\n\r\n501 Not Implemented\n"));
  EXPECT_EQ(HttpGet(url() + "/").status, 200);
}

TEST_F(ServerTest, DoesNotReadAnEndlessRequest) {
  Start();
  for (const std::string& piece : {std::string("X-Test: y\r\n"), std::string("yyyyyyyy")}) {
    Connection connection(port());
    connection.Send("GET / HTTP/1.1\r\n");
    for (int i = 0; i < 20'000; ++i) connection.Send(piece);
    connection.Send("\r\n\r\n");
    EXPECT_THAT(connection.ReadAll(), Not(HasSubstr("200 OK")));
  }
  Connection chunks(port());
  chunks.Send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_THAT(chunks.ReadAnswer(), StartsWith("HTTP/1.1 411 "));
  Connection packed(port());
  packed.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx");
  EXPECT_THAT(packed.ReadAnswer(), StartsWith("HTTP/1.1 415 "));
  EXPECT_EQ(packed.ReadAll(), "") << "its body is no request";
}

TEST_F(ServerTest, ReadsRequestsThatComeTogether) {
  Start();
  Connection connection(port());
  connection.Send(
      "GET /echo?1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo?2 HTTP/1.1\r\nHost: x\r\n"
      "Content-Length: 4\r\n\r\nbodyGET /echo?3 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(connection.ReadAnswer(), EndsWith("GET /echo 1= X-Test=\n"));
  EXPECT_THAT(connection.ReadAnswer(), EndsWith("POST /echo 2= X-Test=\n"));
  EXPECT_THAT(connection.ReadAnswer(), EndsWith("GET /echo 3= X-Test=\n"));
}

TEST_F(ServerTest, KeepsAConnectionForManyRequests) {
  Start();
  Connection connection(port());
  for (int i = 0; i < 200; ++i) {
    connection.Send("GET /echo?n=" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_THAT(connection.ReadAnswer(),
                EndsWith("GET /echo n=" + std::to_string(i) + " X-Test=\n"));
  }
}

TEST_F(ServerTest, ClosesTheConnectionWhenAskedTo) {
  Start();
  for (const std::string_view head :
       {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    Connection connection(port());
    connection.Send(head);
    EXPECT_THAT(connection.ReadAll(), EndsWith("\r\n\r\nroot\n"));
  }
}

TEST_F(ServerTest, ABodyIsReadAndNotTakenForTheNextRequest) {
  Start();
  const std::string smuggled = "GET /throws HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string length = "Content-Length: " + std::to_string(smuggled.size()) + "\r\n\r\n";
  const std::string chunked =
      "Transfer-Encoding: chunked\r\n\r\n21\r\n" + smuggled + "\r\n0\r\n\r\n";
  ASSERT_EQ(smuggled.size(), 0x21U);
  for (const std::string& request : {"POST /echo HTTP/1.1\r\nHost: x\r\n" + length + smuggled,
                                     "POST /echo HTTP/1.1\r\nHost: x\r\n" + chunked,
                                     "POST /missing HTTP/1.1\r\nHost: x\r\n" + length + smuggled,
                                     "PUT /echo HTTP/1.1\r\nHost: x\r\n" + length + smuggled,
                                     "DELETE /echo HTTP/1.1\r\nHost: x\r\n" + length + smuggled,
                                     "GET /echo HTTP/1.1\r\nHost: x\r\n" + length + smuggled,
                                     "GET /echo HTTP/1.1\r\nHost: x\r\n" + chunked,
                                     "OPTIONS /echo HTTP/1.1\r\nHost: x\r\n" + length + smuggled}) {
    Connection connection(port());
    connection.Send(request);
    EXPECT_THAT(connection.ReadAnswer(), Not(StartsWith("HTTP/1.1 500"))) << request;
    // Closing the connection is as good as reading on.
    connection.Send("GET /echo?second HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string second = connection.ReadAnswer();
    EXPECT_TRUE(second.empty() || second.ends_with("GET /echo second= X-Test=\n"))
        << request << "\n"
        << second;
  }
}

TEST_F(ServerTest, WhatFollowsABodyThatDidNotComeIsNotTakenForARequest) {
  Server server({.addresses = {{"127.0.0.1", 0}}, .read_time = std::chrono::milliseconds(100)},
                MakeRouter(), Logger());
  ASSERT_TRUE(server.Start());
  Connection connection(server.addresses().at(0).port);
  connection.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nten bytes.");
  EXPECT_THAT(connection.ReadAnswer(), Not(StartsWith("HTTP/1.1 200")));
  connection.Send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(connection.ReadAnswer(), "");
}

TEST_F(ServerTest, APostWithoutLengthHasNoBody) {  // RFC 9112 §6.3; curl -X POST sends this
  Start();
  Connection connection(port());
  const auto begin = TestClock::now();
  for (int i = 0; i < 2; ++i) {
    connection.Send("POST /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(connection.ReadAnswer(), EndsWith("\r\n\r\nPOST /echo X-Test=\n"));
  }
  EXPECT_LT(TestClock::now() - begin, seconds(4)) << "it waited for a body";
}

TEST_F(ServerTest, RefusesALargeBody) {
  Start();
  Connection connection(port());
  connection.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  connection.Send(std::string(1'000'000, 'x'));
  EXPECT_THAT(connection.ReadAnswer(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, ServesEachOfItsAddresses) {
  Start({"127.0.0.1:0", "127.0.0.1:0", "[::1]:0"});
  ASSERT_EQ(server_->addresses().size(), 3U);
  for (const ListenAddress& address : server_->addresses()) {
    EXPECT_NE(address.port, 0);
    EXPECT_EQ(HttpGet("http://" + address.text() + "/").body, "root\n") << address.text();
  }
  EXPECT_NE(server_->addresses()[0].port, server_->addresses()[1].port);
  EXPECT_EQ(server_->addresses()[2].host, "::1");
}

TEST_F(ServerTest, WithoutAHostItServesBothFamilies) {
  Start({":0"});
  const std::string end = ":" + std::to_string(port()) + "/";
  EXPECT_EQ(server_->addresses()[0].host, "");
  EXPECT_EQ(HttpGet("http://127.0.0.1" + end).body, "root\n");
  EXPECT_EQ(HttpGet("http://[::1]" + end).body, "root\n");
}

TEST_F(ServerTest, AllOfIpv6IsAllOfBothFamilies) {  // as with exporters in Go
  Start({"[::]:0"});
  const std::string end = ":" + std::to_string(port()) + "/";
  EXPECT_EQ(server_->addresses()[0].host, "::");
  EXPECT_EQ(HttpGet("http://127.0.0.1" + end).body, "root\n");
  EXPECT_EQ(HttpGet("http://[::1]" + end).body, "root\n");
}

TEST_F(ServerTest, APortInUseIsAClearError) {
  Start();
  for (const std::string host : {"127.0.0.1", ""}) {
    const std::string address = host + ":" + std::to_string(port());
    const Status second = Make({address})->Start();
    ASSERT_FALSE(second) << address;
    EXPECT_EQ(second.error().message, "cannot listen on " + address + ": Address already in use");
  }
  EXPECT_EQ(HttpGet(url() + "/").status, 200);
}

TEST_F(ServerTest, AnAddressThatIsNotOursIsAClearError) {
  EXPECT_EQ(Try({"192.0.2.1:0"}).error().message,  // RFC 5737
            "cannot listen on 192.0.2.1:0: Cannot assign requested address");
  const std::string no_name(64, 'a');  // a label may have 63 characters: no name server is asked
  EXPECT_EQ(Try({no_name + ":0"}).error().message,
            "cannot listen on " + no_name + ":0: Name or service not known");
}

TEST_F(ServerTest, WithoutAllOfItsAddressesItServesNone) {
  Start();
  const std::uint16_t taken = port();
  std::uint16_t free = 0;
  {
    const auto other = Make({"127.0.0.1:0"});
    ASSERT_TRUE(other->Start());
    free = other->addresses()[0].port;
  }
  const std::string first = "127.0.0.1:" + std::to_string(free);
  const auto half = Make({first, "127.0.0.1:" + std::to_string(taken)});
  ASSERT_FALSE(half->Start());
  EXPECT_TRUE(half->addresses().empty());
  EXPECT_FALSE(Connection(free).connected()) << "nobody will answer there";
}

TEST_F(ServerTest, StopsAtOnceWithoutConnections) {
  Start({"127.0.0.1:0", "127.0.0.1:0"});
  const std::uint16_t port = this->port();
  EXPECT_LT(Stop(), seconds(2));
  EXPECT_FALSE(Connection(port).connected());
  EXPECT_LT(Stop(), seconds(1)) << "a second time does no harm";
}

TEST_F(ServerTest, StopsWithoutHavingBeenStarted) {
  server_ = Make({"127.0.0.1:0"});
  EXPECT_LT(Stop(), seconds(1));
}

TEST_F(ServerTest, AnIdleConnectionDoesNotHoldUpTheEnd) {
  Start({"127.0.0.1:0", "127.0.0.1:0"});
  Connection used(server_->addresses()[0].port);
  used.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_THAT(used.ReadAnswer(), EndsWith("root\n"));
  Connection unused(server_->addresses()[0].port);
  Connection other(server_->addresses()[1].port);
  other.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_THAT(other.ReadAnswer(), EndsWith("root\n"));
  EXPECT_LT(Stop(), kStopsWithin);
  EXPECT_EQ(used.ReadAll(), "");
}

TEST_F(ServerTest, HalfARequestDoesNotHoldUpTheEnd) {
  Start();
  Connection head(port());
  head.Send("GET / HTTP/1.1\r\nHos");
  Connection body(port());
  body.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  // Answered, so the two before it were accepted.
  Connection whole(port());
  whole.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_THAT(whole.ReadAnswer(), EndsWith("root\n"));
  EXPECT_LT(Stop(), kStopsWithin);
}

TEST_F(ServerTest, AClientThatDoesNotReadDoesNotHoldUpTheEnd) {
  Start();
  Connection stalled(port());
  stalled.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(HttpGet(url() + "/").status, 200);
  EXPECT_LT(Stop(), kStopsWithin);
}

TEST_F(ServerTest, AnswersManyClientsAtOnce) {
  Start();
  std::atomic<int> good = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < 10; ++n) good += HttpGet(url() + "/").status == 200 ? 1 : 0;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 160);
}

}  // namespace
}  // namespace registry_backend::server
