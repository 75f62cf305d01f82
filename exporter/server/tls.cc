#include "exporter/server/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace registry_backend::server {
namespace {

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

constexpr long kRecordBytes = 4096;
constexpr std::size_t kMaxPemBytes = std::size_t{1} << 20U;

// An open file, or none where its number is below 0.
class File {
 public:
  explicit File(int number) : number_(number) {}
  ~File() {
    if (number_ >= 0) close(number_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  const int number_;
};

Error Wrong(const PemSource& source, const std::string& what) {
  return {ErrorKind::kInternal, source.where + what};
}

// OpenSSL's newest complaint, in its words.
std::string Reason() {
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return text == nullptr ? "unknown error" : text;
}

Result<std::string> ReadPem(const PemSource& source) {
  if (source.file.empty()) return source.text;
  const auto failure = [&source] {
    return Wrong(source, "cannot read " + source.file + ": " + std::strerror(errno));
  };
  // A pipe without a writer would keep an open that blocks waiting for ever.
  const File file(open(source.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.number() < 0 || fstat(file.number(), &status) != 0) return failure();
  if (!S_ISREG(status.st_mode)) return Wrong(source, source.file + " is no regular file");
  std::string text;
  std::array<char, 4096> piece;
  while (true) {
    const ssize_t got = read(file.number(), piece.data(), piece.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure();
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > kMaxPemBytes) return Wrong(source, source.file + " is larger than 1 MiB");
  }
}

std::string NameOf(const PemSource& source) { return source.file.empty() ? "it" : source.file; }

Result<std::vector<Certificate>> ReadCertificates(const PemSource& source) {
  Result<std::string> text = ReadPem(source);
  if (!text) return text.error();
  const Bio bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  std::vector<Certificate> certificates;
  ERR_clear_error();
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(one);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  if (!at_end) return Wrong(source, NameOf(source) + " has a broken certificate: " + Reason());
  if (certificates.empty()) return Wrong(source, NameOf(source) + " has no certificate in PEM");
  return certificates;
}

Result<Key> ReadKey(const PemSource& source) {
  Result<std::string> text = ReadPem(source);
  if (!text) return text.error();
  const Bio bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  // Without this, OpenSSL would ask the terminal for a passphrase.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  OPENSSL_cleanse(text->data(), text->size());
  ERR_clear_error();
  if (key == nullptr) {
    return Wrong(source, NameOf(source) + " has no private key in PEM without a passphrase");
  }
  return key;
}

int ProtocolOf(TlsVersion version) {
  switch (version) {
    case TlsVersion::kTls10:
      return TLS1_VERSION;
    case TlsVersion::kTls11:
      return TLS1_1_VERSION;
    case TlsVersion::kTls12:
      return TLS1_2_VERSION;
    case TlsVersion::kTls13:
      break;
  }
  return TLS1_3_VERSION;
}

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ":") + part;
  return text;
}

std::string TextOf(const ASN1_STRING* value) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<std::size_t>(ASN1_STRING_length(value))};
}

// A subject alternative name as the allowed ones are written; empty for a kind that is not matched.
std::string TextOf(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_DNS:
      return TextOf(name.d.dNSName);
    case GEN_EMAIL:
      return TextOf(name.d.rfc822Name);
    case GEN_URI:
      return TextOf(name.d.uniformResourceIdentifier);
    case GEN_IPADD: {
      const int length = ASN1_STRING_length(name.d.iPAddress);
      std::array<char, INET6_ADDRSTRLEN> text{};
      if (length != 4 && length != 16) return "";
      const char* written =
          inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name.d.iPAddress),
                    text.data(), static_cast<socklen_t>(text.size()));
      return written == nullptr ? "" : written;
    }
    default:
      return "";
  }
}

bool HasAllowedName(X509* certificate, const std::vector<std::string>& allowed) {
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const std::string name = TextOf(*sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty() && std::ranges::find(allowed, name) != allowed.end()) return true;
  }
  return false;
}

