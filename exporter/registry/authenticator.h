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

  // Both outlive the authenticator.
  Authenticator(ExchangeDriver& driver, Network& network, const RegistryOptions& options);

  // Changed credentials empty the tokens.
  void SetCredentials(Credentials credentials);

  // The Authorization field for a new request by way of `done`, at once or after a token was
  // renewed; empty while no challenge was seen.
  void Current(Done done);

  // The Authorization field that answers `question`. Error kAuth: nothing we have or may show will
  // do.
  void Answer(Exchange::Authorize question, Done done);

  // The hosts of all token realms seen in challenges.
  [[nodiscard]] const std::set<Host>& realm_hosts() const { return realm_hosts_; }

 private:
  void AnswerBasic(const std::string& rejected, const Done& done);
  void FetchToken(const Challenge& challenge, Done done);
  void OnToken(Result<Reply> reply);
  Result<Request> TokenRequest(const Challenge& challenge);
  Result<std::string> ReadToken(Result<Reply> reply);

  ExchangeDriver& driver_;
  Network& network_;
  const RegistryOptions& options_;
  Credentials credentials_;
  std::string authorization_;           // empty: none known
  std::optional<Time> renew_at_;        // of a token
  std::optional<Challenge> challenge_;  // that the token answers
  std::vector<Done> waiting_;           // not empty while a token is being fetched
  std::set<Host> realm_hosts_;
};

// Whether `realm` may be shown the credentials meant for `registry`: https without userinfo at the
// registry's own site (see SameSite), or plain http at a loopback registry's own origin.
Status CheckRealm(const Origin& registry, const Url& realm);

}  // namespace registry_backend
