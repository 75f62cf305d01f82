#include "exporter/config/web_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using server::ClientAuth;
using server::TlsVersion;
using ::testing::ElementsAre;
using ::testing::Pair;

const std::string kHash = "$2y$10$" + std::string(53, 'a');
const std::string kTls = "tls_server_config:\n  cert_file: a.crt\n  key_file: /etc/a.key\n";

server::SecurityOptions Read(const std::string& text) {
  Result<server::SecurityOptions> options = ParseWebConfig(text, "dir/w.yml");
  EXPECT_TRUE(options) << (options ? "" : options.error().message);
  return options ? *options : server::SecurityOptions();
}

std::string FaultOf(const std::string& text) {
  const Result<server::SecurityOptions> options = ParseWebConfig(text, "w.yml");
  return options ? "none" : options.error().message;
}

TEST(WebConfig, AnEmptyFileAsksNothing) {
  for (const char* text : {"", "# nothing\n", "tls_server_config: {}\n", "tls_server_config:\n",
                           "basic_auth_users:\n", "rate_limit: {}\n"}) {
    const server::SecurityOptions options = Read(text);
    EXPECT_FALSE(options.tls) << text;
    EXPECT_TRUE(options.users.empty() && options.demands.empty()) << text;
  }
}

TEST(WebConfig, ReadsEveryKey) {
  const server::SecurityOptions options = Read(
      kTls +
      "  client_auth_type: RequireAndVerifyClientCert\n"
      "  client_ca_file: ca.pem\n"
      "  client_allowed_sans: [prometheus.example, 10.0.0.1]\n"
      "  min_version: TLS11\n"
      "  max_version: TLS12\n"
      "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]\n"
      "  prefer_server_cipher_suites: false\n"
      "  curve_preferences: [X25519, CurveP256]\n"
      "http_server_config:\n"
      "  http2: false\n"
      "  headers: {X-Frame-Options: sameorigin, X-XSS-Protection: 1, Content-Security-Policy: }\n"
      "basic_auth_users: {alice: " +
      kHash + ", \"b:ob\": " + kHash +
      "}\n"
      "rate_limit: {interval: 500ms, burst: 3}\n");
  ASSERT_TRUE(options.tls);
  EXPECT_EQ(options.tls->certificate.file, "dir/a.crt");
  EXPECT_EQ(options.tls->certificate.where, "dir/w.yml:2:14: tls_server_config.cert_file: ");
  EXPECT_EQ(options.tls->key.file, "/etc/a.key");
  EXPECT_EQ(options.tls->client_ca.file, "dir/ca.pem");
  EXPECT_EQ(options.tls->client_auth, ClientAuth::kRequireAndVerify);
  EXPECT_THAT(options.tls->allowed_sans, ElementsAre("prometheus.example", "10.0.0.1"));
  EXPECT_EQ(options.tls->min_version, TlsVersion::kTls11);
  EXPECT_EQ(options.tls->max_version, TlsVersion::kTls12);
  EXPECT_THAT(options.tls->suites, ElementsAre("ECDHE-RSA-AES256-GCM-SHA384"));
  EXPECT_FALSE(options.tls->prefer_server_suites);
  EXPECT_THAT(options.tls->groups, ElementsAre("X25519", "P-256"));
  EXPECT_THAT(options.headers,
              ElementsAre(Pair("X-Frame-Options", "sameorigin"), Pair("X-XSS-Protection", "1")));
  EXPECT_THAT(options.users, ElementsAre(Pair("alice", kHash), Pair("b:ob", kHash)));
  EXPECT_EQ(options.rate_limit.interval, std::chrono::milliseconds(500));
  EXPECT_EQ(options.rate_limit.burst, 3U);
  EXPECT_THAT(options.demands,
              ElementsAre("basic_auth_users", "client_allowed_sans", "client_auth_type"));
}

