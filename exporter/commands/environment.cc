#include "exporter/commands/environment.h"

#include <cstdlib>

namespace registry_backend {
namespace {

std::string EitherCase(const char* lower, const char* upper) {
  std::string value = EnvironmentVariable(lower);
  return value.empty() ? EnvironmentVariable(upper) : value;
}

}  // namespace

std::string EnvironmentVariable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

CredentialsSource CredentialsFromEnvironment() {
  CredentialsSource source;
  source.username = EnvironmentVariable("REGISTRY_USERNAME");
  source.password = EnvironmentVariable("REGISTRY_PASSWORD");
  if (!source.username.empty() || !source.password.empty()) {
    source.kind = CredentialsSource::Kind::kBasic;
  }
  return source;
}

ConnectionOptions ConnectionFromEnvironment() {
  ConnectionOptions connection;
  connection.https_proxy = EitherCase("https_proxy", "HTTPS_PROXY");
  connection.http_proxy = EitherCase("http_proxy", "HTTP_PROXY");
  connection.no_proxy = EitherCase("no_proxy", "NO_PROXY");
  return connection;
}

}  // namespace registry_backend
