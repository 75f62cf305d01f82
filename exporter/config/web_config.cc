#include "exporter/config/web_config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "exporter/common/duration.h"
#include "exporter/config/yaml_reader.h"
#include "exporter/config/yaml_text.h"
#include "exporter/server/basic_auth.h"

namespace registry_backend {
namespace {

using server::ClientAuth;
using server::TlsVersion;

template <typename Value>
using Choices = std::vector<std::pair<std::string_view, Value>>;

// Of TLS 1.2 and below, as Go and as OpenSSL call them. Without those that Go calls insecure.
const Choices<std::string_view> kSuites = {
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    // TLS 1.3 has these whether they are named or not, as with Go.
    {"TLS_AES_128_GCM_SHA256", ""},
    {"TLS_AES_256_GCM_SHA384", ""},
    {"TLS_CHACHA20_POLY1305_SHA256", ""},
};

const Choices<std::string_view> kCurves = {
    {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};

const Choices<TlsVersion> kVersions = {{"TLS10", TlsVersion::kTls10},
                                       {"TLS11", TlsVersion::kTls11},
                                       {"TLS12", TlsVersion::kTls12},
                                       {"TLS13", TlsVersion::kTls13}};

const Choices<ClientAuth> kClientAuth = {
    {"NoClientCert", ClientAuth::kNone},
    {"RequestClientCert", ClientAuth::kRequest},
    {"RequireAnyClientCert", ClientAuth::kRequireAny},
    {"RequireClientCert", ClientAuth::kRequireAny},  // its former name
    {"VerifyClientCertIfGiven", ClientAuth::kVerifyIfGiven},
    {"RequireAndVerifyClientCert", ClientAuth::kRequireAndVerify}};

// The headers that may be set, and their values where only some make sense.
const Choices<std::vector<std::string_view>> kHeaders = {
    {"Content-Security-Policy", {}},
    {"X-Frame-Options", {"deny", "sameorigin"}},
    {"X-Content-Type-Options", {"nosniff"}},
    {"X-XSS-Protection", {}},
    {"Strict-Transport-Security", {}}};

template <typename Value>
std::string Names(const Choices<Value>& choices) {
  std::string names;
  for (const auto& [name, unused] : choices)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

template <typename Value>
const Value& Choose(const YamlMapping& yaml, const std::string& key, const std::string& text,
                    const Choices<Value>& choices) {
  const auto found =
      std::ranges::find(choices, text, [](const auto& choice) { return choice.first; });
  if (found == choices.end()) {
    yaml.Fail(key, "unknown '" + text.substr(0, 64) + "' (expected one of " + Names(choices) + ")");
  }
  return found->second;
}

template <typename Value>
void GetChoice(YamlMapping& yaml, const std::string& key, Value& value,
               const Choices<Value>& choices) {
  std::string text;
  yaml.Get(key, text);
  if (!text.empty()) value = Choose(yaml, key, text, choices);
}

// PEM in a file, or in the configuration itself.
server::PemSource GetPem(YamlMapping& yaml, const std::string& key) {
  server::PemSource source;
  const std::string file_key = key + "_file";
  yaml.Get(key, source.text);
  yaml.GetPath(file_key, source.file);
  if (!source.text.empty() && !source.file.empty()) {
    yaml.Fail(key, "expected either " + key + " or " + file_key);
  }
  source.where = yaml.Where(source.text.empty() ? file_key : key);
  return source;
}

void ReadSuites(YamlMapping& yaml, server::TlsOptions& tls) {
  std::vector<std::string> names;
  yaml.Get("cipher_suites", names);
  for (const std::string& name : names) {
    const std::string_view suite = Choose(yaml, "cipher_suites", name, kSuites);
    if (!suite.empty()) tls.suites.emplace_back(suite);
  }
  tls.only_tls13_suites = !names.empty() && tls.suites.empty();
  yaml.Get("prefer_server_cipher_suites", tls.prefer_server_suites);
  names.clear();
  yaml.Get("curve_preferences", names);
  for (const std::string& name : names) {
    tls.groups.emplace_back(Choose(yaml, "curve_preferences", name, kCurves));
  }
  GetChoice(yaml, "min_version", tls.min_version, kVersions);
  GetChoice(yaml, "max_version", tls.max_version, kVersions);
  if (tls.min_version > tls.max_version)
    yaml.Fail("max_version", "expected it not below min_version");
  if (tls.only_tls13_suites && tls.max_version < TlsVersion::kTls13) {
    yaml.Fail("cipher_suites", "expected one of TLS 1.2 too, for max_version is below TLS13");
  }
  tls.where_suites = yaml.Where("cipher_suites");
  tls.where_groups = yaml.Where("curve_preferences");
}

void ReadClients(YamlMapping& yaml, server::SecurityOptions& options, server::TlsOptions& tls) {
  tls.client_ca = GetPem(yaml, "client_ca");
  GetChoice(yaml, "client_auth_type", tls.client_auth, kClientAuth);
  yaml.Get("client_allowed_sans", tls.allowed_sans);
  if (!tls.client_ca.empty() && tls.client_auth == ClientAuth::kNone) {
    yaml.Fail("client_auth_type", "expected one other than NoClientCert beside client_ca_file");
  }
  const bool required = tls.client_auth == ClientAuth::kRequireAny ||
                        tls.client_auth == ClientAuth::kRequireAndVerify;
  if (yaml.Has("client_allowed_sans") && !required) {
    yaml.Fail("client_allowed_sans",
              "expected client_auth_type RequireAndVerifyClientCert (or RequireAnyClientCert) "
              "beside it: a client could come without a certificate");
  }
  if (yaml.Has("client_allowed_sans") && tls.allowed_sans.empty()) {
    yaml.Fail("client_allowed_sans", "expected at least one name");
  }
  for (const char* key : {"client_auth_type", "client_allowed_sans"}) {
    if (yaml.Has(key)) options.demands.insert(key);
  }
}

void ReadTls(YamlMapping& yaml, server::SecurityOptions& options) {
  server::TlsOptions tls;
  tls.certificate = GetPem(yaml, "cert");
  tls.key = GetPem(yaml, "key");
  if (yaml.Keys().empty()) return;
  ReadClients(yaml, options, tls);
  ReadSuites(yaml, tls);
  yaml.Finish();
  if (tls.certificate.empty()) yaml.Fail("cert_file", "expected it (or cert)");
  if (tls.key.empty()) yaml.Fail("key_file", "expected it (or key)");
  options.tls = std::move(tls);
}

bool IsControl(char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f; }

void ReadHeaders(YamlMapping& yaml, server::SecurityOptions& options) {
  for (const std::string& name : yaml.Keys()) {
    std::string value;
    yaml.Get(name, value);
    const auto known =
        std::ranges::find(kHeaders, name, [](const auto& header) { return header.first; });
    if (known == kHeaders.end()) {
      yaml.Fail(name, "this header cannot be set (expected one of " + Names(kHeaders) + ")");
    }
    if (!yaml.Has(name)) continue;
    const auto& values = known->second;
    if (!values.empty() && std::ranges::find(values, value) == values.end()) {
      std::string expected;
      for (const std::string_view one : values) {
        expected += (expected.empty() ? "" : " or ") + std::string(one);
      }
      yaml.Fail(name, "expected " + expected);
    }
    if (std::ranges::any_of(value, IsControl)) {
      yaml.Fail(name, "expected one line without control characters");
    }
    if (!value.empty()) options.headers.emplace_back(name, value);
  }
}

void ReadHttp(YamlMapping& yaml, server::SecurityOptions& options) {
  bool http2 = false;
  yaml.Get("http2", http2);
  if (http2) {
    yaml.Fail("http2", "expected false or nothing: this server speaks HTTP/1.1 only");
  }
  yaml.GetMapping("headers", [&](YamlMapping& headers) { ReadHeaders(headers, options); });
}

void ReadUsers(YamlMapping& yaml, server::SecurityOptions& options) {
  for (const std::string& name : yaml.Keys()) {
    std::string hash;
    yaml.Get(name, hash);
    if (const auto fault = server::FaultOfHash(hash)) yaml.Fail(name, *fault);
    options.users.emplace(name, std::move(hash));
  }
}

void ReadRateLimit(YamlMapping& yaml, server::RateLimit& limit) {
  std::string interval = "0";
  yaml.Get("interval", interval);
  const Result<Duration> duration = ParseDuration(interval);
  if (!duration) yaml.Fail("interval", duration.error().message);
  limit.interval = *duration;
  yaml.Get("burst", limit.burst, 0);
  if (limit.interval > Duration::zero() && limit.burst == 0) {
    yaml.Fail("burst", "expected at least 1 beside an interval: no request would be let through");
  }
}

server::SecurityOptions ReadAll(YamlMapping& yaml) {
  server::SecurityOptions options;
  yaml.GetMapping("tls_server_config", [&](YamlMapping& tls) { ReadTls(tls, options); });
  yaml.GetMapping("http_server_config", [&](YamlMapping& http) { ReadHttp(http, options); });
  yaml.GetMapping("basic_auth_users", [&](YamlMapping& users) { ReadUsers(users, options); });
  yaml.GetMapping("rate_limit",
                  [&](YamlMapping& limit) { ReadRateLimit(limit, options.rate_limit); });
  if (yaml.Has("basic_auth_users")) options.demands.insert("basic_auth_users");
  yaml.Finish();
  return options;
}

}  // namespace

Result<server::SecurityOptions> ParseWebConfig(std::string_view text, const std::string& path) {
  try {
    YamlMapping yaml(LoadYaml(text, path), {path, ""});
    return ReadAll(yaml);
  } catch (const ConfigFault& fault) {
    return fault.error;
  } catch (const YAML::Exception& fault) {
    return FaultAt({path, ""}, fault.mark, "not valid YAML: " + fault.msg);
  }
}

Result<server::SecurityOptions> LoadWebConfig(const std::string& path) {
  // It is read again while it serves: no pipe, which could keep the reader waiting for ever.
  std::error_code fault;
  if (std::filesystem::exists(path, fault) && !std::filesystem::is_regular_file(path, fault)) {
    return Error{ErrorKind::kInternal,
                 "web configuration file " + path + ": it is no regular file"};
  }
  const Result<std::string> text = ReadTextFile(path);
  if (text) return ParseWebConfig(*text, path);
  return Error{ErrorKind::kInternal,
               "web configuration file " + path + ": " + text.error().message};
}

}  // namespace registry_backend
