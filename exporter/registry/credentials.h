#pragma once

#include <string>
#include <string_view>

#include "exporter/common/result.h"

namespace registry_backend {

// Where a target's credentials come from, as configured.
struct CredentialsSource {
  enum class Kind { kAnonymous, kBasic };
  Kind kind = Kind::kAnonymous;
  std::string username;
  std::string password;  // one of the two
  std::string
      password_file;  // read at each scan, trailing white space trimmed; `-` is standard input
};

// What is shown to the registry and its token service. A value; never printed.
struct Credentials {
  std::string username;
  std::string password;

  [[nodiscard]] bool anonymous() const { return username.empty() && password.empty(); }
  bool operator==(const Credentials&) const = default;
};

// Reads what `source` names. Blocks on the disk: not for the network thread. Error kCredentials
// names the file.
Result<Credentials> ReadCredentials(const CredentialsSource& source);

// The value of an Authorization field for Basic (RFC 7617).
std::string BasicAuthorization(const Credentials& credentials);

}  // namespace registry_backend
