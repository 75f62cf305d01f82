#include "exporter/config/show.h"

#include <yaml-cpp/yaml.h>

#include <array>
#include <charconv>

#include "exporter/common/duration.h"

namespace registry_backend {
namespace {

constexpr const char* kSecret = "<secret>";

void Add(YAML::Emitter& yaml, const char* key, const std::string& value) {
  if (!value.empty()) yaml << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
}

// As short as it is read as the same: yaml-cpp's own form of 0.1 has 17 digits.
std::string Shortest(double value) {
  std::array<char, 400> text{};  // the largest one has 309 digits
  return {
      text.data(),
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr};
}

template <typename Number>
void AddNumber(YAML::Emitter& yaml, const char* key, Number value) {
  yaml << YAML::Key << key << YAML::Value << value;
}

void AddList(YAML::Emitter& yaml, const char* key, const std::vector<std::string>& values) {
  if (values.empty()) return;
  yaml << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginSeq;
  for (const std::string& value : values) yaml << YAML::DoubleQuoted << value;
  yaml << YAML::EndSeq;
}

void BeginMapping(YAML::Emitter& yaml, const char* key) {
  yaml << YAML::Key << key << YAML::Value << YAML::BeginMap;
}

std::string SecretOrNone(const std::string& secret) { return secret.empty() ? "" : kSecret; }

void AddCredentials(YAML::Emitter& yaml, const CredentialsSource& source) {
  switch (source.kind) {
    case CredentialsSource::Kind::kAnonymous:
      break;
    case CredentialsSource::Kind::kBasic:
      BeginMapping(yaml, "basic_auth");
      Add(yaml, "username", source.username);
      Add(yaml, "username_file", source.username_file);
      Add(yaml, "password", SecretOrNone(source.password));
      Add(yaml, "password_file", source.password_file);
      yaml << YAML::EndMap;
      break;
    case CredentialsSource::Kind::kToken:
      BeginMapping(yaml, "authorization");
      Add(yaml, "credentials", SecretOrNone(source.token));
      Add(yaml, "credentials_file", source.token_file);
      yaml << YAML::EndMap;
      break;
    case CredentialsSource::Kind::kDockerConfig:
      Add(yaml, "docker_config_file", source.docker_config_file);
      break;
  }
}

void AddTls(YAML::Emitter& yaml, const ConnectionOptions& connection) {
  const bool has_any = !connection.ca_file.empty() || !connection.cert_file.empty() ||
                       !connection.server_name.empty() || connection.insecure_skip_verify;
  if (!has_any) return;
  BeginMapping(yaml, "tls_config");
  Add(yaml, "ca_file", connection.ca_file);
  Add(yaml, "cert_file", connection.cert_file);
  Add(yaml, "key_file", connection.key_file);
  Add(yaml, "server_name", connection.server_name);
  if (connection.insecure_skip_verify) AddNumber(yaml, "insecure_skip_verify", true);
  yaml << YAML::EndMap;
}

// The environment may name one proxy for each scheme: the one that the registry is reached by.
void AddProxy(YAML::Emitter& yaml, const TargetOptions& target,
              const ConnectionOptions& connection) {
  const bool is_https = target.registry.registry.origin().scheme == "https";
  const Proxy& proxy = is_https ? connection.https_proxy : connection.http_proxy;
  if (proxy.empty()) return;
  std::string url = proxy.url;
  if (!proxy.username.empty()) url.insert(url.find("://") + 3, std::string(kSecret) + "@");
  Add(yaml, "proxy_url", url);
  Add(yaml, "proxy_password_file", target.credentials.proxy_password_file);
  Add(yaml, "no_proxy", connection.no_proxy);
}

void AddScan(YAML::Emitter& yaml, const TargetOptions& target) {
  const ScanOptions& scan = target.scan;
  BeginMapping(yaml, "scan");
  if (target.schedule.cron) {
    Add(yaml, "schedule", target.schedule.cron->text());
  } else {
    Add(yaml, "interval", WriteDuration(target.schedule.interval));
  }
  Add(yaml, "retry_interval", WriteDuration(target.schedule.retry_interval));
  Add(yaml, "timeout", WriteDuration(scan.timeout));
  AddNumber(yaml, "max_concurrency", scan.max_concurrency);
  AddNumber(yaml, "max_requests_per_second", Shortest(scan.max_requests_per_second));
  yaml << YAML::Key << "tags" << YAML::Value << YAML::BeginMap;
  AddList(yaml, "include", scan.tags.include());
  AddList(yaml, "exclude", scan.tags.exclude());
  AddNumber(yaml, "newest", scan.newest_tags);
  yaml << YAML::EndMap;
  AddList(yaml, "platforms", scan.platforms);
  AddNumber(yaml, "absent_after", target.inventory.absent_after);
  Add(yaml, "forget_after", WriteDuration(target.inventory.forget_after));
  yaml << YAML::EndMap;
}

void AddPolicy(YAML::Emitter& yaml, const Policy& policy) {
  std::vector<std::string> hosts;
  for (const HostPattern& host : policy.approved_hosts) hosts.push_back(host.text());
  BeginMapping(yaml, "policy");
  AddList(yaml, "approved_hosts", hosts);
  AddList(yaml, "allowed_regions", policy.allowed_regions);
  yaml << YAML::EndMap;
}

void AddTarget(YAML::Emitter& yaml, const TargetOptions& target) {
  yaml << YAML::BeginMap;
  Add(yaml, "name", target.name);
  Add(yaml, "registry", target.registry.registry.origin().text());
  Add(yaml, "repository", target.registry.repository);
  Add(yaml, "team", target.team);
  AddCredentials(yaml, target.credentials);
  std::vector<std::string> realms;
  for (const Url& realm : target.registry.token_realms) realms.push_back(realm.text());
  AddList(yaml, "token_realms", realms);
  if (target.registry.connection) {
    AddTls(yaml, *target.registry.connection);
    AddProxy(yaml, target, *target.registry.connection);
  }
  AddScan(yaml, target);
  if (target.policy) AddPolicy(yaml, *target.policy);
  yaml << YAML::EndMap;
}

}  // namespace

std::string ShowConfig(const std::vector<TargetOptions>& targets) {
  YAML::Emitter yaml;
  yaml << YAML::BeginMap << YAML::Key << "targets" << YAML::Value << YAML::BeginSeq;
  for (const TargetOptions& target : targets) AddTarget(yaml, target);
  yaml << YAML::EndSeq;
  if (!targets.empty()) {  // the same for all
    BeginMapping(yaml, "metrics");
    AddNumber(yaml, "max_endpoints", targets.front().inventory.max_endpoints);
    AddNumber(yaml, "max_tags", targets.front().inventory.max_tags);
    yaml << YAML::EndMap;
  }
  yaml << YAML::EndMap;
  return std::string(yaml.c_str()) + "\n";
}

}  // namespace registry_backend
