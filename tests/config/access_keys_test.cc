#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "exporter/config/config.h"

// The keys of a target that say how its registry is reached and what it is shown.
namespace registry_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = CredentialsSource::Kind;

// A file of one target with these keys; they stand from line 4 on.
std::string File(const std::string& keys) {
  return "targets:\n"
         "  - registry: https://registry.example\n"
         "    repository: team/app\n"
         "    " +
         keys + "\n";
}

Config Parse(const std::string& keys, const ProxyEnvironment& environment = {},
             const std::string& path = "/etc/exporter/f.yml") {
  Result<Config> config = ParseConfig(File(keys), path, environment);
  EXPECT_TRUE(config) << config.error().message;
  return config ? *std::move(config)
                : Config{{{.registry = {*Url::Parse("https://none.example"), "",
                                        std::make_shared<const ConnectionOptions>()}}},
                         {}};
}

CredentialsSource Credentials(const std::string& keys) {
  return Parse(keys).targets.at(0).credentials;
}

ConnectionOptions Connection(const std::string& keys, const ProxyEnvironment& environment = {}) {
  return *Parse(keys, environment).targets.at(0).registry.connection;
}

std::string Fault(const std::string& keys, const ProxyEnvironment& environment = {}) {
  const Result<Config> config = ParseConfig(File(keys), "f.yml", environment);
  return config ? "no error" : config.error().message;
}

struct Case {
  std::string keys;
  std::string error;  // after `f.yml:4:`, or whole
};

void ExpectFaults(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const std::string fault = Fault(c.keys);
    EXPECT_EQ(fault, (c.error.starts_with("f.yml") ? "" : "f.yml:4:") + c.error) << c.keys;
    EXPECT_THAT(fault, Not(HasSubstr("SECRET"))) << c.keys;
  }
}

TEST(AccessKeys, BasicAuthHasAUserNameOrItsFileAndAPasswordOrItsFile) {
  const CredentialsSource files =
      Credentials("basic_auth: {username_file: user.txt, password_file: pass.txt}");
  EXPECT_EQ(files.kind, Kind::kBasic);
  EXPECT_EQ(files.username, "");
  EXPECT_EQ(files.username_file, "/etc/exporter/user.txt");
  EXPECT_EQ(files.password_file, "/etc/exporter/pass.txt");
  const CredentialsSource mixed =
      Credentials("basic_auth: {username_file: /run/user, password: SECRET}");
  EXPECT_EQ(mixed.username_file, "/run/user");
  EXPECT_EQ(mixed.password, "SECRET");

  const std::string user = "targets[0].basic_auth.username_file: ";
  ExpectFaults({
      {"basic_auth: {}", "17: " + user + "expected either username or username_file"},
      {"basic_auth: {username: u, username_file: f, password: SECRET}",
       "46: " + user + "expected either username or username_file"},
      {"basic_auth: {username_file: [f], password: SECRET}",
       "33: " + user + "expected a single value"},
      {"basic_auth: {username_file: f}",
       "17: targets[0].basic_auth.password_file: expected either password or password_file"},
      {"basic_auth: SECRET", "17: targets[0].basic_auth: expected a mapping of keys to values"},
  });
}

TEST(AccessKeys, AuthorizationIsABearerTokenOrItsFile) {
  const CredentialsSource file = Credentials("authorization: {credentials_file: token.txt}");
  EXPECT_EQ(file.kind, Kind::kToken);
  EXPECT_EQ(file.token, "");
  EXPECT_EQ(file.token_file, "/etc/exporter/token.txt");
  const CredentialsSource text =
      Credentials("authorization: {type: Bearer, credentials: \"SECRET\"}");
  EXPECT_EQ(text.kind, Kind::kToken);
  EXPECT_EQ(text.token, "SECRET");

  ExpectFaults({
      {"authorization: {credentials: SECRET, credentials_file: f}",
       "60: targets[0].authorization.credentials_file: expected either credentials or "
       "credentials_file"},
      {"authorization: {type: Basic, credentials: SECRET}",
       "27: targets[0].authorization.type: expected Bearer, the only type there is (basic_auth is "
       "Basic)"},
      {"authorization: {credential: SECRET}",
       "21: targets[0].authorization.credential: unknown key (did you mean credentials? expected "
       "one of credentials, "
       "credentials_file, type)"},
      {"authorization: {credentials: TOP,SECRET}",
       "38: targets[0].authorization: unknown key without a value (a value with a comma needs "
       "quotes)"},
      {"authorization: SECRET",
       "20: targets[0].authorization: expected a mapping of keys to values"},
  });
}

