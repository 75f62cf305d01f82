#include "exporter/registry/authenticator.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "exporter/registry/json.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxTokenBytes = std::size_t{128} * 1024;
constexpr std::int64_t kShortestLifeSeconds = 60;  // the protocol's default and least value
constexpr std::int64_t kLongestLifeSeconds = 86400;
constexpr std::size_t kMaxRealms =
    16;  // of a scan; a registry that names more is not to be followed

bool FitsAHeader(std::string_view token) {
  return !token.empty() &&
         std::ranges::all_of(token, [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

Status CheckRealm(const Origin& registry, const Url& realm) {
  const auto refuse = [&](std::string_view why) {
    return Error{ErrorKind::kAuth, "the token realm " + realm.shown() + " that " + registry.text() +
                                       " names may not have its credentials: " + std::string(why)};
  };
  if (realm.has_userinfo()) return refuse("its URL holds a user name");
  if (realm.origin() == registry && (registry.scheme == "https" || registry.host.is_loopback())) {
    return Ok();
  }
  if (realm.origin().scheme != "https") return refuse("it is not https");
  if (!SameSite(registry.host, realm.host())) return refuse("it belongs to another domain");
  return Ok();
}

Status CheckAnonymousRealm(const Origin& registry, const Url& realm) {
  if (realm.origin().scheme == "https" || realm.origin() == registry) return Ok();
  return Error{ErrorKind::kAuth, "the token realm " + realm.shown() + " that " + registry.text() +
                                     " names is not https"};
}

Authenticator::Authenticator(ExchangeDriver& driver, const Loop& loop,
                             const RegistryOptions& options)
    : driver_(driver), loop_(loop), options_(options) {}

void Authenticator::SetCredentials(Credentials credentials) {
  if (credentials == credentials_) return;
  credentials_ = std::move(credentials);
  ForgetToken();
  if (!fetch_) return;
  driver_.Cancel(*std::exchange(fetch_, std::nullopt));
  const Error changed{ErrorKind::kCancelled, "the credentials have changed"};
  for (const Done& done : std::exchange(waiting_, {})) done(changed);
}

void Authenticator::ForgetToken() {
  authorization_.clear();
  renew_at_.reset();
  challenge_.reset();
}

std::set<Host> Authenticator::RealmHosts() const {
  std::set<Host> hosts = realms_named_;
  if (renew_at_) {
    if (const Result<Url> realm = Url::Parse(challenge_->Get("realm"))) hosts.insert(realm->host());
  }
  return hosts;
}

void Authenticator::Current(Done done) {
  if (renew_at_ && loop_.Now() >= *renew_at_) {
    FetchToken(*challenge_, std::move(done));
  } else {
    done(authorization_);
  }
}

void Authenticator::Answer(Exchange::Authorize question, Done done) {
  if (!authorization_.empty() && authorization_ != question.rejected) {
    done(authorization_);  // renewed meanwhile, for someone else
    return;
  }
  const auto find = [&question](std::string_view scheme) {
    return std::ranges::find(question.challenges, scheme, &Challenge::scheme);
  };
  if (const auto bearer = find("bearer"); bearer != question.challenges.end()) {
    FetchToken(*bearer, std::move(done));
  } else if (find("basic") != question.challenges.end()) {
    AnswerBasic(question.rejected, done);
  } else {
    done(Error{ErrorKind::kAuth, options_.registry.origin().text() +
                                     ": status 401 Unauthorized with neither a Basic nor a Bearer "
                                     "challenge"});
  }
}

void Authenticator::AnswerBasic(const std::string& rejected, const Done& done) {
  const std::string registry = options_.registry.origin().text();
  if (credentials_.anonymous()) {
    done(Error{ErrorKind::kAuth, registry + " asks for a user name and a password; none are set"});
    return;
  }
  const std::string basic = BasicAuthorization(credentials_);
  if (basic == rejected) {
    authorization_.clear();
    done(Error{ErrorKind::kAuth, registry + " refuses user '" + credentials_.username +
                                     "': status 401 Unauthorized (wrong or expired password?)"});
    return;
  }
  authorization_ = basic;
  renew_at_.reset();
  done(authorization_);
}

void Authenticator::FetchToken(const Challenge& challenge, Done done) {
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  challenge_ = challenge;
  Result<Request> request = TokenRequest(*challenge_);
  if (!request) {
    OnToken(request.error());
    return;
  }
  const std::string authorization =
      credentials_.anonymous() ? std::string() : BasicAuthorization(credentials_);
  fetch_ = driver_.Start(Exchange(*std::move(request), authorization, Exchange::Redirects::kReport),
                         nullptr, [this](Result<Reply> reply) { OnToken(std::move(reply)); });
}

Result<Request> Authenticator::TokenRequest(const Challenge& challenge) {
  Result<Url> realm = Url::Parse(challenge.Get("realm"));
  if (!realm) {
    return Error{ErrorKind::kProtocol,
                 options_.registry.origin().text() +
                     " names a token realm that is not usable: " + realm.error().message};
  }
  if (realms_named_.size() < kMaxRealms) realms_named_.insert(realm->host());
  const Origin& registry = options_.registry.origin();
  const Status allowed = credentials_.anonymous() ? CheckAnonymousRealm(registry, *realm)
                                                  : CheckRealm(registry, *realm);
  if (!allowed) return allowed.error();
  std::string scope(challenge.Get("scope"));
  if (scope.empty()) scope = "repository:" + options_.repository + ":pull";
  std::string text = realm->text() + (realm->query().empty() ? "?" : "&");
  if (const std::string_view service = challenge.Get("service"); !service.empty()) {
    text += "service=" + PercentEncode(service) + "&";
  }
  Result<Url> url = Url::Parse(text + "scope=" + PercentEncode(scope));
  if (!url) return url.error();

  Request request{
      .url = *std::move(url), .headers = {}, .registry = options_.registry.host().text()};
  request.max_body_bytes = kMaxTokenBytes;
  request.connection = options_.connection;
  request.operation = "token";
  return request;
}

void Authenticator::OnToken(Result<Reply> reply) {
  fetch_.reset();
  const Result<std::string> authorization = ReadToken(std::move(reply));
  authorization_ = authorization ? *authorization : std::string();
  if (!authorization) renew_at_.reset();
  for (const Done& done : std::exchange(waiting_, {})) done(authorization);
}

Result<std::string> Authenticator::ReadToken(Result<Reply> reply) {
  if (!reply) {
    Error error = std::move(reply).error();
    error.message = "no token: " + error.message;
    return error;
  }
  const std::string where = "the token service at " + reply->url.shown();
  if (reply->redirect)
    return Error{ErrorKind::kProtocol, where + " redirects, which is not followed"};
  const auto json = ParseJson(reply->response.body);
  if (!json.is_object()) return Error{ErrorKind::kProtocol, where + " sends no JSON object"};
  std::string token = TextMember(json, "token");
  if (token.empty()) token = TextMember(json, "access_token");
  if (!FitsAHeader(token)) return Error{ErrorKind::kProtocol, where + " sends no usable token"};

  const auto life = json.find("expires_in");
  const std::int64_t seconds =
      std::clamp(life != json.end() && life->is_number_integer() ? life->get<std::int64_t>() : 0,
                 kShortestLifeSeconds, kLongestLifeSeconds);
  renew_at_ = loop_.Now() + std::chrono::seconds(seconds) * 9 / 10;
  return "Bearer " + token;
}

}  // namespace registry_backend
