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

}  // namespace
}  // namespace registry_backend