TEST(AccessKeys, ADockerConfigFileIsAPath) {
  const CredentialsSource file = Credentials("docker_config_file: .dockerconfigjson");
  EXPECT_EQ(file.kind, Kind::kDockerConfig);
  EXPECT_EQ(file.docker_config_file, "/etc/exporter/.dockerconfigjson");
  EXPECT_EQ(Credentials("docker_config_file: ''").kind, Kind::kAnonymous);
}

TEST(AccessKeys, OnlyOneOfTheThreeWaysMayBeGiven) {
  const std::string basic = "basic_auth: {username: u, password: SECRET}";
  const std::string token = "authorization: {credentials: SECRET}";
  const std::string docker = "docker_config_file: c.json";
  const std::string error =
      ": expected only one of basic_auth, authorization and docker_config_file";
  ExpectFaults({
      {basic + "\n    " + token, "f.yml:5:20: targets[0].authorization" + error},
      {basic + "\n    " + docker, "f.yml:5:25: targets[0].docker_config_file" + error},
      {token + "\n    " + docker, "20: targets[0].authorization" + error},
      {basic + "\n    " + token + "\n    " + docker,
       "f.yml:5:20: targets[0].authorization" + error},
  });
  EXPECT_EQ(Credentials("basic_auth:\n    authorization:\n    " + docker).kind, Kind::kDockerConfig)
      << "an empty value is as good as none";
}

TEST(AccessKeys, TokenRealmsAreHttpsOrThisMachine) {
  const TargetOptions target =
      Parse("token_realms: [https://auth.example/t, 'http://localhost:5001/t', http://127.0.0.1]")
          .targets.at(0);
  std::vector<std::string> realms;
  for (const Url& realm : target.registry.token_realms) realms.push_back(realm.text());
  EXPECT_THAT(realms, ElementsAre("https://auth.example/t", "http://localhost:5001/t",
                                  "http://127.0.0.1/"));

  const std::string key = "19: targets[0].token_realms: ";
  const std::string odd =
      " has a user name or a query (expected one like "
      "https://auth.example.com/token)";
  ExpectFaults({
      {"token_realms: https://auth.example", key + "expected a list"},
      {"token_realms: [auth.example]",
       key + "'auth.example' is not a usable URL: it does not begin with https:// or http://"},
      {"token_realms: ['http://auth.example/t']",
       key + "'http://auth.example/t' is not https: the credentials could be read on the way"},
      {"token_realms: ['https://u:SECRET@auth.example/t']", key + "'https://auth.example/t'" + odd},
      {"token_realms: ['https://auth.example/t?x=SECRET']", key + "'https://auth.example/t'" + odd},
      {"token_realms: ['https://u:SECRET@a..example']",
       key +
           "'https://a..example' is not a usable URL: 'a..example' is not a host name: a label is "
           "empty"},
  });
}

TEST(AccessKeys, TlsConfigIsRead) {
  EXPECT_EQ(Connection("tls_config: {ca_file: ca.pem, cert_file: /c.pem, key_file: k.pem, "
                       "server_name: Other.Example}"),
            (ConnectionOptions{.ca_file = "/etc/exporter/ca.pem",
                               .cert_file = "/c.pem",
                               .key_file = "/etc/exporter/k.pem",
                               .server_name = "other.example"}));
  const std::string plain = " (expected one like registry.example.com, without scheme and port)";
  ExpectFaults({
      {"tls_config: {key_file: k}",
       "28: targets[0].tls_config.key_file: expected cert_file and key_file together"},
      {"tls_config: {server_name: 'a.example:443'}",
       "31: targets[0].tls_config.server_name: 'a.example:443' is not a host name: it is no IPv6 "
       "address" +
           plain},
      {"tls_config: {server_name: 'a b'}",
       "31: targets[0].tls_config.server_name: 'a b' is not a host name: a character is not "
       "allowed" +
           plain},
      {"tls_config: {ca_file: [a]}", "27: targets[0].tls_config.ca_file: expected a single value"},
  });
}

