#include "exporter/commands/environment.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

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

Result<CredentialsSource> CredentialsFromEnvironment() {
  CredentialsSource source;
  source.username = EnvironmentVariable("REGISTRY_USERNAME");
  source.password = EnvironmentVariable("REGISTRY_PASSWORD");
  source.token = EnvironmentVariable("REGISTRY_TOKEN");
  const bool has_basic = !source.username.empty() || !source.password.empty();
  if (has_basic && !source.token.empty()) {
    return Error{
        ErrorKind::kInternal,
        "REGISTRY_TOKEN is set beside REGISTRY_USERNAME or REGISTRY_PASSWORD: expected one "
        "of the two ways"};
  }
  if (has_basic) source.kind = CredentialsSource::Kind::kBasic;
  if (!source.token.empty()) source.kind = CredentialsSource::Kind::kToken;
  if (source.kind != CredentialsSource::Kind::kAnonymous) return source;
  const std::string folder = EnvironmentVariable("DOCKER_CONFIG");
  if (folder.empty()) return source;
  const std::string file = (std::filesystem::path(folder) / "config.json").string();
  std::error_code unreadable;
  if (std::filesystem::exists(file, unreadable)) {
    source.kind = CredentialsSource::Kind::kDockerConfig;
    source.docker_config_file = file;
  }
  return source;
}

ProxyEnvironment ProxiesFromEnvironment() {
  return {EitherCase("https_proxy", "HTTPS_PROXY"), EitherCase("http_proxy", "HTTP_PROXY"),
          EitherCase("no_proxy", "NO_PROXY")};
}

}  // namespace registry_backend
