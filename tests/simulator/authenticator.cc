#include "tests/simulator/authenticator.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "tests/simulator/answers.h"

namespace registry_backend::simulator {
namespace {

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string Base64(const std::string& text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');  // and a terminating zero
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

std::string RandomToken() {
  std::array<unsigned char, 24> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    throw std::runtime_error("no random numbers");
  }
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string token = "opaque-";
  for (const unsigned byte : random) {
    token += kHex[byte >> 4];
    token += kHex[byte & 15];
  }
  return token;
}

// What follows the scheme, if it is this one.
std::optional<std::string> AuthorizationOf(const HttpRequest& request, std::string_view scheme) {
  if (!EqualIgnoringCase(AuthorizationScheme(request), scheme)) return std::nullopt;
  const std::string header = request.Header("authorization");
  const std::size_t begin = header.find_first_not_of(' ', scheme.size());
  return begin == std::string::npos ? std::string() : header.substr(begin);
}

std::string PullScope(const std::string& repository) {
  return "repository:" + repository + ":pull";
}

// Scopes come in several parameters or in one, divided by spaces; `pull` may be one action of many.
std::vector<std::string> RequestedScopes(const HttpRequest& request) {
  std::vector<std::string> scopes;
  const auto [begin, end] = request.parameters.equal_range("scope");
  for (auto parameter = begin; parameter != end; ++parameter) {
    const std::string& text = parameter->second;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t space = std::min(text.find(' ', at), text.size());
      if (space > at) scopes.push_back(text.substr(at, space - at));
      at = space + 1;
    }
  }
  return scopes;
}

// Whether a scope as `repository:NAME:push,pull` allows to pull from the repository.
bool Allows(const std::string& scope, const std::string& repository) {
  const std::string prefix = "repository:" + repository + ":";
  if (!scope.starts_with(prefix)) return false;
  const std::string actions = "," + scope.substr(prefix.size()) + ",";
  return actions.find(",pull,") != std::string::npos || actions == ",*,";
}

}  // namespace

std::string AuthorizationScheme(const HttpRequest& request) {
  const std::string header = request.Header("authorization");
  return header.substr(0, header.find(' '));
}

bool Authenticator::HasPassword(const HttpRequest& request) const {
  const auto given = AuthorizationOf(request, "Basic");
  return given && *given == Base64(options_.username + ":" + options_.password);
}

HttpAnswer Authenticator::Refuse(const HttpRequest& request, const std::string& repository,
                                 const std::string& error) const {
  HttpAnswer answer = ErrorAnswer(401, "UNAUTHORIZED", "authentication required");
  if (options_.authentication == Authentication::kBasic) {
    answer.headers = {{"WWW-Authenticate", "Basic realm=\"" + options_.service + "\""}};
    return answer;
  }
  const std::string realm = options_.realm.empty() ? request.origin + "/token" : options_.realm;
  std::string challenge = "Bearer realm=\"" + realm + "\",service=\"" + options_.service + "\"";
  if (!repository.empty()) challenge += ",scope=\"" + PullScope(repository) + "\"";
  if (!error.empty()) challenge += ",error=\"" + error + "\"";
  answer.headers = {{"WWW-Authenticate", challenge}};
  return answer;
}

std::optional<HttpAnswer> Authenticator::Challenge(const HttpRequest& request,
                                                   const std::string& repository) {
  switch (options_.authentication) {
    case Authentication::kNone:
      return std::nullopt;
    case Authentication::kBasic:
      if (HasPassword(request)) return std::nullopt;
      return Refuse(request, repository, "");
    case Authentication::kBearer:
      break;
  }
  const auto token = AuthorizationOf(request, "Bearer");
  if (!token) return Refuse(request, repository, "");
  const auto grant = tokens_.find(*token);
  if (grant == tokens_.end()) return Refuse(request, repository, "invalid_token");
  if (std::chrono::steady_clock::now() >= grant->second.expires) {
    tokens_.erase(grant);
    return Refuse(request, repository, "invalid_token");
  }
  const auto allows = [&](const std::string& scope) { return Allows(scope, repository); };
  if (repository.empty() || std::ranges::any_of(grant->second.scopes, allows)) {
    return std::nullopt;
  }
  return Refuse(request, repository, "insufficient_scope");
}

HttpAnswer Authenticator::Token(const HttpRequest& request) {
  if (options_.authentication != Authentication::kBearer) {
    return ErrorAnswer(404, "NOT_FOUND", "this registry gives no tokens");
  }
  if (request.Parameter("service") != options_.service) {
    return ErrorAnswer(400, "UNSUPPORTED", "unknown service", request.Parameter("service"));
  }
  if (request.method == "POST") {
    if (options_.identity_token.empty()) {
      return ErrorAnswer(405, "UNSUPPORTED", "no identity tokens here");
    }
    if (request.Parameter("grant_type") != "refresh_token" ||
        request.Parameter("refresh_token") != options_.identity_token) {
      return ErrorAnswer(401, "UNAUTHORIZED", "wrong identity token");
    }
  } else if (!options_.username.empty() && !HasPassword(request)) {
    HttpAnswer answer = ErrorAnswer(401, "UNAUTHORIZED", "wrong user name or password");
    answer.headers = {{"WWW-Authenticate", "Basic realm=\"" + options_.service + "\""}};
    return answer;
  }
  const std::string token = RandomToken();
  tokens_[token] = {RequestedScopes(request),
                    std::chrono::steady_clock::now() + options_.token_lifetime};
  nlohmann::ordered_json body = {{options_.token_field, token}};
  const auto lifetime = std::chrono::ceil<std::chrono::seconds>(options_.token_lifetime).count();
  const auto announced = options_.announced_expires_in.value_or(static_cast<int>(lifetime));
  if (announced != 0) body["expires_in"] = announced;
  return JsonAnswer(200, body.dump());
}

}  // namespace registry_backend::simulator