TEST(WebConfig, KeysAndCertificatesMayStandInTheFile) {
  const server::SecurityOptions options = Read(
      "tls_server_config:\n"
      "  cert: |\n    one\n    two\n"
      "  key: three\n"
      "  client_ca: four\n"
      "  client_auth_type: RequireClientCert\n");
  ASSERT_TRUE(options.tls);
  EXPECT_EQ(options.tls->certificate.text, "one\ntwo\n");
  EXPECT_EQ(options.tls->key.text, "three");
  EXPECT_EQ(options.tls->client_ca.text, "four");
  EXPECT_EQ(options.tls->client_auth, ClientAuth::kRequireAny);
}

TEST(WebConfig, DefaultsAreThoseOfTheFormat) {
  const server::SecurityOptions options = Read(kTls);
  ASSERT_TRUE(options.tls);
  EXPECT_EQ(options.tls->client_auth, ClientAuth::kNone);
  EXPECT_EQ(options.tls->min_version, TlsVersion::kTls12);
  EXPECT_EQ(options.tls->max_version, TlsVersion::kTls13);
  EXPECT_TRUE(options.tls->prefer_server_suites);
  EXPECT_EQ(options.rate_limit.interval, Duration::zero());
  EXPECT_FALSE(Read(kTls + "  cipher_suites: []\n").tls->only_tls13_suites);
  EXPECT_TRUE(Read(kTls + "  cipher_suites: [TLS_AES_256_GCM_SHA384]\n").tls->only_tls13_suites);
}

