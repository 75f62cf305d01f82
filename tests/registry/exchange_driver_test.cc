#include "exporter/registry/exchange_driver.h"

#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/http/fake_transport.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeLoop;
using testing::FakeTransport;
using testing::MakeResponse;

// The form that Retry-After has besides seconds (RFC 9110 §5.6.7).
std::string HttpDate(WallTime time) {
  const std::time_t whole = WallClock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  std::array<char, 64> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

class RetryCounter final : public RequestObserver {
 public:
  void OnRequest(std::string_view, std::string_view, int, Duration) override {}
  void OnRetry(std::string_view registry, std::string_view reason) override {
    retries.push_back(std::string(registry) + " " + std::string(reason));
  }
  void OnRegistryGone(std::string_view) override {}
  std::vector<std::string> retries;
};

class ExchangeDriverTest : public ::testing::Test {
 protected:
  void Start(const std::string& url) {
    Request request{.url = *Url::Parse(url)};
    request.registry = request.url.host().text();
    driver_.Start(Exchange(std::move(request), "", Exchange::Redirects::kFollow), nullptr,
                  [this, url](Result<Reply> reply, const std::vector<Host>&) {
                    answered_.emplace(url, std::pair(loop_.Now() - begin_, std::move(reply)));
                  });
  }
  // When the answer to `url` came, since the test's begin; nothing where none has come.
  std::optional<Duration> AnsweredAt(const std::string& url) {
    const auto found = answered_.find(url);
    return found == answered_.end() ? std::nullopt : std::optional(found->second.first);
  }

  // The first request is answered by `first_`, all others by 200.
  Response first_ = MakeResponse(429);
  FakeLoop loop_;
  const Time begin_ = loop_.Now();
  std::vector<Duration> asked_;  // when requests came, since the test's begin
  FakeTransport transport_{loop_, [this](const Request&) {
                             asked_.push_back(loop_.Now() - transport_.latency - begin_);
                             return asked_.size() == 1 ? first_ : MakeResponse(200);
                           }};
  Pacer pacer_;
  RetryCounter observer_;
  ExchangeDriver driver_{{loop_, transport_, pacer_, &observer_}, seconds(30)};
  std::map<std::string, std::pair<Duration, Result<Reply>>> answered_;
};

constexpr const char* kA = "https://r.example/a";
constexpr const char* kB = "https://r.example/b";
constexpr const char* kC = "https://r.example/c";
constexpr const char* kOther = "https://other.example/";

TEST_F(ExchangeDriverTest, ARegistryThatIsAskedTooMuchIsLetAloneByAll) {
  const struct {
    int status;
    std::string retry_after;
    Duration least;
    Duration most;
  } kCases[] = {
      {429, "7", seconds(7), seconds(7)},
      {503, "7", seconds(7), seconds(7)},
      {429, "485009", seconds(60), seconds(60)},
      // A date has whole seconds, and the wall clock is between two of them.
      {429, HttpDate(WallClock::now() + seconds(30)), seconds(25), seconds(30)},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(std::to_string(c.status) + " " + c.retry_after);
    first_ = MakeResponse(c.status, "", {{"Retry-After", c.retry_after}});
    const Duration begun = loop_.Now() - begin_;
    asked_.clear();
    answered_.clear();
    Start(kA);
    loop_.Advance(milliseconds(500));
    Start(kB);
    Start(kOther);
    loop_.Advance(seconds(100));
    ASSERT_EQ(asked_.size(), 4U);
    EXPECT_EQ(asked_[1] - begun, milliseconds(500)) << "another registry is no worse off";
    for (const std::size_t later : {2U, 3U}) {
      EXPECT_GE(asked_[later] - begun, c.least);
      EXPECT_LE(asked_[later] - begun, c.most + transport_.latency);
    }
    EXPECT_TRUE(answered_.at(kA).second);
    EXPECT_TRUE(answered_.at(kB).second);
  }
  EXPECT_EQ(observer_.retries,
            (std::vector<std::string>{"r.example rate_limited", "r.example http",
                                      "r.example rate_limited", "r.example rate_limited"}));
}

TEST_F(ExchangeDriverTest, AFailureOfOneRequestDelaysNoOther) {
  for (const Response& first :
       {MakeResponse(503), MakeResponse(500, "", {{"Retry-After", "7"}}), MakeResponse(408)}) {
    first_ = first;
    asked_.clear();
    answered_.clear();
    const Duration begun = loop_.Now() - begin_;
    Start(kA);
    loop_.Advance(transport_.latency);
    Start(kB);
    loop_.Advance(seconds(100));
    EXPECT_EQ(*AnsweredAt(kB) - begun, 2 * transport_.latency) << first.status;
  }
}

TEST_F(ExchangeDriverTest, ThoseThatQueueForTheirTurnWaitTooAndThenKeepThePace) {
  pacer_.Limit(Url::Parse(kA)->origin(), 10);
  first_ = MakeResponse(429, "", {{"Retry-After", "5"}});
  for (const char* url : {kA, kB, kC, kOther}) Start(url);
  loop_.Advance(seconds(4));
  EXPECT_EQ(asked_.size(), 2U) << "the first, and the one to another registry";
  EXPECT_TRUE(AnsweredAt(kOther));
  loop_.Advance(seconds(4));
  const Duration held = seconds(5) + transport_.latency;
  EXPECT_EQ(asked_, (std::vector<Duration>{Duration(0), Duration(0), held, held + milliseconds(100),
                                           held + milliseconds(200)}));
  for (const char* url : {kA, kB, kC}) EXPECT_TRUE(answered_.at(url).second) << url;
}

TEST_F(ExchangeDriverTest, AHoldMayBeProlongedWhileSomeWait) {
  Start(kA);
  pacer_.Hold(Url::Parse(kA)->origin(), loop_.Now() + seconds(5));
  Start(kB);
  loop_.Advance(seconds(3));
  pacer_.Hold(Url::Parse(kA)->origin(), loop_.Now() + seconds(30));
  loop_.Advance(seconds(29));
  EXPECT_FALSE(AnsweredAt(kB));
  loop_.Advance(seconds(2));
  EXPECT_TRUE(AnsweredAt(kB));
}

TEST_F(ExchangeDriverTest, ARegistryThatStaysOverloadedIsAskedFourTimes) {
  RetryCounter observer;
  std::size_t requests = 0;
  FakeTransport busy(loop_, [&](const Request&) {
    ++requests;
    return MakeResponse(429, "", {{"Retry-After", "485009"}});
  });
  ExchangeDriver driver({loop_, busy, pacer_, &observer}, seconds(30));
  std::optional<Result<Reply>> answer;
  driver.Start(
      Exchange({.url = *Url::Parse(kA)}, "", Exchange::Redirects::kFollow), nullptr,
      [&](Result<Reply> reply, const std::vector<Host>&) { answer.emplace(std::move(reply)); });
  loop_.Advance(seconds(181));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().kind, ErrorKind::kRateLimited);
  EXPECT_EQ(requests, 4U);
  EXPECT_EQ(observer.retries.size(), 3U);
}

TEST_F(ExchangeDriverTest, EachTryHasItsOwnDeadline) {
  first_ = MakeResponse(200);
  transport_.latency = seconds(40);
  Start(kA);
  loop_.Advance(seconds(30));
  EXPECT_EQ(observer_.retries, std::vector<std::string>{"r.example timeout"});
  EXPECT_FALSE(AnsweredAt(kA));
  transport_.latency = seconds(20);
  loop_.Advance(seconds(22));
  EXPECT_TRUE(AnsweredAt(kA));
}

TEST_F(ExchangeDriverTest, OneThatIsCancelledWhileItsOriginIsHeldSendsNothing) {
  pacer_.Hold(Url::Parse(kA)->origin(), loop_.Now() + seconds(5));
  const ExchangeId id =
      driver_.Start(Exchange({.url = *Url::Parse(kA)}, "", Exchange::Redirects::kFollow), nullptr,
                    [](const Result<Reply>&, const std::vector<Host>&) { FAIL(); });
  loop_.Advance(seconds(1));
  driver_.Cancel(id);
  loop_.Advance(seconds(60));
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(loop_.pending(), 0U);
}

}  // namespace
}  // namespace registry_backend
