#include "exporter/registry/exchange.h"

#include <gtest/gtest.h>

#include "tests/http/fake_transport.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::MakeResponse;

const WallTime kNow = WallTime(seconds(1'700'000'000));

class ExchangeTest : public ::testing::Test {
 protected:
  static Exchange Make(const std::string& authorization = "",
                       Exchange::Redirects redirects = Exchange::Redirects::kFollow) {
    return Exchange(Request{.url = *Url::Parse("https://r.example/v2/a/blobs/x")}, authorization,
                    redirects);
  }
  static Exchange::Step Responded(Exchange& exchange, Result<Response> response,
                                  double jitter = 0.5) {
    return exchange.On(Exchange::Responded{std::move(response), kNow}, jitter);
  }
  static const Request& Sent(const Exchange::Step& step) {
    return std::get<Exchange::Send>(step).request;
  }
  static const Error& Failure(const Exchange::Step& step) {
    return std::get<Result<Reply>>(step).error();
  }
};

TEST_F(ExchangeTest, SendsWhatItWasGivenAndEndsWithTheAnswer) {
  Exchange exchange = Make("Basic abc");
  const auto first = exchange.On(Exchange::Began{}, 0);
  EXPECT_EQ(Sent(first).headers.Get("authorization"), "Basic abc");
  const auto last = Responded(exchange, MakeResponse(200, "body"));
  const auto& reply = std::get<Result<Reply>>(last);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->response.body, "body");
  EXPECT_FALSE(reply->redirect);
}

TEST_F(ExchangeTest, AnswersAChallengeOnce) {
  Exchange exchange = Make("Bearer old");
  exchange.On(Exchange::Began{}, 0);
  const auto asks =
      Responded(exchange, MakeResponse(401, "", {{"WWW-Authenticate", "Bearer realm=x"}}));
  const auto& question = std::get<Exchange::Authorize>(asks);
  EXPECT_EQ(question.rejected, "Bearer old");
  ASSERT_TRUE(question.challenges);
  ASSERT_EQ(question.challenges->size(), 1U);
  const auto again = exchange.On(Exchange::Authorized{std::string("Bearer new")}, 0);
  EXPECT_EQ(Sent(again).headers.GetAll("authorization"),
            std::vector<std::string_view>{"Bearer new"});
  const auto refused = Responded(exchange, MakeResponse(401));
  EXPECT_EQ(Failure(refused).kind, ErrorKind::kAuth);
  EXPECT_NE(Failure(refused).message.find("refused"), std::string::npos);
}

TEST_F(ExchangeTest, AChallengeAfterAPauseIsAnsweredAgain) {
  Exchange exchange = Make("Bearer old");
  exchange.On(Exchange::Began{}, 0);
  Responded(exchange, MakeResponse(401));
  exchange.On(Exchange::Authorized{std::string("Bearer new")}, 0);
  Responded(exchange, MakeResponse(503, "", {{"Retry-After", "60"}}));
  exchange.On(Exchange::Waited{}, 0);
  const auto asks = Responded(exchange, MakeResponse(401));
  ASSERT_TRUE(std::holds_alternative<Exchange::Authorize>(asks)) << "it may have run out meanwhile";
  EXPECT_EQ(std::get<Exchange::Authorize>(asks).rejected, "Bearer new");
  exchange.On(Exchange::Authorized{std::string("Bearer newest")}, 0);
  EXPECT_EQ(Failure(Responded(exchange, MakeResponse(401))).kind, ErrorKind::kAuth);
}

TEST_F(ExchangeTest, UnchangedIsAnAnswerOnlyToWhoAskedForAChange) {
  Request request{.url = *Url::Parse("https://r.example/v2/a/manifests/v1")};
  request.headers.Add("If-None-Match", "\"tag\"");
  Exchange exchange(request, "", Exchange::Redirects::kFollow);
  EXPECT_EQ(Sent(exchange.On(Exchange::Began{}, 0)).headers.Get("if-none-match"), "\"tag\"");
  const auto step = Responded(exchange, MakeResponse(304));
  ASSERT_TRUE(std::get<Result<Reply>>(step));
  EXPECT_EQ(std::get<Result<Reply>>(step)->response.status, 304);

  Exchange plain = Make();
  plain.On(Exchange::Began{}, 0);
  EXPECT_EQ(Failure(Responded(plain, MakeResponse(304))).kind, ErrorKind::kHttp);
}

TEST_F(ExchangeTest, EndsWhereNoAuthorizationIsToBeHad) {
  Exchange exchange = Make();
  exchange.On(Exchange::Began{}, 0);
  Responded(exchange, MakeResponse(401));
  const auto ended = exchange.On(Exchange::Authorized{Error{ErrorKind::kAuth, "none"}}, 0);
  EXPECT_EQ(Failure(ended).message, "none");
}

TEST_F(ExchangeTest, StatusesSayWhatIsWrong) {
  const std::pair<int, ErrorKind> cases[] = {{400, ErrorKind::kHttp}, {403, ErrorKind::kAuth},
                                             {404, ErrorKind::kHttp}, {407, ErrorKind::kAuth},
                                             {410, ErrorKind::kHttp}, {300, ErrorKind::kHttp},
                                             {305, ErrorKind::kHttp}, {501, ErrorKind::kHttp}};
  for (const auto& [status, kind] : cases) {
    Exchange exchange = Make();
    exchange.On(Exchange::Began{}, 0);
    const auto step = Responded(exchange, MakeResponse(status));
    EXPECT_EQ(Failure(step).kind, kind) << status;
    EXPECT_EQ(Failure(step).status, status);
    EXPECT_NE(Failure(step).message.find("https://r.example/v2/a/blobs/x: status " +
                                         std::to_string(status)),
              std::string::npos);
  }
}

TEST_F(ExchangeTest, TriesFourTimesWithGrowingPauses) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    Exchange exchange = Make();
    exchange.On(Exchange::Began{}, 0);
    Duration longest = milliseconds(500);
    for (int pause = 0; pause < 3; ++pause) {
      longest *= 2;
      const auto step = Responded(exchange, MakeResponse(status), 0.5);
      const auto* wait = std::get_if<Exchange::Wait>(&step);
      ASSERT_NE(wait, nullptr) << status;
      EXPECT_EQ(wait->delay, longest / 2);
      EXPECT_EQ(wait->reason, status == 429 ? "rate_limited" : "http");
      EXPECT_TRUE(std::holds_alternative<Exchange::Send>(exchange.On(Exchange::Waited{}, 0)));
    }
    const auto last = Responded(exchange, MakeResponse(status));
    EXPECT_EQ(Failure(last).kind, status == 429 ? ErrorKind::kRateLimited : ErrorKind::kHttp);
    EXPECT_NE(Failure(last).message.find("after 4 tries"), std::string::npos);
  }
}

