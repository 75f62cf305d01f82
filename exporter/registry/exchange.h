#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/http/message.h"
#include "exporter/registry/challenge.h"

namespace registry_backend {

// The answer to a logical request: what the last of its HTTP responses said.
struct Reply {
  Response response;
  Url url;                      // what answered, after hops on the same origin
  std::optional<Url> redirect;  // the Location of a redirect that was not followed
};

// One logical request as a state machine without I/O or clock: it answers a challenge once a try,
// asks again after what may pass (408, 429, 500, 502, 503, 504, no connection or a broken one, a
// timeout of one try: at most 4 tries, exponential back-off with full jitter, Retry-After honoured
// up to 60 s) and follows redirects. A 304 is an answer where the request has If-None-Match (RFC
// 9110 §13.1.2). ExchangeDriver sends, waits and authorizes as told.
class Exchange {
 public:
  // What has happened.
  struct Began {};
  struct Responded {
    Result<Response> response;
    WallTime at;  // for a Retry-After that is a date
  };
  struct Waited {};
  struct Authorized {
    Result<std::string> authorization;  // the field's value; an error ends the exchange
  };
  using Event = std::variant<Began, Responded, Waited, Authorized>;

  // What to do next.
  struct Send {
    Request request;
  };
  struct Wait {
    Duration delay;
    std::string_view reason;  // of http_retries_total
    // Not this request alone is too much for the server (429, or a 503 that says when to come
    // back): let its origin alone for as long.
    bool hold_origin = false;
  };
  struct Authorize {
    std::vector<Challenge> challenges;
    std::string rejected;  // the authorization that was refused, or empty
  };
  using Step = std::variant<Send, Wait, Authorize, Result<Reply>>;

  enum class Redirects {
    kFollowOwnOrigin,  // at most 10; one to another origin is the answer
    kReport,           // any redirect is the answer
  };

  // `request` without Authorization; `authorization` is sent to the request's origin from the first
  // try on, unless empty.
  Exchange(Request request, std::string authorization, Redirects redirects);

  [[nodiscard]] const Request& request() const { return request_; }

  // `jitter` is uniform in [0, 1).
  Step On(Event event, double jitter);

 private:
  Step SendAgain();
  Step OnResponse(Responded event, double jitter);
  Step OnAnswer(Response response, WallTime at, double jitter);
  Step OnUnauthorized(const Response& response);
  Step OnRedirect(Response response);
  Step RetryOr(Error error, std::optional<Duration> at_least, bool hold_origin, double jitter);
  [[nodiscard]] Error StatusError(const Response& response) const;

  Request request_;
  std::string authorization_;
  Redirects redirects_;
  int tries_ = 0;
  int hops_ = 0;
  bool has_authorized_ = false;  // since the last wait
};

// The delay that a Retry-After field asks for, at `now` (RFC 9110 §10.2.3: seconds or a date);
// empty where it is missing or malformed.
std::optional<Duration> ParseRetryAfter(std::string_view field, WallTime now);

}  // namespace registry_backend
