#include "tests/integration/token_server.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/simulator/answers.h"
#include "tests/simulator/http_server.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using simulator::ErrorAnswer;
using simulator::HttpRequest;
using simulator::JsonAnswer;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr char kService[] = "registry-of-the-test";
constexpr char kIssuer[] = "token-server-of-the-test";
// docker-registry takes a token for so long after its `exp`, in case clocks differ.
constexpr seconds kLeeway{60};

std::string Base64(std::string_view bytes) {
  std::string encoded(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // and a terminating zero
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

// The unpadded URL form, as JWTs have it.
std::string Base64Url(std::string_view bytes) {
  std::string encoded = Base64(bytes);
  while (encoded.ends_with('=')) encoded.pop_back();
  std::ranges::replace(encoded, '+', '-');
  std::ranges::replace(encoded, '/', '_');
  return encoded;
}

// A PEM file's one object as base64 in one line.
std::string PemBody(const std::string& pem) {
  std::string body;
  std::istringstream lines(pem);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("-----")) body += line;
  }
  return body;
}

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeKey>;

KeyPtr ReadKey(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key) throw std::runtime_error("cannot read the key of the tokens");
  return key;
}

// SHA-256 with RSA (PKCS #1 v1.5).
std::string Rs256(EVP_PKEY* key, const std::string& text) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, text.size()) != 1) {
    throw std::runtime_error("cannot sign a token");
  }
  signature.resize(size);
  return signature;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

// The `access` claim that grants each `type:name:action,action` asked for.
json AccessFor(const HttpRequest& request) {
  json access = json::array();
  const auto [begin, end] = request.parameters.equal_range("scope");
  for (auto parameter = begin; parameter != end; ++parameter) {
    for (const std::string& scope : Split(parameter->second, ' ')) {
      const std::size_t first = scope.find(':');
      const std::size_t last = scope.rfind(':');
      if (first == last) continue;  // not of three parts
      access.push_back({{"type", scope.substr(0, first)},
                        {"name", scope.substr(first + 1, last - first - 1)},
                        {"actions", Split(scope.substr(last + 1), ',')}});
    }
  }
  return access;
}

}  // namespace

class TokenServer::Impl {
 public:
  explicit Impl(TokenServerOptions options)
      : options_(std::move(options)),
        tls_(options_.tls.certificate.empty() ? MakeSelfSigned(directory_ / "tls") : options_.tls),
        signer_(MakeSelfSigned(directory_ / "signer", KeyType::kRsa)),
        key_(ReadKey(ReadFile(signer_.key))),
        header_({{"typ", "JWT"},
                 {"alg", "RS256"},
                 {"x5c", json::array({PemBody(ReadFile(signer_.certificate))})}}),
        server_({.threads = 8,
                 .tls = simulator::Certificate{ReadFile(tls_.certificate), ReadFile(tls_.key)}},
                [this](const HttpRequest& request) { return Answer(request); }) {
    server_.Start();
  }

  [[nodiscard]] TokenAuth auth() const {
    return {.realm = "https://127.0.0.1:" + std::to_string(server_.port()) + "/token",
            .service = kService,
            .issuer = kIssuer,
            .root_certificates = signer_.certificate};
  }
  [[nodiscard]] HttpOptions http_options() const {
    return {
        .username = options_.username, .password = options_.password, .ca_file = tls_.certificate};
  }
  [[nodiscard]] int given() const { return given_; }
  [[nodiscard]] int refused() const { return refused_; }

 private:
  simulator::HttpAnswer Answer(const HttpRequest& request) {
    if (request.path != "/token") return ErrorAnswer(404, "NOT_FOUND", "no such path");
    simulator::HttpAnswer answer = Token(request);
    ++(answer.status == 200 ? given_ : refused_);
    return answer;
  }

  simulator::HttpAnswer Token(const HttpRequest& request) {
    if (request.method != "GET") return ErrorAnswer(405, "UNSUPPORTED", "GET only");
    const std::string credentials = options_.username + ":" + options_.password;
    if (!options_.username.empty() &&
        request.Header("authorization") != "Basic " + Base64(credentials)) {
      return ErrorAnswer(401, "UNAUTHORIZED", "wrong user name or password");
    }
    if (request.Parameter("service") != kService) {
      return ErrorAnswer(400, "UNSUPPORTED", "unknown service", request.Parameter("service"));
    }
    const auto expires_in =
        options_.expires_in.value_or(static_cast<int>(options_.lifetime.count()));
    return JsonAnswer(200, json{{"token", Sign(request)}, {"expires_in", expires_in}}.dump());
  }

  std::string Sign(const HttpRequest& request) {
    const auto now = std::chrono::ceil<seconds>(system_clock::now().time_since_epoch());
    const seconds expires = now + options_.lifetime - kLeeway;
    const seconds issued = std::min(now, expires) - seconds(1);
    const json claims = {{"iss", kIssuer},
                         {"sub", options_.username},
                         {"aud", kService},
                         {"exp", expires.count()},
                         {"nbf", issued.count()},
                         {"iat", issued.count()},
                         {"jti", std::to_string(++number_)},
                         {"access", AccessFor(request)}};
    const std::string text = Base64Url(header_.dump()) + "." + Base64Url(claims.dump());
    return text + "." + Base64Url(Rs256(key_.get(), text));
  }

  const TokenServerOptions options_;
  const TempDir directory_{"token-server"};
  const CertificateFiles tls_;
  const CertificateFiles signer_;
  const KeyPtr key_;  // OpenSSL lets threads sign with one key at once
  const json header_;
  std::atomic<int> number_ = 0;
  std::atomic<int> given_ = 0;
  std::atomic<int> refused_ = 0;
  simulator::HttpServer server_;  // last: its threads use all of the above
};

TokenServer::TokenServer(TokenServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
TokenServer::~TokenServer() = default;

TokenAuth TokenServer::auth() const { return impl_->auth(); }
HttpOptions TokenServer::http_options() const { return impl_->http_options(); }
int TokenServer::given() const { return impl_->given(); }
int TokenServer::refused() const { return impl_->refused(); }

}  // namespace registry_backend::testing
