#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/simulator/http_message.h"
#include "tests/simulator/options.h"

namespace registry_backend::simulator {

// The Authorization header's scheme as sent, or empty.
std::string AuthorizationScheme(const HttpRequest& request);

// Checks credentials and gives tokens, as Options say. Not thread-safe.
class Authenticator {
 public:
  // Of `options` it keeps what is about authentication.
  explicit Authenticator(const Options& options) : options_(options) {}

  // The 401 to a request that may not pull from `repository`, nothing if it may. An empty
  // repository (the request for /v2/) needs a token of any scope.
  std::optional<HttpAnswer> Challenge(const HttpRequest& request, const std::string& repository);
  // The answer of `/token`.
  HttpAnswer Token(const HttpRequest& request);

  void SetPassword(std::string password) { options_.password = std::move(password); }
  // Tokens given so far are no longer good.
  void RevokeTokens() { tokens_.clear(); }

 private:
  struct Grant {
    std::vector<std::string> scopes;
    std::chrono::steady_clock::time_point expires;
  };

  bool HasPassword(const HttpRequest& request) const;
  HttpAnswer Refuse(const HttpRequest& request, const std::string& repository,
                    const std::string& error) const;

  Options options_;
  std::unordered_map<std::string, Grant> tokens_;
};

}  // namespace registry_backend::simulator
