#include "exporter/registry/exchange.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kMaxTries = 4;
constexpr int kMaxHops = 10;
constexpr std::string_view kApi = "/v2/";
constexpr Duration kFirstBackoff = milliseconds(500);
constexpr Duration kLongestRetryAfter = seconds(60);

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Statuses that a later try may find gone.
bool MayPass(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504;
}

bool MayPass(ErrorKind kind) {
  return kind == ErrorKind::kConnect || kind == ErrorKind::kTimeout || kind == ErrorKind::kDns;
}

ErrorKind KindOfStatus(int status) {
  if (status == 401 || status == 403 || status == 407) return ErrorKind::kAuth;
  if (status == 429) return ErrorKind::kRateLimited;
  return ErrorKind::kHttp;
}

std::string_view StatusText(int status) {
  switch (status) {
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 407:
      return " Proxy Authentication Required";
    case 429:
      return " Too Many Requests";
    default:
      return "";
  }
}

}  // namespace

std::optional<Duration> ParseRetryAfter(std::string_view field, WallTime now) {
  if (field.empty()) return std::nullopt;
  long long whole = 0;
  const auto [end, fault] = std::from_chars(field.data(), field.data() + field.size(), whole);
  if (fault == std::errc::result_out_of_range) return kLongestRetryAfter;
  if (fault == std::errc() && end == field.data() + field.size()) {
    return std::min<Duration>(seconds(std::clamp(whole, 0LL, 3600LL)), kLongestRetryAfter);
  }
  const std::time_t date = curl_getdate(std::string(field).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const auto ahead = date - WallClock::to_time_t(now);
  return std::min<Duration>(seconds(std::clamp<std::time_t>(ahead, 0, 3600)), kLongestRetryAfter);
}

bool MayFollow(const Origin& from, const Url& target) {
  if (target.has_userinfo()) return false;
  if (from.scheme == "https" && target.origin().scheme != "https") return false;
  return !target.host().is_local() || from.host.is_local();
}

Exchange::Exchange(Request request, std::string authorization, Redirects redirects,
                   std::shared_ptr<const ConnectionOptions> elsewhere)
    : home_(request.url.origin()),
      request_(std::move(request)),
      authorization_(std::move(authorization)),
      redirects_(redirects),
      elsewhere_(std::move(elsewhere)),
      has_left_(redirects == Redirects::kFollowAsStranger) {}

Exchange::Step Exchange::On(Event event, double jitter) {
  if (auto* responded = std::get_if<Responded>(&event)) {
    return OnResponse(std::move(*responded), jitter);
  }
  if (auto* authorized = std::get_if<Authorized>(&event)) {
    if (!authorized->authorization) return std::move(authorized->authorization).error();
    authorization_ = std::move(authorized->authorization).value();
  } else if (std::holds_alternative<Waited>(event)) {
    has_authorized_ = false;  // a token may have run out meanwhile
  }
  return SendAgain();
}

Exchange::Step Exchange::SendAgain() {
  Request request = request_;
  if (!authorization_.empty()) request.headers.Add("authorization", authorization_);
  return Send{std::move(request)};
}

Exchange::Step Exchange::OnResponse(Responded event, double jitter) {
  if (event.response) return OnAnswer(std::move(event.response).value(), event.at, jitter);
  Error error = std::move(event.response).error();
  if (MayPass(error.kind)) return RetryOr(std::move(error), std::nullopt, false, jitter);
  return error;
}

Exchange::Step Exchange::OnAnswer(Response response, WallTime at, double jitter) {
  const int status = response.status;
  if (status >= 200 && status < 300) return Reply{std::move(response), request_.url, std::nullopt};
  const bool unchanged = status == 304 && !request_.headers.Get("if-none-match").empty();
  const bool out_of_range = status == 416 && !request_.headers.Get("range").empty();
  if (unchanged || out_of_range) return Reply{std::move(response), request_.url, std::nullopt};
  if (status == 401) return OnUnauthorized(response);
  if (IsRedirect(status)) return OnRedirect(std::move(response));
  if (MayPass(status)) {
    const auto at_least = ParseRetryAfter(response.headers.Get("retry-after"), at);
    const bool hold_origin = status == 429 || (status == 503 && at_least);
    return RetryOr(StatusError(response), at_least, hold_origin, jitter);
  }
  return StatusError(response);
}

// A challenge is answered once: with what we have, or with a fresh token where the one we sent has
// lost its worth. A second refusal is the registry's last word.
Exchange::Step Exchange::OnUnauthorized(const Response& response) {
  if (has_authorized_) {
    Error error = StatusError(response);
    error.message += has_left_ ? ": it is another origin than the target's, and not shown its "
                                 "credentials"
                               : ": the credentials were refused (wrong or expired?)";
    return error;
  }
  has_authorized_ = true;
  return Authorize{request_.url.origin(), has_left_,
                   ParseChallenges(response.headers.GetAll("www-authenticate")), authorization_};
}

Exchange::Step Exchange::OnRedirect(Response response) {
  const std::string_view location = response.headers.Get("location");
  Result<Url> target = request_.url.Resolve(location);
  if (!target) {
    return Error{ErrorKind::kProtocol,
                 request_.url.shown() + ": status " + std::to_string(response.status) +
                     " with a Location that is not usable: " + target.error().message};
  }
  const bool within_registries =
      target->host() == request_.url.host() || target->path().starts_with(kApi);
  if (redirects_ == Redirects::kReport || !within_registries ||
      !MayFollow(request_.url.origin(), *target)) {
    return Reply{std::move(response), request_.url, *std::move(target)};
  }
  if (++hops_ > kMaxHops) {
    return Error{ErrorKind::kProtocol,
                 request_.url.shown() + ": more than " + std::to_string(kMaxHops) + " redirects"};
  }
  return Follow(*std::move(target));
}

Exchange::Step Exchange::Follow(Url target) {
  const bool same_origin = target.origin() == request_.url.origin();
  const bool is_other = target.host() != home_.host;
  request_.url = std::move(target);
  if (is_other && std::ranges::find(others_, request_.url.host()) == others_.end()) {
    others_.push_back(request_.url.host());
  }
  if (same_origin) return SendAgain();
  has_left_ = true;
  has_authorized_ = false;
  authorization_.clear();
  request_.connection = elsewhere_;
  return Authorize{request_.url.origin(), has_left_, std::nullopt, ""};
}

Exchange::Step Exchange::RetryOr(Error error, std::optional<Duration> at_least, bool hold_origin,
                                 double jitter) {
  if (++tries_ >= kMaxTries) {
    error.message += " (after " + std::to_string(kMaxTries) + " tries)";
    return error;
  }
  const Duration ceiling = kFirstBackoff * (1 << tries_);
  const auto backoff =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(ceiling) * jitter);
  return Wait{std::max(backoff, at_least.value_or(Duration::zero())), ReasonName(error.kind),
              hold_origin};
}

Error Exchange::StatusError(const Response& response) const {
  return {KindOfStatus(response.status),
          request_.url.shown() + ": status " + std::to_string(response.status) +
              std::string(StatusText(response.status)),
          response.status};
}

}  // namespace registry_backend
