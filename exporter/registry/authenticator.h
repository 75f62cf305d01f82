#pragma once

#include <compare>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/registry/credentials.h"
#include "exporter/registry/exchange_driver.h"
#include "exporter/registry/options.h"

namespace registry_backend {

// Knows how a target's registry wants to be shown credentials: Basic, or Bearer tokens fetched from
// the realm of its challenge (distribution-spec's token protocol: GET, or POST of an identity
// token). Tokens are kept by realm, service and scope; one fetch serves everyone who waits for it.
// Network thread only.
class Authenticator {
 public:
  using Done = std::function<void(Result<std::string>)>;

  // All outlive the authenticator. `observed_as` is Request::registry of its requests.
  Authenticator(ExchangeDriver& driver, const Loop& loop, const RegistryOptions& options,
                std::string observed_as);
  ~Authenticator();  // calls off token fetches
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  // Changed credentials empty the tokens and end a token fetch that is under way.
  void SetCredentials(Credentials credentials);
  // How token services are reached.
  void SetConnection(const std::shared_ptr<const ConnectionOptions>& connection);

  // The Authorization field for a new request by way of `done`, at once or after a token was
  // fetched anew; empty while no challenge was seen. `operation` is Request::operation: registries
  // may want another scope for each. A renewal that fails early leaves the old token in use.
  void Current(std::string_view operation, Done done);

  // The Authorization field that answers `question`, in which there are challenges. Error kAuth:
  // nothing we have or may show will do. After a failed fetch the token service is let alone for
  // some seconds; whoever asks meanwhile is given the same error.
  void Answer(std::string_view operation, const Exchange::Authorize& question, const Done& done);

  // A new scan: forgets realms, failures, and tokens that the last one did not use.
  void BeginScan();
  // The hosts of the token realms named in challenges since BeginScan, and of those whose tokens
  // have served since.
  [[nodiscard]] std::set<Host> RealmHosts() const;

 private:
  // What a token is for, as a challenge says.
  struct TokenKey {
    std::string realm;
    std::string service;
    std::string scope;

    auto operator<=>(const TokenKey&) const = default;
  };
  struct Token {
    std::string authorization;
    Time renew_at;
    Time expires_at;
  };
  struct Failure {
    Error error;
    Time until;
  };
  struct Slot {
    std::optional<Token> token;
    std::optional<Failure> failure;
    std::optional<ExchangeId> fetch;
    std::vector<Done> waiting;  // not empty while a token is being fetched
    bool used = true;           // since BeginScan
  };

  [[nodiscard]] TokenKey KeyOf(const Challenge& challenge) const;
  void AnswerBasic(const std::string& rejected, const Done& done);
  // Drops the token that was refused where one for `wanted` is asked for, unless it is for another
  // kind of operation, for which it may be good.
  void DropRefused(const std::string& rejected, const TokenKey& wanted);
  void AnswerBearer(const TokenKey& key, const Done& done);
  void Use(const TokenKey& key, const Done& done);
  void FetchToken(const TokenKey& key, Done done);
  void SendTokenRequest(const TokenKey& key, bool by_post);
  [[nodiscard]] Result<Request> TokenRequest(const TokenKey& key, bool by_post);
  void OnToken(const TokenKey& key, bool by_post, Result<Reply> reply);
  void EndFetch(Slot& slot, Result<Token> token);
  [[nodiscard]] Result<Token> ReadToken(Result<Reply> reply) const;

  ExchangeDriver& driver_;
  const Loop& loop_;
  const RegistryOptions& options_;
  const std::string observed_as_;
  Credentials credentials_;
  std::shared_ptr<const ConnectionOptions> own_realm_;  // for a realm at the registry's origin
  std::shared_ptr<const ConnectionOptions> other_realm_;
  std::shared_ptr<const ConnectionOptions> foreign_realm_;  // that must not know who we are

  std::string basic_;  // the field's value once the registry has asked for it
  std::map<TokenKey, Slot> slots_;
  std::map<std::string, TokenKey, std::less<>> keys_;  // by operation; "" for one not yet asked
  std::set<Host> realms_named_;
};

// Whether `realm` may be shown the credentials meant for `registry`: https without userinfo at the
// registry's own site (see SameSite), plain http at a loopback registry's own origin, or one that
// `further` names (its origin, and its path where that is not `/`).
Status CheckRealm(const Origin& registry, const Url& realm, const std::vector<Url>& further = {});

// Whether `realm` may be asked for a token without credentials: https without userinfo, or the
// registry's own origin. A registry elsewhere may name none at an address of this machine or its
// link, which only we can reach.
Status CheckAnonymousRealm(const Origin& registry, const Url& realm);

}  // namespace registry_backend