class OpenSslSession final : public TlsSession {
 public:
  // `context` is what the certificate of the client is checked by.
  OpenSslSession(SSL* ssl, std::shared_ptr<const TlsContext> context)
      : context_(std::move(context)), ssl_(ssl) {}

  IoState Handshake() override {
    ERR_clear_error();
    const int result = SSL_accept(ssl_.get());
    if (result == 1) return IoState::kDone;
    const IoState state = StateOf(result);
    if (state == IoState::kFailed || state == IoState::kClosed) {
      met_plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
      failure_ = WhyFailed();
    }
    return state;
  }

  IoResult Read(char* to, std::size_t size) override {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), to, size, &got);
    return result == 1 ? IoResult{IoState::kDone, got} : IoResult{StateOf(result)};
  }

  IoResult Write(const char* from, std::size_t size) override {
    ERR_clear_error();
    std::size_t sent = 0;
    const int result = SSL_write_ex(ssl_.get(), from, size, &sent);
    return result == 1 ? IoResult{IoState::kDone, sent} : IoResult{StateOf(result)};
  }

  void End() override {
    if (may_end_) SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }

  [[nodiscard]] bool met_plain_http() const override { return met_plain_http_; }
  [[nodiscard]] const std::string& failure() const override { return failure_; }

 private:
  // In OpenSSL's words, which of a certificate say no more than that it was refused.
  [[nodiscard]] std::string WhyFailed() const {
    if (ERR_peek_last_error() == 0) return "the connection ended";
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict == X509_V_OK) return Reason();
    if (verdict == X509_V_ERR_CERT_REJECTED) return "no name of it is in client_allowed_sans";
    return Reason() + ": " + X509_verify_cert_error_string(verdict);
  }

  IoState StateOf(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return IoState::kWantsRead;
      case SSL_ERROR_WANT_WRITE:
        return IoState::kWantsWrite;
      case SSL_ERROR_ZERO_RETURN:
        return IoState::kClosed;
      default:
        may_end_ = false;  // OpenSSL forbids it after these
        return IoState::kFailed;
    }
  }

  const std::shared_ptr<const TlsContext> context_;
  const std::unique_ptr<SSL, Free<SSL_free>> ssl_;
  bool may_end_ = true;
  bool met_plain_http_ = false;
  std::string failure_;
};