TEST(AccessKeys, ACertificateThatIsNotVerifiedIsWarnedOf) {
  const Config config = Parse("tls_config: {insecure_skip_verify: true}", {}, "f.yml");
  EXPECT_TRUE(config.targets.at(0).registry.connection->insecure_skip_verify);
  EXPECT_THAT(
      config.warnings,
      ElementsAre("f.yml:4:40: targets[0].tls_config.insecure_skip_verify: the "
                  "certificates of the registry and its token service are not verified: "
                  "whoever is in between can read the credentials and answer in their place"));
  EXPECT_THAT(Parse("tls_config: {insecure_skip_verify: false}").warnings, IsEmpty());
  EXPECT_FALSE(Connection("tls_config: {}").insecure_skip_verify);
}

TEST(AccessKeys, OneProxyIsForBothSchemes) {
  const ConnectionOptions connection = Connection(
      "proxy_url: http://user:p%40ss@proxy.example:3128\n    no_proxy: .internal,10.0.0.0/8");
  EXPECT_EQ(connection.https_proxy, (Proxy{"http://proxy.example:3128", "user", "p@ss"}));
  EXPECT_EQ(connection.http_proxy, connection.https_proxy);
  EXPECT_EQ(connection.no_proxy, ".internal,10.0.0.0/8");
  EXPECT_EQ(Connection("proxy_url: proxy:3128").https_proxy.url, "http://proxy:3128");
  EXPECT_EQ(Connection("proxy_url: socks5h://proxy:1080").http_proxy.url, "socks5h://proxy:1080");
  EXPECT_TRUE(Connection("proxy_url: ''").https_proxy.empty());

  const CredentialsSource source =
      Credentials("proxy_url: http://user@proxy\n    proxy_password_file: proxy.txt");
  EXPECT_EQ(source.kind, Kind::kAnonymous) << "the registry is shown nothing";
  EXPECT_EQ(source.proxy_password_file, "/etc/exporter/proxy.txt");
  EXPECT_EQ(Credentials("authorization: {credentials: SECRET}\n    proxy_url: http://user@proxy\n"
                        "    proxy_password_file: proxy.txt")
                .kind,
            Kind::kToken);
}

TEST(AccessKeys, ErrorsOfProxiesShowNoUserNameAndNoPassword) {
  const std::string url = "16: targets[0].proxy_url: ";
  const std::string usual = " (expected one like http://proxy:3128)";
  const std::string port = "Port number was not a decimal number between 0 and 65535";
  ExpectFaults({
      {"proxy_url: 'ftp://u:SECRET@proxy'", url +
                                                "'proxy' is not a usable proxy: its scheme is none "
                                                "of http, https, socks5, socks5h" +
                                                usual},
      {"proxy_url: 'http://u:SECRET@proxy:99999'",
       url + "'proxy:99999' is not a usable proxy: " + port + usual},
      {"proxy_url: 'http://u:SEC@RET@proxy:port'",
       url + "'proxy' is not a usable proxy: " + port + usual},
      {"proxy_url: 'http://u:SEC/RET@proxy'",
       url + "'proxy' is not a usable proxy: " + port + usual},
      {"proxy_url: 'http://u:SECRET'", url + "'http://u' is not a usable proxy: " + port + usual},
      {"proxy_url: 'http://u:SECRET@'",
       url + "'' is not a usable proxy: No host part in the URL" + usual},
      {"proxy_url: 'http://u:SECRET@proxy/path'",
       url + "'proxy/path' is not a usable proxy: it has a path or a query" + usual},
      {"proxy_url: 'http://proxy?x=SECRET'",
       url + "'http://proxy' is not a usable proxy: it has a path or a query" + usual},
      {"proxy_url: [a]", url + "expected a single value"},
      {"proxy_url: 'http://proxy'\n    proxy_password_file: f",
       "f.yml:5:26: targets[0].proxy_password_file: expected a user name in proxy_url, as in "
       "http://user@proxy"},
      {"proxy_url: 'http://u:SECRET@proxy'\n    proxy_password_file: f",
       "f.yml:5:26: targets[0].proxy_password_file: expected no password in proxy_url beside it"},
      {"proxy_password_file: f",
       "26: targets[0].proxy_password_file: expected proxy_url beside it"},
      {"no_proxy: a", "15: targets[0].no_proxy: expected proxy_url beside it"},
      {"proxy_url: proxy\n    no_proxy: a\n    tls_config: {server_name: b}",
       "f.yml:5:15: targets[0].no_proxy: expected no tls_config.server_name beside hosts that need "
       "no proxy"},
      {"no_proxy: [a]", "15: targets[0].no_proxy: expected a single value"},
  });
}

