#include <array>
#include <string>

#include "exporter/registry/exchange.h"
#include "exporter/url/text.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// A registry that answers one logical request. First line: how it is asked; each further line: one
// answer, the last one again and again. An answer is one sign for its status or error, one for the
// jitter, one for whether there is an authorization and whether the Location has a secret, and then
// Location|WWW-Authenticate|Retry-After.
namespace registry_backend::testing {
namespace {

constexpr std::array kRedirects = {Exchange::Redirects::kFollow, Exchange::Redirects::kReport};
constexpr std::array kStatuses = {200, 206, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404,
                                  407, 408, 410, 416, 429, 500, 501, 502, 503, 504, 0,   999};
constexpr std::string_view kSecret = "S3CR3T";

// The first request, 3 retries, 10 hops, and a challenge before the first retry, after each, and
// after each hop.
constexpr int kMostSends = 1 + 3 + 10 + 4 + 10;
constexpr int kMostWaits = 3;
constexpr int kMostHops = 10;

class FuzzedExchange {
 public:
  explicit FuzzedExchange(std::string_view input)
      : knows_secret_(input.find(kSecret) != std::string_view::npos),
        input_(input),
        exchange_(Make()) {}

  void Run() {
    Exchange::Step step = exchange_.On(Exchange::Began{}, 0);
    while (!std::holds_alternative<Result<Reply>>(step)) {
      if (!input_.AtEnd()) line_ = input_.Line();
      FuzzedInput line(line_);
      const std::size_t what = line.Below(kStatuses.size() + kReportedErrorKinds.size());
      const double jitter = static_cast<double>(line.Byte()) / 256;
      Exchange::Event event = std::visit(
          [&](const auto& asked) -> Exchange::Event { return Answer(asked, what, line); }, step);
      step = exchange_.On(std::move(event), jitter);
    }
    CheckEnd(std::get<Result<Reply>>(step));
  }

 private:
  Exchange Make() {
    FuzzedInput line(input_.Line());
    const Exchange::Redirects redirects = kRedirects[line.Below(kRedirects.size())];
    if (line.Flag()) sent_ = "Bearer " + std::string(kSecret);
    Request request{.url = *Url::Parse("https://registry.example.com/v2/app/manifests/1?n=1")};
    has_condition_ = line.Flag();
    if (has_condition_) request.headers.Add("If-None-Match", "\"tag\"");
    home_ = request.url.origin();
    request.connection = std::make_shared<const ConnectionOptions>();
    return Exchange(std::move(request), sent_, redirects);
  }

  Exchange::Event Answer(const Exchange::Send& send, std::size_t what, FuzzedInput& line) {
    Require(++sends_ <= kMostSends, "an exchange ends");
    if (was_redirected_) Require(++hops_ <= kMostHops, "so many redirects are followed at most");
    const auto authorizations = send.request.headers.GetAll("authorization");
    Require(authorizations.size() <= 1, "there is one authorization at most");
    const Url& url = send.request.url;
    const bool shows_secret =
        !authorizations.empty() && authorizations.front().find(kSecret) != std::string_view::npos;
    Require(!shows_secret || (url.origin() == *home_ && !has_left_),
            "credentials are for the registry alone", url.text());
    if (url.origin() != *home_) {
      has_left_ = true;
      Require(send.request.connection == nullptr, "others are not told who we are", url.text());
      Require(url.origin().scheme == "https" && !url.has_userinfo() && !url.host().is_local(),
              "it is sent nowhere that is less safe", url.text());
    }
    Require(authorizations.empty() || authorizations.front() == sent_,
            "the authorization is the newest");

    const WallTime now(std::chrono::seconds(1'700'000'000));
    was_redirected_ = what < kStatuses.size() && kStatuses[what] / 100 == 3;
    if (what >= kStatuses.size()) {
      const Error error{kReportedErrorKinds[what - kStatuses.size()], "broken"};
      return Exchange::Responded{error, now};
    }
    Response response{.status = kStatuses[what]};
    const bool is_secret = line.Flag();
    const auto fields = Split(line.Rest(), '|');
    const std::string location(fields[0]);
    response.headers.Add("Location",
                         is_secret ? location + "?sig=" + std::string(kSecret) : location);
    if (fields.size() > 1) response.headers.Add("WWW-Authenticate", fields[1]);
    if (fields.size() > 2) response.headers.Add("Retry-After", fields[2]);
    return Exchange::Responded{std::move(response), now};
  }

  Exchange::Event Answer(const Exchange::Wait& wait, std::size_t /*what*/, FuzzedInput& /*line*/) {
    Require(++waits_ <= kMostWaits, "it is tried four times at most");
    Require(wait.delay >= Duration::zero() && wait.delay <= std::chrono::seconds(60),
            "no wait is longer than a minute");
    Require(
        std::ranges::any_of(kRetriedErrorKinds,
                            [&wait](ErrorKind kind) { return ReasonName(kind) == wait.reason; }),
        "a reason is one of the metric's", wait.reason);
    return Exchange::Waited{};
  }

  Exchange::Event Answer(const Exchange::Authorize& question, std::size_t /*what*/,
                         FuzzedInput& line) {
    if (!question.challenges) {
      Require(question.has_left, "only others are asked about beforehand");
      sent_.clear();
    }
    Require(question.rejected == sent_, "what was refused is what was sent", question.rejected);
    Require(question.has_left || question.origin == *home_, "its own origin it has not left");
    if (line.Flag()) return Exchange::Authorized{Error{ErrorKind::kAuth, "none"}};
    sent_ =
        "Bearer " + std::string(question.has_left ? "anyone" : kSecret) + std::to_string(sends_);
    return Exchange::Authorized{sent_};
  }

  Exchange::Event Answer(const Result<Reply>& /*end*/, std::size_t /*what*/,
                         FuzzedInput& /*line*/) {
    std::abort();  // an end is not answered
  }

  void CheckEnd(const Result<Reply>& end) const {
    if (!end) {
      const std::string& message = end.error().message;
      Require(!message.empty(), "an error says what it is");
      Require(knows_secret_ || message.find(kSecret) == std::string::npos,
              "an error holds no secret", message);
      return;
    }
    const int status = end->response.status;
    if (end->redirect) {
      Require(status > 300 && status < 309, "a redirect has a redirect's status");
    } else {
      Require((status >= 200 && status < 300) || (status == 304 && has_condition_),
              "what is no redirect is an answer");
    }
  }

  bool knows_secret_;
  FuzzedInput input_;
  std::string_view line_;
  std::optional<Origin> home_;
  std::string sent_;  // the authorization
  bool has_condition_ = false;
  bool has_left_ = false;
  int sends_ = 0;
  int waits_ = 0;
  int hops_ = 0;
  bool was_redirected_ = false;
  Exchange exchange_;  // last: made of the others
};

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend::testing;
  FuzzedExchange(FuzzedInput(data, size).Rest()).Run();
  return 0;
}