class OpenSslContext final : public TlsContext,
                             public std::enable_shared_from_this<OpenSslContext> {
 public:
  explicit OpenSslContext(const TlsOptions& options)
      : options_(options), context_(SSL_CTX_new(TLS_server_method())) {}

  Status SetUp() {
    if (context_ == nullptr) return Error{ErrorKind::kInternal, "no TLS: " + Reason()};
    SetUpProtocol();
    if (Status set = SetUpSuites(); !set) return set;
    if (Status set = SetUpCertificate(); !set) return set;
    return SetUpClients();
  }

  [[nodiscard]] std::unique_ptr<TlsSession> Begin(int socket) const override {
    SSL* ssl = SSL_new(context_.get());
    if (ssl == nullptr) return nullptr;
    auto session = std::make_unique<OpenSslSession>(ssl, shared_from_this());
    if (SSL_set_fd(ssl, socket) != 1) return nullptr;
    return session;
  }

 private:
  void SetUpProtocol() {
    SSL_CTX* context = context_.get();
    SSL_CTX_set_min_proto_version(context, ProtocolOf(options_.min_version));
    SSL_CTX_set_max_proto_version(context, ProtocolOf(options_.max_version));
    // The signatures of TLS 1.1 and below are too weak for the default level.
    if (options_.min_version < TlsVersion::kTls12) SSL_CTX_set_security_level(context, 0);
    // No session is taken up again: who was let in once is asked again after a change.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (options_.prefer_server_suites) {
      SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // A record waits in memory until the client takes it.
    SSL_CTX_set_max_send_fragment(context, kRecordBytes);
    // Else one call would read on for as long as a client sends records without data.
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  }

  Status SetUpSuites() {
    SSL_CTX* context = context_.get();
    const char* good = options_.min_version < TlsVersion::kTls12
                           ? "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"
                           : "ECDHE+AESGCM:ECDHE+CHACHA20";
    const std::string suites = options_.suites.empty() ? good : Joined(options_.suites);
    if (options_.only_tls13_suites) SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    if (SSL_CTX_set_cipher_list(context, suites.c_str()) != 1) {
      return Error{ErrorKind::kInternal,
                   options_.where_suites + "no such cipher suites: " + Reason()};
    }
    const std::string groups = Joined(options_.groups);
    if (!groups.empty() && SSL_CTX_set1_groups_list(context, groups.c_str()) != 1) {
      return Error{ErrorKind::kInternal, options_.where_groups + "no such curves: " + Reason()};
    }
    return Ok();
  }

  Status SetUpCertificate() {
    SSL_CTX* context = context_.get();
    Result<std::vector<Certificate>> chain = ReadCertificates(options_.certificate);
    if (!chain) return chain.error();
    Result<Key> key = ReadKey(options_.key);
    if (!key) return key.error();
    if (SSL_CTX_use_certificate(context, chain->front().get()) != 1) {
      return Wrong(options_.certificate, "the certificate cannot be used: " + Reason());
    }
    for (std::size_t i = 1; i < chain->size(); ++i) {
      if (SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) != 1) {
        return Wrong(options_.certificate, "the chain cannot be used: " + Reason());
      }
    }
    if (X509_check_private_key(chain->front().get(), key->get()) != 1 ||
        SSL_CTX_use_PrivateKey(context, key->get()) != 1) {
      ERR_clear_error();
      return Wrong(options_.key, NameOf(options_.key) + " is not the key of the certificate");
    }
    return Ok();
  }

  Status SetUpClients() {
    if (options_.client_auth == ClientAuth::kNone) return Ok();
    SSL_CTX* context = context_.get();
    const bool required = options_.client_auth == ClientAuth::kRequireAny ||
                          options_.client_auth == ClientAuth::kRequireAndVerify;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
    SSL_CTX_set_cert_verify_callback(context, &OpenSslContext::Verify, this);
    if (options_.client_ca.empty()) return Ok();
    Result<std::vector<Certificate>> authorities = ReadCertificates(options_.client_ca);
    if (!authorities) return authorities.error();
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const Certificate& authority : *authorities) {
      if (X509_STORE_add_cert(store, authority.get()) != 1 ||
          SSL_CTX_add_client_CA(context, authority.get()) != 1) {
        return Wrong(options_.client_ca, "a certificate cannot be used: " + Reason());
      }
    }
    // One of the certificates named may be a client's own.
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return Ok();
  }

  // Called by OpenSSL for a certificate that a client has shown.
  static int Verify(X509_STORE_CTX* chain, void* self) {
    const TlsOptions& options = static_cast<const OpenSslContext*>(self)->options_;
    const bool is_verified = options.client_auth == ClientAuth::kVerifyIfGiven ||
                             options.client_auth == ClientAuth::kRequireAndVerify;
    if (is_verified && X509_verify_cert(chain) != 1) return 0;
    if (!options.allowed_sans.empty() &&
        !HasAllowedName(X509_STORE_CTX_get0_cert(chain), options.allowed_sans)) {
      X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
      return 0;
    }
    if (!is_verified) X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
  }

  const TlsOptions options_;
  const std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context_;
};

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::Make(const TlsOptions& options) {
  auto context = std::make_shared<OpenSslContext>(options);
  if (Status set = context->SetUp(); !set) return set.error();
  return std::shared_ptr<const TlsContext>(std::move(context));
}

}  // namespace registry_backend::server