TEST_F(ExchangeTest, TriesAgainAfterWhatMayPassOnTheWire) {
  for (const auto& [kind, again] : {std::pair(ErrorKind::kConnect, true),
                                    {ErrorKind::kTimeout, true},
                                    {ErrorKind::kDns, true},
                                    {ErrorKind::kTls, false},
                                    {ErrorKind::kProtocol, false}}) {
    Exchange exchange = Make();
    exchange.On(Exchange::Began{}, 0);
    const auto step = Responded(exchange, Error{kind, "broken"});
    EXPECT_EQ(std::holds_alternative<Exchange::Wait>(step), again) << ReasonName(kind);
  }
}

TEST_F(ExchangeTest, TellsWhatIsTooMuchForTheWholeOrigin) {
  const struct {
    int status;
    std::string retry_after;
    bool hold;
  } kCases[] = {{429, "7", true},  {429, "", true},   {503, "7", true}, {503, "", false},
                {503, "x", false}, {500, "7", false}, {502, "", false}};
  for (const auto& c : kCases) {
    Exchange exchange = Make();
    exchange.On(Exchange::Began{}, 0);
    const auto step =
        Responded(exchange, MakeResponse(c.status, "", {{"Retry-After", c.retry_after}}), 0);
    EXPECT_EQ(std::get<Exchange::Wait>(step).hold_origin, c.hold) << c.status << c.retry_after;
    EXPECT_EQ(std::get<Exchange::Wait>(step).delay, c.retry_after == "7" ? seconds(7) : seconds(0))
        << c.status;
  }
}

