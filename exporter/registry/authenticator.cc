#include "exporter/registry/authenticator.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "exporter/registry/json.h"

namespace registry_backend {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMaxTokenBytes = std::size_t{128} * 1024;
constexpr std::int64_t kShortestLifeSeconds = 60;  // the protocol's default and least value
constexpr std::int64_t kLongestLifeSeconds = 86400;
// Of a scan; a registry that asks for more is not to be followed.
constexpr std::size_t kMaxTokens = 16;
// A token service that has refused us will do so again; one that has failed may be back soon.
constexpr Duration kRefusalLasts = seconds(30);
constexpr Duration kFailureLasts = seconds(5);
constexpr std::string_view kClientId = "registry_backend_exporter";

bool FitsAHeader(std::string_view token) {
  return !token.empty() &&
         std::ranges::all_of(token, [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

bool Names(const Url& entry, const Url& realm) {
  return entry.origin() == realm.origin() && (entry.path() == "/" || entry.path() == realm.path());
}

}  // namespace

Status CheckRealm(const Origin& registry, const Url& realm, const std::vector<Url>& further) {
  const auto refuse = [&](std::string_view why, bool may_be_named) {
    std::string message = "the token realm " + realm.shown() + " that " + registry.text() +
                          " names may not have its credentials: " + std::string(why);
    if (may_be_named) {
      message += " (if it may have them, put " + realm.origin().text() + " into token_realms)";
    }
    return Error{ErrorKind::kAuth, message};
  };
  if (realm.has_userinfo()) return refuse("its URL holds a user name", false);
  if (std::ranges::any_of(further, [&](const Url& entry) { return Names(entry, realm); })) {
    return Ok();
  }
  if (realm.origin() == registry && (registry.scheme == "https" || registry.host.is_loopback())) {
    return Ok();
  }
  if (realm.origin().scheme != "https") return refuse("it is not https", false);
  if (!SameSite(registry.host, realm.host())) return refuse("it belongs to another domain", true);
  return Ok();
}

Status CheckAnonymousRealm(const Origin& registry, const Url& realm) {
  const auto refuse = [&](std::string_view why) {
    return Error{ErrorKind::kAuth, "the token realm " + realm.shown() + " that " + registry.text() +
                                       " names " + std::string(why)};
  };
  if (realm.has_userinfo()) return refuse("holds a user name");
  if (realm.origin() == registry) return Ok();
  if (realm.origin().scheme != "https") return refuse("is not https");
  if (realm.host().is_local() && !registry.host.is_local()) {
    return refuse("is on this machine or its link");
  }
  return Ok();
}

Authenticator::Authenticator(ExchangeDriver& driver, const Loop& loop,
                             const RegistryOptions& options, std::string observed_as)
    : driver_(driver), loop_(loop), options_(options), observed_as_(std::move(observed_as)) {
  SetConnection(options.connection);
}

Authenticator::~Authenticator() {
  for (const auto& [key, slot] : slots_) {
    if (slot.fetch) driver_.Cancel(*slot.fetch);
  }
}

void Authenticator::SetConnection(const std::shared_ptr<const ConnectionOptions>& connection) {
  own_realm_ = other_realm_ = connection;
  foreign_realm_ = ForStrangers(connection);
  if (!connection || connection->server_name.empty()) return;
  ConnectionOptions other = *connection;
  other.server_name.clear();  // it is the registry's
  other_realm_ = std::make_shared<const ConnectionOptions>(other);
}

void Authenticator::SetCredentials(Credentials credentials) {
  if (credentials == credentials_) return;
  credentials_ = std::move(credentials);
  basic_.clear();
  keys_.clear();
  std::vector<Done> waiting;
  for (auto& [key, slot] : slots_) {
    if (slot.fetch) driver_.Cancel(*slot.fetch);
    std::ranges::move(slot.waiting, std::back_inserter(waiting));
  }
  slots_.clear();
  const Error changed{ErrorKind::kCancelled, "the credentials have changed"};
  for (const Done& done : waiting) done(changed);
}

void Authenticator::BeginScan() {
  realms_named_.clear();
  std::erase_if(slots_,
                [](const auto& slot) { return !slot.second.used && slot.second.waiting.empty(); });
  for (auto& [key, slot] : slots_) {
    slot.failure.reset();
    slot.used = false;
  }
  std::erase_if(keys_, [this](const auto& entry) { return !slots_.contains(entry.second); });
}

Authenticator::TokenKey Authenticator::KeyOf(const Challenge& challenge) const {
  TokenKey key{std::string(challenge.Get("realm")), std::string(challenge.Get("service")),
               std::string(challenge.Get("scope"))};
  if (key.scope.empty()) key.scope = "repository:" + options_.repository + ":pull";
  return key;
}

std::set<Host> Authenticator::RealmHosts() const {
  std::set<Host> hosts = realms_named_;
  for (const auto& [key, slot] : slots_) {
    if (!slot.used || !slot.token) continue;
    if (const Result<Url> realm = Url::Parse(key.realm)) hosts.insert(realm->host());
  }
  return hosts;
}

void Authenticator::Current(std::string_view operation, Done done) {
  if (!credentials_.registry_token.empty()) {
    done("Bearer " + credentials_.registry_token);
    return;
  }
  auto key = keys_.find(operation);
  if (key == keys_.end()) key = keys_.find("");
  if (key == keys_.end()) {
    done(basic_);
    return;
  }
  const Slot& slot = slots_.at(key->second);
  if (slot.token && loop_.Now() < slot.token->renew_at) {
    Use(key->second, done);
  } else if (slot.token) {
    FetchToken(key->second, std::move(done));
  } else if (slot.failure && loop_.Now() < slot.failure->until) {
    done(slot.failure->error);
  } else {
    done(std::string());  // the registry's next challenge may name another realm
  }
}

void Authenticator::Use(const TokenKey& key, const Done& done) {
  Slot& slot = slots_.at(key);
  slot.used = true;
  done(slot.token->authorization);
}

void Authenticator::Answer(std::string_view operation, const Exchange::Authorize& question,
                           const Done& done) {
  const std::vector<Challenge>& challenges = question.challenges.value();
  const auto find = [&challenges](std::string_view scheme) {
    return std::ranges::find(challenges, scheme, &Challenge::scheme);
  };
  const std::string registry = options_.registry.origin().text();
  if (const auto bearer = find("bearer"); bearer != challenges.end()) {
    const TokenKey key = KeyOf(*bearer);
    const Result<Url> realm = Url::Parse(key.realm);
    if (realm && realms_named_.size() < kMaxTokens) realms_named_.insert(realm->host());
    if (!credentials_.registry_token.empty()) {
      done(Error{ErrorKind::kAuth, registry + " refuses the token it was shown: status 401 "
                                              "Unauthorized (expired?)"});
      return;
    }
    if (slots_.size() >= kMaxTokens && !slots_.contains(key)) {
      done(Error{ErrorKind::kAuth, registry + " asks for more than " + std::to_string(kMaxTokens) +
                                       " different tokens"});
      return;
    }
    keys_[std::string(operation)] = keys_[""] = key;
    DropRefused(question.rejected, key);
    AnswerBearer(key, done);
  } else if (find("basic") != challenges.end()) {
    AnswerBasic(question.rejected, done);
  } else {
    done(Error{ErrorKind::kAuth, registry + ": status 401 Unauthorized with neither a Basic nor a "
                                            "Bearer challenge"});
  }
}

void Authenticator::AnswerBasic(const std::string& rejected, const Done& done) {
  const std::string registry = options_.registry.origin().text();
  if (credentials_.username.empty() && credentials_.password.empty()) {
    done(Error{ErrorKind::kAuth,
               registry + (credentials_.anonymous()
                               ? " asks for a user name and a password; there are none for it"
                               : " asks for a user name and a password; only a token is set")});
    return;
  }
  const std::string basic = BasicAuthorization(credentials_);
  if (basic == rejected) {
    basic_.clear();
    done(Error{ErrorKind::kAuth, registry + " refuses user '" + credentials_.username +
                                     "': status 401 Unauthorized (wrong or expired password?)"});
    return;
  }
  basic_ = basic;
  keys_.clear();
  done(basic_);
}

void Authenticator::DropRefused(const std::string& rejected, const TokenKey& wanted) {
  const auto serves_others = [this, &wanted](const TokenKey& key) {
    return key != wanted &&
           std::ranges::any_of(keys_, [&key](const auto& entry) { return entry.second == key; });
  };
  for (auto& [key, slot] : slots_) {
    const bool is_refused = slot.token && slot.token->authorization == rejected;
    if (is_refused && !serves_others(key)) slot.token.reset();
  }
}

void Authenticator::AnswerBearer(const TokenKey& key, const Done& done) {
  const Slot& slot = slots_[key];
  if (slot.token && loop_.Now() < slot.token->renew_at) {
    Use(key, done);  // renewed meanwhile, for someone else
  } else {
    FetchToken(key, done);
  }
}

void Authenticator::FetchToken(const TokenKey& key, Done done) {
  Slot& slot = slots_.at(key);
  slot.used = true;
  if (slot.failure && loop_.Now() < slot.failure->until) {
    done(slot.failure->error);
    return;
  }
  slot.waiting.push_back(std::move(done));
  if (slot.waiting.size() == 1) SendTokenRequest(key, !credentials_.identity_token.empty());
}

void Authenticator::SendTokenRequest(const TokenKey& key, bool by_post) {
  Result<Request> request = TokenRequest(key, by_post);
  if (!request) {
    EndFetch(slots_.at(key), request.error());
    return;
  }
  std::string authorization;
  if (!by_post && !credentials_.anonymous()) {
    Credentials shown = credentials_;
    if (shown.password.empty()) shown.password = shown.identity_token;
    authorization = BasicAuthorization(shown);
  }
  slots_.at(key).fetch =
      driver_.Start(Exchange(*std::move(request), authorization, Exchange::Redirects::kReport),
                    nullptr, [this, key, by_post](Result<Reply> reply, const std::vector<Host>&) {
                      OnToken(key, by_post, std::move(reply));
                    });
}

Result<Request> Authenticator::TokenRequest(const TokenKey& key, bool by_post) {
  Result<Url> realm = Url::Parse(key.realm);
  const Origin& registry = options_.registry.origin();
  if (!realm) {
    return Error{
        ErrorKind::kProtocol,
        registry.text() + " names a token realm that is not usable: " + realm.error().message};
  }
  const Status trusted = CheckRealm(registry, *realm, options_.token_realms);
  const bool asks_for_all = credentials_.anonymous() && !trusted;
  const Status allowed = asks_for_all ? CheckAnonymousRealm(registry, *realm) : trusted;
  if (!allowed) return allowed.error();

  std::string query;
  if (!key.service.empty()) query += "service=" + PercentEncode(key.service) + "&";
  query += "scope=" + PercentEncode(key.scope);
  Request request{.url = *realm, .headers = {}, .registry = observed_as_};
  if (by_post) {
    request.method = Method::kPost;
    request.form = "grant_type=refresh_token&client_id=" + std::string(kClientId) + "&" + query +
                   "&refresh_token=" + PercentEncode(credentials_.identity_token);
  } else {
    Result<Url> url = Url::Parse(realm->text() + (realm->query().empty() ? "?" : "&") + query);
    if (!url) return url.error();
    request.url = *std::move(url);
  }
  request.max_body_bytes = kMaxTokenBytes;
  request.connection = realm->origin() == registry ? own_realm_
                       : trusted                   ? other_realm_
                                                   : foreign_realm_;
  request.operation = "token";
  return request;
}

void Authenticator::OnToken(const TokenKey& key, bool by_post, Result<Reply> reply) {
  Slot& slot = slots_.at(key);
  slot.fetch.reset();
  // Token services that know no POST still take the identity token in a password's place.
  if (by_post && !reply && (reply.error().status == 404 || reply.error().status == 405)) {
    SendTokenRequest(key, false);
    return;
  }
  // OAuth 2 refuses an identity token so (RFC 6749 §5.2).
  if (by_post && !reply && reply.error().status == 400) {
    Error refused = std::move(reply).error();
    refused.kind = ErrorKind::kAuth;
    reply = std::move(refused);
  }
  EndFetch(slot, ReadToken(std::move(reply)));
}

void Authenticator::EndFetch(Slot& slot, Result<Token> token) {
  const Time now = loop_.Now();
  Result<std::string> answer = std::string();
  if (token) {
    slot.token = *std::move(token);
    slot.failure.reset();
    answer = slot.token->authorization;
  } else if (slot.token && now < slot.token->expires_at) {
    slot.token->renew_at = slot.token->expires_at;  // it was early: the old one serves to its end
    answer = slot.token->authorization;
  } else {
    const bool refused = token.error().kind == ErrorKind::kAuth;
    slot.token.reset();
    slot.failure = Failure{token.error(), now + (refused ? kRefusalLasts : kFailureLasts)};
    answer = token.error();
  }
  for (const Done& done : std::exchange(slot.waiting, {})) done(answer);
}

Result<Authenticator::Token> Authenticator::ReadToken(Result<Reply> reply) const {
  if (!reply) {
    Error error = std::move(reply).error();
    error.message = "no token: " + error.message;
    if (error.kind == ErrorKind::kAuth && error.status != 0) {
      error.message += credentials_.anonymous() ? " (it was shown no credentials)"
                                                : " (wrong or expired credentials?)";
    }
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
  const seconds lasts(
      std::clamp(life != json.end() && life->is_number_integer() ? life->get<std::int64_t>() : 0,
                 kShortestLifeSeconds, kLongestLifeSeconds));
  const Time now = loop_.Now();
  return Token{"Bearer " + token, now + lasts * 9 / 10, now + lasts};
}

}  // namespace registry_backend
