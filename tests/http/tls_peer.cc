#include "tests/http/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace registry_backend::testing {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, Free<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Free<SSL_free>>;

BioPtr Memory(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int TakeAny(int /*verified*/, X509_STORE_CTX* /*context*/) { return 1; }

ContextPtr MakeContext(const simulator::Certificate& certificate,
                       TlsPeer::ClientCertificate client_certificate) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  const CertificatePtr x509(
      PEM_read_bio_X509(Memory(certificate.certificate_pem).get(), nullptr, nullptr, nullptr));
  const KeyPtr key(
      PEM_read_bio_PrivateKey(Memory(certificate.key_pem).get(), nullptr, nullptr, nullptr));
  if (!context || !x509 || !key || SSL_CTX_use_certificate(context.get(), x509.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    throw std::runtime_error("OpenSSL cannot use the certificate");
  }
  int mode = SSL_VERIFY_NONE;
  if (client_certificate != TlsPeer::ClientCertificate::kNotAsked) mode = SSL_VERIFY_PEER;
  if (client_certificate == TlsPeer::ClientCertificate::kRequired) {
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_CTX_set_verify(context.get(), mode, &TakeAny);
  static constexpr std::array<unsigned char, 1> kSessions = {'t'};
  SSL_CTX_set_session_id_context(context.get(), kSessions.data(), kSessions.size());
  return context;
}

}  // namespace

class TlsContext::Impl {
 public:
  explicit Impl(ContextPtr context) : context_(std::move(context)) {}
  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }

 private:
  ContextPtr context_;
};

TlsContext::TlsContext(const simulator::Certificate& certificate,
                       TlsPeer::ClientCertificate client_certificate)
    : impl_(std::make_unique<Impl>(MakeContext(certificate, client_certificate))) {}
TlsContext::~TlsContext() = default;

class TlsPeer::Impl {
 public:
  // The connection keeps a reference to the context.
  Impl(int fd, SSL_CTX* context) : ssl_(SSL_new(context)) {
    // OpenSSL writes to sockets without MSG_NOSIGNAL. The thread is the connection's own.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    SSL_set_fd(ssl_.get(), fd);
    ok_ = SSL_accept(ssl_.get()) == 1;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

 private:
  SslPtr ssl_;
  bool ok_ = false;
};

TlsPeer::TlsPeer(RawConnection& connection, const simulator::Certificate& certificate,
                 ClientCertificate client_certificate)
    : TlsPeer(connection, TlsContext(certificate, client_certificate)) {}
TlsPeer::TlsPeer(RawConnection& connection, const TlsContext& context)
    : impl_(std::make_unique<Impl>(connection.fd(), context.impl_->get())) {}
TlsPeer::~TlsPeer() = default;

bool TlsPeer::resumed() const { return SSL_session_reused(impl_->ssl()) == 1; }

bool TlsPeer::ok() const { return impl_->ok(); }

std::string TlsPeer::server_name() const {
  const char* const name = SSL_get_servername(impl_->ssl(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

std::string TlsPeer::client_certificate() const {
  const CertificatePtr x509(SSL_get1_peer_certificate(impl_->ssl()));
  if (!x509) return {};
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), x509.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string TlsPeer::ReadRequest() {
  std::string head;
  char byte = 0;
  while (!head.ends_with("\r\n\r\n") && SSL_read(impl_->ssl(), &byte, 1) == 1) head += byte;
  return head;
}

std::string TlsPeer::Read(std::size_t size) {
  std::string data(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const int read = SSL_read(impl_->ssl(), data.data() + got, static_cast<int>(size - got));
    if (read <= 0) break;
    got += static_cast<std::size_t>(read);
  }
  data.resize(got);
  return data;
}

bool TlsPeer::Send(std::string_view data) {
  return SSL_write(impl_->ssl(), data.data(), static_cast<int>(data.size())) > 0;
}

}  // namespace registry_backend::testing