TEST_F(ExchangeTest, WaitsAsLongAsTheRegistryAsksButNoLongerThanAMinute) {
  const std::pair<std::string, Duration> cases[] = {{"7", seconds(7)},
                                                    {"485009", seconds(60)},
                                                    {"Tue, 14 Nov 2023 22:13:50 GMT", seconds(30)},
                                                    {"99999999999999999999", seconds(60)}};
  for (const auto& [field, delay] : cases) {
    Exchange exchange = Make();
    exchange.On(Exchange::Began{}, 0);
    const auto step = Responded(exchange, MakeResponse(429, "", {{"Retry-After", field}}), 0);
    EXPECT_EQ(std::get<Exchange::Wait>(step).delay, delay) << field;
  }
  EXPECT_FALSE(ParseRetryAfter("soon", kNow));
  EXPECT_FALSE(ParseRetryAfter("", kNow));
  EXPECT_EQ(ParseRetryAfter("-5", kNow), Duration::zero());
  EXPECT_EQ(ParseRetryAfter("-9223372036854775807", kNow), Duration::zero());
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Nov 2000 22:13:50 GMT", kNow), Duration::zero());
}

TEST_F(ExchangeTest, KnowsEveryRedirectAndEveryFormOfLocation) {
  for (const int status : {301, 302, 303, 307, 308}) {
    for (const auto& [location, target] :
         {std::pair("https://cdn.example/x", "https://cdn.example/x"),
          {"//cdn.example/x", "https://cdn.example/x"},
          {"y?z=1", "https://r.example/v2/a/blobs/y?z=1"},
          {"/y", "https://r.example/y"}}) {
      Exchange exchange = Make("", Exchange::Redirects::kReport);
      exchange.On(Exchange::Began{}, 0);
      const auto step = Responded(exchange, MakeResponse(status, "", {{"Location", location}}));
      EXPECT_EQ(std::get<Result<Reply>>(step)->redirect->text(), target) << status;
    }
  }
}

TEST_F(ExchangeTest, FollowsRedirectsWithinItsOriginAndReportsOthers) {
  Exchange exchange = Make("Basic abc");
  exchange.On(Exchange::Began{}, 0);
  const auto hop = Responded(exchange, MakeResponse(302, "", {{"Location", "/v2/elsewhere"}}));
  EXPECT_EQ(Sent(hop).url.text(), "https://r.example/v2/elsewhere");
  EXPECT_EQ(Sent(hop).headers.Get("authorization"), "Basic abc");
  const auto last =
      Responded(exchange, MakeResponse(307, "", {{"Location", "https://cdn.example/x?sig=1"}}));
  const auto& reply = std::get<Result<Reply>>(last);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->redirect->text(), "https://cdn.example/x?sig=1");
  EXPECT_EQ(reply->url.text(), "https://r.example/v2/elsewhere");
}

TEST_F(ExchangeTest, AnotherSchemeOrPortIsAnotherOrigin) {
  for (const std::string location : {"http://r.example/x", "https://r.example:8443/x"}) {
    Exchange exchange = Make("Basic abc");
    exchange.On(Exchange::Began{}, 0);
    const auto step = Responded(exchange, MakeResponse(307, "", {{"Location", location}}));
    EXPECT_EQ(std::get<Result<Reply>>(step)->redirect->text(), location);
  }
}

TEST_F(ExchangeTest, EndsARedirectLoop) {
  Exchange exchange = Make();
  exchange.On(Exchange::Began{}, 0);
  for (int hop = 0; hop < 10; ++hop) {
    const auto step = Responded(exchange, MakeResponse(307, "", {{"Location", "/loop"}}));
    ASSERT_TRUE(std::holds_alternative<Exchange::Send>(step));
  }
  const auto last = Responded(exchange, MakeResponse(307, "", {{"Location", "/loop"}}));
  EXPECT_EQ(Failure(last).kind, ErrorKind::kProtocol);
}

TEST_F(ExchangeTest, AReportedRedirectIsNeverFollowed) {
  Exchange exchange = Make("Basic abc", Exchange::Redirects::kReport);
  exchange.On(Exchange::Began{}, 0);
  const auto step = Responded(exchange, MakeResponse(307, "", {{"Location", "/same-origin"}}));
  EXPECT_TRUE(std::get<Result<Reply>>(step)->redirect);
}

TEST_F(ExchangeTest, ARedirectToNowhereIsAnError) {
  for (const std::string location : {"", "ftp://x/", "https://", "https://a b/?SECRET"}) {
    Exchange exchange = Make();
    exchange.On(Exchange::Began{}, 0);
    const auto step = Responded(exchange, MakeResponse(307, "", {{"Location", location}}));
    EXPECT_EQ(Failure(step).kind, ErrorKind::kProtocol) << location;
    EXPECT_EQ(Failure(step).message.find("SECRET"), std::string::npos);
  }
}

