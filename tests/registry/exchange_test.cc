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
                       Exchange::Redirects redirects = Exchange::Redirects::kFollowOwnOrigin) {
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
  ASSERT_EQ(question.challenges.size(), 1U);
  const auto again = exchange.On(Exchange::Authorized{std::string("Bearer new")}, 0);
  EXPECT_EQ(Sent(again).headers.GetAll("authorization"),
            std::vector<std::string_view>{"Bearer new"});
  const auto refused = Responded(exchange, MakeResponse(401));
  EXPECT_EQ(Failure(refused).kind, ErrorKind::kAuth);
  EXPECT_NE(Failure(refused).message.find("refused"), std::string::npos);
}

TEST_F(ExchangeTest, EndsWhereNoAuthorizationIsToBeHad) {
  Exchange exchange = Make();
  exchange.On(Exchange::Began{}, 0);
  Responded(exchange, MakeResponse(401));
  const auto ended = exchange.On(Exchange::Authorized{Error{ErrorKind::kAuth, "none"}}, 0);
  EXPECT_EQ(Failure(ended).message, "none");
}

TEST_F(ExchangeTest, StatusesSayWhatIsWrong) {
  const std::pair<int, ErrorKind> cases[] = {{400, ErrorKind::kHttp},
                                             {403, ErrorKind::kAuth},
                                             {404, ErrorKind::kHttp},
                                             {304, ErrorKind::kHttp},
                                             {501, ErrorKind::kHttp}};
  for (const auto& [status, kind] : cases) {
    Exchange exchange = Make();
    exchange.On(Exchange::Began{}, 0);
    const auto step = Responded(exchange, MakeResponse(status));
    EXPECT_EQ(Failure(step).kind, kind) << status;
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