// A value with a comma falls apart in braces, into a key where no key should show its name.
TEST(AccessKeys, NoErrorShowsHalfOfAUrlsPassword) {
  for (const std::string text :
       {"targets: [{registry: a.example, repository: x, proxy_url: http://u:1,SECRET@proxy}]",
        "targets: [{registry: https://u:1,SECRET@a.example, repository: x}]",
        "targets: [{registry: a.example, repository: x, proxy_url: 'http://u:SECRET'}]"}) {
    const Result<Config> config = ParseConfig(text, "f.yml");
    ASSERT_FALSE(config) << text;
    EXPECT_THAT(config.error().message, Not(HasSubstr("SECRET")));
  }
  EXPECT_THAT(Fault("tam:"), HasSubstr("targets[0].tam: unknown key (did you mean team? "))
      << "without braces it is only misspelt";
}

TEST(AccessKeys, ProxiesMayComeFromTheEnvironment) {
  const ProxyEnvironment environment{"http://u:SECRET@one:3128", "socks5://two:1080", ".internal"};
  const ConnectionOptions connection = Connection("proxy_from_environment: true", environment);
  EXPECT_EQ(connection.https_proxy, (Proxy{"http://one:3128", "u", "SECRET"}));
  EXPECT_EQ(connection.http_proxy, (Proxy{"socks5://two:1080", "", ""}));
  EXPECT_EQ(connection.no_proxy, ".internal");
  EXPECT_EQ(Connection("proxy_from_environment: true"), ConnectionOptions());
  for (const std::string keys : {"team: x", "proxy_from_environment: false"}) {
    EXPECT_EQ(Connection(keys, environment), ConnectionOptions()) << "only where it is asked for";
  }

  const std::string both =
      "29: targets[0].proxy_from_environment: expected either this or "
      "proxy_url and no_proxy";
  ExpectFaults({
      {"proxy_from_environment: true\n    proxy_url: http://u:SECRET@p", both},
      {"proxy_from_environment: true\n    no_proxy: x", both},
      {"proxy_from_environment: true\n    proxy_password_file: f",
       "f.yml:5:26: targets[0].proxy_password_file: expected proxy_url beside it"},
      {"proxy_from_environment: yes",
       "29: targets[0].proxy_from_environment: expected true or false, not 'yes'"},
  });
  EXPECT_EQ(
      Fault("proxy_from_environment: true", {"http://u:SECRET@one:99999", "", ""}),
      "f.yml:4:29: targets[0].proxy_from_environment: HTTPS_PROXY: 'one:99999' is not a usable "
      "proxy: Port number was not a decimal number between 0 and 65535 (expected one like "
      "http://proxy:3128)");
  EXPECT_EQ(Fault("proxy_from_environment: true", {"", "ftp://u:SECRET@two", ""}),
            "f.yml:4:29: targets[0].proxy_from_environment: HTTP_PROXY: 'two' is not a usable "
            "proxy: its scheme is none of http, https, socks5, socks5h (expected one like "
            "http://proxy:3128)");
}

TEST(AccessKeys, RelativePathsStartAtTheFile) {
  const TargetOptions target = Parse(
                                   "tls_config: {ca_file: a, cert_file: b, key_file: c}\n"
                                   "    basic_auth: {username_file: d, password_file: e}\n"
                                   "    proxy_url: http://user@proxy\n    proxy_password_file: f",
                                   {}, "conf/f.yml")
                                   .targets.at(0);
  const ConnectionOptions& connection = *target.registry.connection;
  EXPECT_THAT(
      (std::vector<std::string>{connection.ca_file, connection.cert_file, connection.key_file,
                                target.credentials.username_file, target.credentials.password_file,
                                target.credentials.proxy_password_file}),
      ElementsAre("conf/a", "conf/b", "conf/c", "conf/d", "conf/e", "conf/f"));
}

}  // namespace
}  // namespace registry_backend