TEST_F(ExchangeTest, OutOfRangeIsAnAnswerOnlyToWhoAskedForARange) {
  Request request{.url = *Url::Parse("https://r.example/v2/a/blobs/x")};
  request.headers.Add("Range", "bytes=0-0");
  Exchange exchange(request, "", Exchange::Redirects::kFollow);
  exchange.On(Exchange::Began{}, 0);
  EXPECT_TRUE(std::get<Result<Reply>>(Responded(exchange, MakeResponse(416))));
  Exchange without = Make();
  without.On(Exchange::Began{}, 0);
  EXPECT_EQ(Failure(Responded(without, MakeResponse(416))).status, 416);
}

// What becomes of a redirect from https://r.example.
class OnwardTest : public ExchangeTest {
 protected:
  static Response To(const std::string& location) {
    return MakeResponse(307, "", {{"Location", location}});
  }
  // Its own connection is by client certificate, that to others without.
  static Exchange Begin() {
    ConnectionOptions own;
    own.cert_file = "client.pem";
    Request request{.url = *Url::Parse("https://r.example/v2/a/blobs/x")};
    request.connection = std::make_shared<const ConnectionOptions>(own);
    Exchange exchange(std::move(request), "Basic SECRET", Exchange::Redirects::kFollow,
                      std::make_shared<const ConnectionOptions>());
    exchange.On(Exchange::Began{}, 0);
    return exchange;
  }
  static std::vector<std::string> Names(const std::vector<Host>& hosts) {
    std::vector<std::string> names;
    for (const Host& host : hosts) names.push_back(host.text());
    return names;
  }
};

TEST_F(OnwardTest, AnotherRegistryIsAskedWithoutAnythingOfOurs) {
  Exchange exchange = Begin();
  const auto asks = Responded(exchange, To("https://behind.example/v2/b/blobs/x?sig=1"));
  const auto& question = std::get<Exchange::Authorize>(asks);
  EXPECT_EQ(question.origin.text(), "https://behind.example");
  EXPECT_TRUE(question.has_left);
  EXPECT_FALSE(question.challenges) << "it has not been asked yet";
  EXPECT_EQ(question.rejected, "");
  const auto sent = exchange.On(Exchange::Authorized{std::string()}, 0);
  EXPECT_EQ(Sent(sent).url.text(), "https://behind.example/v2/b/blobs/x?sig=1");
  EXPECT_EQ(Sent(sent).headers.Get("authorization"), "");
  EXPECT_EQ(Sent(sent).connection->cert_file, "");
  const auto last = Responded(exchange, To("https://cdn.example/x"));
  EXPECT_EQ(std::get<Result<Reply>>(last)->redirect->host().text(), "cdn.example");
  EXPECT_EQ(Names(exchange.others()), std::vector<std::string>{"behind.example"});
}

TEST_F(OnwardTest, AnotherRegistryMayWantATokenThatAnyoneIsGiven) {
  Exchange exchange = Begin();
  Responded(exchange, To("https://behind.example/v2/b/blobs/x"));
  exchange.On(Exchange::Authorized{std::string()}, 0);
  const auto asks =
      Responded(exchange, MakeResponse(401, "", {{"WWW-Authenticate", "Bearer realm=x"}}));
  const auto& question = std::get<Exchange::Authorize>(asks);
  EXPECT_TRUE(question.has_left);
  EXPECT_EQ(question.challenges->size(), 1U);
  const auto again = exchange.On(Exchange::Authorized{std::string("Bearer anyone")}, 0);
  EXPECT_EQ(Sent(again).headers.Get("authorization"), "Bearer anyone");
  const auto refused = Responded(exchange, MakeResponse(401));
  EXPECT_EQ(Failure(refused).kind, ErrorKind::kAuth);
  EXPECT_NE(Failure(refused).message.find("another origin"), std::string::npos);
}

TEST_F(OnwardTest, SentBackItIsShownNothingEither) {
  Exchange exchange = Begin();
  Responded(exchange, To("https://behind.example/v2/b/blobs/x"));
  exchange.On(Exchange::Authorized{std::string("Bearer anyone")}, 0);
  const auto back = Responded(exchange, To("https://r.example/v2/a/blobs/other"));
  EXPECT_TRUE(std::get<Exchange::Authorize>(back).has_left);
  const auto sent = exchange.On(Exchange::Authorized{std::string()}, 0);
  EXPECT_EQ(Sent(sent).url.text(), "https://r.example/v2/a/blobs/other");
  EXPECT_EQ(Sent(sent).headers.Get("authorization"), "");
  EXPECT_EQ(Sent(sent).connection->cert_file, "");
  EXPECT_EQ(Names(exchange.others()), std::vector<std::string>{"behind.example"});
}

