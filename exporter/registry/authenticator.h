#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "exporter/registry/credentials.h"
#include "exporter/registry/exchange_driver.h"
#include "exporter/registry/options.h"

namespace registry_backend {

// Knows how a target's registry wants to be shown credentials: Basic, or Bearer tokens fetched from
// the realm of its challenge (distribution-spec's token protocol). One token fetch serves everyone
// who waits for it. Network thread only.
class Authenticator {
 public:
  using Done = std::function<void(Result<std::string>)>;

  // All outlive the authenticator.
  Authenticator(ExchangeDriver& driver, const Loop& loop, const RegistryOptions& options);

  // Changed credentials empty the tokens and end a token fetch that is under way.
  void SetCredentials(Credentials credentials);

  // The Authorization field for a new request by way of `done`, at once or after a token was
  // renewed; empty while no challenge was seen.
  void Current(Done done);

  // The Authorization field that answers `question`. Error kAuth: nothing we have or may show will
  // do.
  void Answer(Exchange::Authorize question, Done done);

  // The hosts of the token realms named in challenges since the last ForgetRealms, and of the one
  // whose token is in use.
  [[nodiscard]] std::set<Host> RealmHosts() const;
  void ForgetRealms() { realms_named_.clear(); }

 private:
  void ForgetToken();
  void AnswerBasic(const std::string& rejected, const Done& done);
  void FetchToken(const Challenge& challenge, Done done);
  void OnToken(Result<Reply> reply);
  Result<Request> TokenRequest(const Challenge& challenge);
  Result<std::string> ReadToken(Result<Reply> reply);

  ExchangeDriver& driver_;
  const Loop& loop_;
  const RegistryOptions& options_;
  Credentials credentials_;
  std::string authorization_;           // empty: none known
  std::optional<Time> renew_at_;        // of a token; challenge_ is known then
  std::optional<Challenge> challenge_;  // that the token answers, or is to answer
  std::vector<Done> waiting_;           // not empty while a token is being fetched
  std::optional<ExchangeId> fetch_;
  std::set<Host> realms_named_;
};

// Whether `realm` may be shown the credentials meant for `registry`: https without userinfo at the
// registry's own site (see SameSite), or plain http at a loopback registry's own origin.
Status CheckRealm(const Origin& registry, const Url& realm);

// Whether `realm` may be asked for a token without credentials: https, or the registry's own
// origin.
Status CheckAnonymousRealm(const Origin& registry, const Url& realm);

}  // namespace registry_backend
