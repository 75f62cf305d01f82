#pragma once

#include <memory>
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
  Url url;                      // what answered, after all hops
  std::optional<Url> redirect;  // the Location of a redirect that was not followed
};

// One logical request as a state machine without I/O or clock: it answers a challenge once a try,
// asks again after what may pass (408, 429, 500, 502, 503, 504, no connection or a broken one, a
// timeout of one try: at most 4 tries, exponential back-off with full jitter, Retry-After honoured
// up to 60 s) and follows redirects within registries. A 304 is an answer where the request has
// If-None-Match (RFC 9110 §13.1.2), and a 416 where it has Range: there is no such byte (§15.5.17).
// ExchangeDriver sends, waits and authorizes as told.
//
// Of redirects those are followed, 10 at most, that lead to the registry's own host, or to the API
// of another registry, whose paths begin with `/v2/` (OCI distribution-spec, "Endpoints"). Once it
// has left its origin an exchange is shown none of our credentials any more, wherever it is sent.
// Where MayFollow refuses, and everywhere else, the redirect is the answer.
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
  // Find out what may be shown to `origin`. An answer comes as Authorized.
  struct Authorize {
    Origin origin;
    bool has_left = false;  // its own origin: nothing of ours then, but tokens for anyone
    // Empty where it has not been asked yet, but is about to be.
    std::optional<std::vector<Challenge>> challenges;
    std::string rejected;  // the authorization that was refused, or empty
  };
  using Step = std::variant<Send, Wait, Authorize, Result<Reply>>;

  enum class Redirects {
    kFollow,            // within registries
    kFollowAsStranger,  // the same for one that begins at another registry than the target's
    kReport,            // any redirect is the answer
  };

  // `request` without Authorization; `authorization` is sent to the request's origin from the first
  // try on, unless empty. Other origins are reached by `elsewhere`, which must not tell who we are.
  Exchange(Request request, std::string authorization, Redirects redirects,
           std::shared_ptr<const ConnectionOptions> elsewhere = nullptr);

  [[nodiscard]] const Request& request() const { return request_; }
  // The hosts of other registries that it was sent on to, in that order.
  [[nodiscard]] const std::vector<Host>& others() const { return others_; }

  // `jitter` is uniform in [0, 1).
  Step On(Event event, double jitter);

 private:
  Step SendAgain();
  Step OnResponse(Responded event, double jitter);
  Step OnAnswer(Response response, WallTime at, double jitter);
  Step OnUnauthorized(const Response& response);
  Step OnRedirect(Response response);
  Step Follow(Url target);
  Step RetryOr(Error error, std::optional<Duration> at_least, bool hold_origin, double jitter);
  [[nodiscard]] Error StatusError(const Response& response) const;

  const Origin home_;
  Request request_;
  std::string authorization_;
  Redirects redirects_;
  std::shared_ptr<const ConnectionOptions> elsewhere_;
  std::vector<Host> others_;
  bool has_left_ = false;
  int tries_ = 0;
  int hops_ = 0;
  bool has_authorized_ = false;  // since the last wait
};

// Whether a request that `from` answered may be sent on to `target` because it says so. Not to a
// place that only we can reach, or that is to be reached less safely: no plain http after https, no
// user name in the URL, and no address of this machine or its link (127.0.0.0/8, 169.254.0.0/16,
// where clouds keep credentials, and their like), unless `from` is at one itself.
bool MayFollow(const Origin& from, const Url& target);

// The delay that a Retry-After field asks for, at `now` (RFC 9110 §10.2.3: seconds or a date);
// empty where it is missing or malformed.
std::optional<Duration> ParseRetryAfter(std::string_view field, WallTime now);

}  // namespace registry_backend