TEST_F(OnwardTest, ItsOwnHostOnTlsIsFollowedButIsAnotherOrigin) {
  Request request{.url = *Url::Parse("http://r.example/v2/a/blobs/x")};
  Exchange exchange(std::move(request), "Basic SECRET", Exchange::Redirects::kFollow);
  exchange.On(Exchange::Began{}, 0);
  const auto asks = Responded(exchange, To("https://r.example/blob"));
  EXPECT_TRUE(std::get<Exchange::Authorize>(asks).has_left);
  EXPECT_TRUE(exchange.others().empty());
}

TEST_F(OnwardTest, RegistriesThatSendItRoundAreLeftAfterTenHops) {
  Exchange exchange = Begin();
  for (int hop = 0; hop < 10; ++hop) {
    const auto asks = Responded(
        exchange, To("https://" + std::string(hop % 2 == 0 ? "a" : "b") + ".example/v2/x"));
    ASSERT_TRUE(std::holds_alternative<Exchange::Authorize>(asks)) << hop;
    exchange.On(Exchange::Authorized{std::string()}, 0);
  }
  EXPECT_EQ(Failure(Responded(exchange, To("https://a.example/v2/x"))).kind, ErrorKind::kProtocol);
  EXPECT_EQ(Names(exchange.others()), (std::vector<std::string>{"a.example", "b.example"}));
}

TEST_F(OnwardTest, OnlyWhatLiesUnderTheApiIsAnotherRegistry) {
  for (const std::string location :
       {"https://cdn.example/v2", "https://cdn.example/v2x/", "https://cdn.example/docker/v2/x",
        "https://cdn.example/?/v2/", "https://cdn.example/V2/x", "https://cdn.example/v2/../x"}) {
    Exchange exchange = Begin();
    const auto step = Responded(exchange, To(location));
    ASSERT_TRUE(std::holds_alternative<Result<Reply>>(step)) << location;
    EXPECT_EQ(std::get<Result<Reply>>(step)->redirect->host().text(), "cdn.example") << location;
  }
}

TEST(MayFollow, NotToAPlaceThatOnlyWeCanReachOrReachLessSafely) {
  const struct {
    std::string from;
    std::string target;
    bool follows;
  } kCases[] = {
      {"https://r.example", "https://behind.example/v2/x", true},
      {"https://r.example", "https://10.0.0.7/v2/x", true},
      {"http://r.example", "http://behind.example/v2/x", true},
      {"http://r.example", "https://behind.example/v2/x", true},
      {"https://r.example", "http://behind.example/v2/x", false},
      {"https://r.example", "http://r.example/v2/x", false},
      {"https://r.example", "https://user@behind.example/v2/x", false},
      {"https://r.example", "https://user:SECRET@behind.example/v2/x", false},
      {"http://r.example", "http://169.254.169.254/v2/latest", false},
      {"http://r.example", "http://0xa9fea9fe/v2/latest", false},
      {"http://r.example", "http://2852039166/v2/latest", false},
      {"http://r.example", "http://[::ffff:169.254.169.254]/v2/latest", false},
      {"http://r.example", "http://[fe80::1]/v2/x", false},
      {"http://r.example", "http://127.0.0.1:9877/v2/x", false},
      {"http://r.example", "http://127.9.9.9/v2/x", false},
      {"http://r.example", "http://localhost/v2/x", false},
      {"http://r.example", "http://x.localhost./v2/x", false},
      {"http://r.example", "http://[::1]/v2/x", false},
      {"http://r.example", "http://[::]/v2/x", false},
      {"http://r.example", "http://[::ffff:127.0.0.1]/v2/x", false},
      {"http://r.example", "http://[::127.0.0.1]/v2/x", false},
      {"http://r.example", "http://0.0.0.0/v2/x", false},
      {"http://127.0.0.1:5000", "http://127.0.0.2:5000/v2/x", true},
      {"http://localhost:5000", "http://[::1]:5000/v2/x", true},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(MayFollow(Url::Parse(c.from)->origin(), *Url::Parse(c.target)), c.follows)
        << c.from << " to " << c.target;
  }
}

}  // namespace
}  // namespace registry_backend
