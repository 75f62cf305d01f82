#include "exporter/config/access_keys.h"

#include <utility>

#include "exporter/config/target_values.h"

namespace registry_backend {
namespace {

CredentialsSource ReadBasicAuth(YamlMapping& yaml) {
  CredentialsSource source{.kind = CredentialsSource::Kind::kBasic};
  yaml.Get("username", source.username);
  yaml.GetPath("username_file", source.username_file);
  yaml.Get("password", source.password);
  yaml.GetPath("password_file", source.password_file);
  yaml.Finish();
  if (source.username.empty() == source.username_file.empty()) {
    yaml.Fail("username_file", "expected either username or username_file");
  }
  if (source.password.empty() == source.password_file.empty()) {
    yaml.Fail("password_file", "expected either password or password_file");
  }
  return source;
}

CredentialsSource ReadAuthorization(YamlMapping& yaml) {
  CredentialsSource source{.kind = CredentialsSource::Kind::kToken};
  std::string type = "Bearer";
  yaml.Get("type", type);
  yaml.Get("credentials", source.token);
  yaml.GetPath("credentials_file", source.token_file);
  yaml.Finish();
  if (type != "Bearer")
    yaml.Fail("type", "expected Bearer, the only type there is (basic_auth is Basic)");
  if (source.token.empty() == source.token_file.empty()) {
    yaml.Fail("credentials_file", "expected either credentials or credentials_file");
  }
  return source;
}

CredentialsSource ReadCredentialsKeys(YamlMapping& yaml) {
  CredentialsSource source;
  std::string docker_config;
  yaml.GetMapping("basic_auth", [&](YamlMapping& auth) { source = ReadBasicAuth(auth); });
  yaml.GetMapping("authorization", [&](YamlMapping& auth) { source = ReadAuthorization(auth); });
  yaml.GetPath("docker_config_file", docker_config);
  if (!docker_config.empty()) {
    source = {.kind = CredentialsSource::Kind::kDockerConfig, .docker_config_file = docker_config};
  }
  const int given = (yaml.Has("basic_auth") ? 1 : 0) + (yaml.Has("authorization") ? 1 : 0) +
                    (docker_config.empty() ? 0 : 1);
  if (given > 1) {
    yaml.Fail(yaml.Has("authorization") ? "authorization" : "docker_config_file",
              "expected only one of basic_auth, authorization and docker_config_file");
  }
  return source;
}

// A realm is sent the credentials: only over TLS, or to this machine itself.
std::vector<Url> ReadTokenRealms(YamlMapping& yaml) {
  std::vector<std::string> texts;
  yaml.Get("token_realms", texts);
  std::vector<Url> realms;
  for (const std::string& text : texts) {
    Result<Url> realm = Url::Parse(text);
    if (!realm) yaml.Fail("token_realms", realm.error().message);
    if (realm->has_userinfo() || !realm->query().empty()) {
      yaml.Fail("token_realms", "'" + realm->shown() +
                                    "' has a user name or a query (expected one like "
                                    "https://auth.example.com/token)");
    }
    if (realm->origin().scheme != "https" && !realm->host().is_loopback()) {
      yaml.Fail("token_realms",
                "'" + realm->shown() + "' is not https: the credentials could be read on the way");
    }
    realms.push_back(*std::move(realm));
  }
  return realms;
}

void ReadTls(YamlMapping& yaml, ConnectionOptions& connection, std::vector<std::string>& warnings) {
  yaml.GetPath("ca_file", connection.ca_file);
  yaml.GetPath("cert_file", connection.cert_file);
  yaml.GetPath("key_file", connection.key_file);
  yaml.Get("server_name", connection.server_name);
  yaml.Get("insecure_skip_verify", connection.insecure_skip_verify);
  yaml.Finish();
  if (connection.cert_file.empty() != connection.key_file.empty()) {
    yaml.Fail(connection.cert_file.empty() ? "key_file" : "cert_file",
              "expected cert_file and key_file together");
  }
  if (!connection.server_name.empty()) {
    const Result<Host> name = Host::Make(connection.server_name);
    if (!name) {
      yaml.Fail("server_name", name.error().message +
                                   " (expected one like registry.example.com, without scheme and "
                                   "port)");
    }
    connection.server_name = name->text();
  }
  if (connection.insecure_skip_verify) {
    warnings.push_back(yaml.Where("insecure_skip_verify") +
                       "the certificates of the registry and its token service are not verified: "
                       "whoever is in between can read the credentials and answer in their place");
  }
}

void ReadProxy(YamlMapping& yaml, const ProxyEnvironment& environment, Access& access) {
  std::string url;
  bool from_environment = false;
  ConnectionOptions& connection = access.connection;
  yaml.Get("proxy_url", url);
  yaml.GetPath("proxy_password_file", access.credentials.proxy_password_file);
  yaml.Get("no_proxy", connection.no_proxy);
  yaml.Get("proxy_from_environment", from_environment);
  if (from_environment) {
    if (!access.credentials.proxy_password_file.empty()) {
      yaml.Fail("proxy_password_file", "expected proxy_url beside it");
    }
    if (!url.empty() || !connection.no_proxy.empty()) {
      yaml.Fail("proxy_from_environment", "expected either this or proxy_url and no_proxy");
    }
    if (Status set = SetProxies(environment, connection); !set) {
      yaml.Fail("proxy_from_environment", set.error().message);
    }
    return;
  }
  if (url.empty()) {
    for (const char* key : {"proxy_password_file", "no_proxy"}) {
      if (yaml.Has(key)) yaml.Fail(key, "expected proxy_url beside it");
    }
    return;
  }
  Result<Proxy> proxy = ParseProxy(url);
  if (!proxy) yaml.Fail("proxy_url", proxy.error().message);
  if (!access.credentials.proxy_password_file.empty()) {
    if (proxy->username.empty()) {
      yaml.Fail("proxy_password_file",
                "expected a user name in proxy_url, as in http://user@proxy");
    }
    if (!proxy->password.empty()) {
      yaml.Fail("proxy_password_file", "expected no password in proxy_url beside it");
    }
  }
  connection.https_proxy = connection.http_proxy = *std::move(proxy);
}

}  // namespace

Access ReadAccess(YamlMapping& target, const ProxyEnvironment& environment,
                  std::vector<std::string>& warnings) {
  Access access;
  access.credentials = ReadCredentialsKeys(target);
  access.token_realms = ReadTokenRealms(target);
  target.GetMapping("tls_config",
                    [&](YamlMapping& tls) { ReadTls(tls, access.connection, warnings); });
  ReadProxy(target, environment, access);
  if (!access.connection.server_name.empty() && !access.connection.no_proxy.empty()) {
    // libcurl would look for the certificate's name among the hosts that need no proxy.
    target.Fail(target.Has("no_proxy") ? "no_proxy" : "proxy_from_environment",
                "expected no tls_config.server_name beside hosts that need no proxy");
  }
  return access;
}

}  // namespace registry_backend