TEST(WebConfig, TakesAllSuitesAndCurvesThatGoCallsSecure) {
  for (const char* suite :
       {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256"}) {
    EXPECT_EQ(FaultOf(kTls + "  cipher_suites: [" + suite + "]\n"), "none") << suite;
  }
  EXPECT_EQ(FaultOf(kTls + "  curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]\n"),
            "none");
}

struct Wrong {
  std::string text;
  std::string message;
};

TEST(WebConfig, IsNoPipe) {
  const testing::TempDir dir("web-config");
  const std::string path = (dir / "web.yml").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(LoadWebConfig(path).error().message,
            "web configuration file " + path + ": it is no regular file");
}

TEST(WebConfig, NamesWhatIsWrongAndWhere) {
  const std::string expected_auth =
      "(expected one of NoClientCert, RequestClientCert, RequireAnyClientCert, "
      "RequireClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert)";
  for (
      const Wrong& wrong : std::vector<Wrong>{
          {"ab12\ncd34\n", "w.yml:1:1: expected a mapping of keys to values"},
          {"tls_config: {}\n",
           "w.yml:1:1: tls_config: unknown key (expected one of basic_auth_users, "
           "http_server_config, rate_limit, tls_server_config)"},
          {"tls_server_config: {cert_file: '', key_file: a}\n",
           "w.yml:1:32: tls_server_config.cert_file: expected it (or cert)"},
          {"tls_server_config: {cert_fil: a.crt}\n",
           "w.yml:1:21: tls_server_config.cert_fil: unknown key (did you mean cert_file? expected "
           "one of cert, cert_file, cipher_suites, client_allowed_sans, client_auth_type, "
           "client_ca, client_ca_file, curve_preferences, key, key_file, max_version, "
           "min_version, prefer_server_cipher_suites)"},
          {"tls_server_config: {cert: '', key_file: a}\n", ""},
          {"tls_server_config: {cert_file: a, key_file: ''}\n", ""},
          {"tls_server_config: {cert_file: a, key: ''}\n",
           "w.yml:1:20: tls_server_config.key_file: expected it (or key)"},
          {"tls_server_config: {min_version: TLS13}\n",
           "w.yml:1:20: tls_server_config.cert_file: expected it (or cert)"},
          {"tls_server_config: {cert: a, cert_file: a, key: a}\n",
           "w.yml:1:27: tls_server_config.cert: expected either cert or cert_file"},
          {kTls + "  client_auth_type: x\n",
           "w.yml:4:21: tls_server_config.client_auth_type: unknown 'x' " + expected_auth},
          {kTls + "  client_ca_file: /dev/null\n",
           "w.yml:2:3: tls_server_config.client_auth_type: expected one other than NoClientCert "
           "beside client_ca_file"},
          {kTls + "  client_allowed_sans: [a]\n", ""},
          {kTls + "  client_auth_type: VerifyClientCertIfGiven\n  client_allowed_sans: [a]\n",
           "w.yml:5:24: tls_server_config.client_allowed_sans: expected client_auth_type "
           "RequireAndVerifyClientCert (or RequireAnyClientCert) beside it: a client could come "
           "without a certificate"},
          {kTls + "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: []\n",
           "w.yml:5:24: tls_server_config.client_allowed_sans: expected at least one name"},
          {kTls + "  min_version: TLS14\n",
           "w.yml:4:16: tls_server_config.min_version: unknown 'TLS14' (expected one of TLS10, "
           "TLS11, TLS12, TLS13)"},
          {kTls + "  min_version: TLS13\n  max_version: TLS12\n",
           "w.yml:5:16: tls_server_config.max_version: expected it not below min_version"},
          {kTls + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n", ""},
          {kTls + "  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
           "w.yml:5:18: tls_server_config.cipher_suites: expected one of TLS 1.2 too, for "
           "max_version is below TLS13"},
          {kTls + "  curve_preferences: [CurveP1]\n",
           "w.yml:4:22: tls_server_config.curve_preferences: unknown 'CurveP1' (expected one of "
           "CurveP256, CurveP384, CurveP521, X25519)"},
          {"http_server_config: {http2: true}\n",
           "w.yml:1:29: http_server_config.http2: expected false or nothing: this server speaks "
           "HTTP/1.1 only"},
          {"http_server_config: {headers: {Server: a}}\n",
           "w.yml:1:40: http_server_config.headers.Server: this header cannot be set (expected "
           "one of Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, "
           "X-XSS-Protection, Strict-Transport-Security)"},
          {"http_server_config: {headers: {X-Frame-Options: all}}\n",
           "w.yml:1:49: http_server_config.headers.X-Frame-Options: expected deny or sameorigin"},
          {"http_server_config: {headers: {X-Content-Type-Options: ''}}\n",
           "w.yml:1:56: http_server_config.headers.X-Content-Type-Options: expected nosniff"},
          {"http_server_config: {headers: {X-XSS-Protection: \"a\\r\\nb: c\"}}\n", ""},
          {"http_server_config: {headers: {X-XSS-Protection: \"a\\0b\"}}\n",
           "w.yml:1:50: http_server_config.headers.X-XSS-Protection: expected one line without "
           "control characters"},
          {"http_server_config: {headers: {X-XSS-Protection: \"a\\x7f\"}}\n", ""},
          {"basic_auth_users: {alice: S3CR3T}\n",
           "w.yml:1:27: basic_auth_users.alice: expected a bcrypt hash, which begins with $2a$, "
           "$2b$ or $2y$ and the cost"},
          {"basic_auth_users: {alice: }\n", ""},
          {"basic_auth_users: [alice]\n", ""},
          {"rate_limit: {interval: often}\n",
           "w.yml:1:24: rate_limit.interval: 'often' is not a duration (expected one like 90s, "
           "1h30m or 30d)"},
          {"rate_limit: {burst: -1}\n", ""},
          {"rate_limit: {interval: 1s}\n",
           "w.yml:1:13: rate_limit.burst: expected at least 1 beside an interval: no request would "
           "be let through"},
          {"rate_limit: {interval: 1s, burst: 0}\n",
           "w.yml:1:35: rate_limit.burst: expected at least 1 beside an interval: no request would "
           "be let through"},
      }) {
    const std::string fault = FaultOf(wrong.text);
    EXPECT_NE(fault, "none") << wrong.text;
    if (!wrong.message.empty()) {
      EXPECT_EQ(fault, wrong.message) << wrong.text;
    }
    EXPECT_EQ(fault.find("S3CR3T"), std::string::npos);
  }
}

TEST(WebConfig, AFileThatIsNotThereIsNamed) {
  const auto options = LoadWebConfig("/nowhere/w.yml");
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().message,
            "web configuration file /nowhere/w.yml: No such file or directory");
}

}  // namespace
}  // namespace registry_backend
