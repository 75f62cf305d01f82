#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/url/host.h"

namespace registry_backend {

// Where a target's credentials come from, as configured. Files are read at each scan, trailing
// white space is trimmed; a password file `-` is standard input.
struct CredentialsSource {
  enum class Kind {
    kAnonymous,
    kBasic,         // username or username_file, password or password_file
    kToken,         // token or token_file
    kDockerConfig,  // docker_config_file
  };
  Kind kind = Kind::kAnonymous;
  std::string username;
  std::string username_file;
  std::string password;
  std::string password_file;
  std::string token;
  std::string token_file;
  std::string docker_config_file;
  std::string proxy_password_file;  // with any kind

  bool operator==(const CredentialsSource&) const = default;
};

// What is shown to a registry, its token service and a proxy. A value; never printed.
struct Credentials {
  std::string username;
  std::string password;
  // A refresh token for the token service (OAuth 2, RFC 6749 §6), in place of user and password.
  std::string identity_token;
  // A Bearer token (RFC 6750) for the registry itself, shown as it is.
  std::string registry_token;
  // Of the proxy on the way, where it is not part of the connection's options.
  std::string proxy_password;

  // Whether registry and token service are shown nothing.
  [[nodiscard]] bool anonymous() const {
    return username.empty() && password.empty() && identity_token.empty() && registry_token.empty();
  }
  bool operator==(const Credentials&) const = default;
};

// Whom credentials are for.
struct CredentialsSubject {
  Host registry;
  std::string repository;
};

// Reads what `source` names for `subject`. Blocks on the disk and, where a docker config file names
// a credential helper, on that program: not for the network thread. `stop` ends the wait for a
// helper. Error kCredentials names the file or the helper.
Result<Credentials> ReadCredentials(const CredentialsSource& source,
                                    const CredentialsSubject& subject,
                                    const std::stop_token& stop = {});

// The value of an Authorization field for Basic (RFC 7617).
std::string BasicAuthorization(const Credentials& credentials);

}  // namespace registry_backend
