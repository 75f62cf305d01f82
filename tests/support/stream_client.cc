#include "tests/support/stream_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

namespace registry_backend::testing {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Ssl = std::unique_ptr<SSL, FreeSsl>;

Context MakeContext(const StreamOptions& options) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (options.tls_version != 0) {
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), options.tls_version);
    SSL_CTX_set_max_proto_version(context.get(), options.tls_version);
  }
  if (!options.suites.empty()) SSL_CTX_set_cipher_list(context.get(), options.suites.c_str());
  if (!options.groups.empty()) SSL_CTX_set1_groups_list(context.get(), options.groups.c_str());
  if (!options.certificate.empty()) {
    SSL_CTX_use_certificate_file(context.get(), options.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM);
  }
  return context;
}

}  // namespace

class StreamClient::Impl {
 public:
  Impl(std::uint16_t port, const StreamOptions& options)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    const timeval patience{options.patience.count(), 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (options.receive_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_bytes, sizeof(int));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!ok_ || !options.tls) return;
    ssl_.reset(SSL_new(MakeContext(options).get()));  // keeps the context
    SSL_set_fd(ssl_.get(), fd_);
    ok_ = SSL_connect(ssl_.get()) == 1;
  }
  ~Impl() { close(fd_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // How many bytes of them went; 0: none will.
  std::size_t Write(std::string_view data) {
    if (!ok_) return 0;
    std::size_t count = 0;
    if (ssl_ != nullptr) {
      return SSL_write_ex(ssl_.get(), data.data(), data.size(), &count) == 1 ? count : 0;
    }
    const ssize_t sent = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }

  bool Fill() {
    if (!ok_) return false;
    std::array<char, 16384> piece;
    std::size_t count = 0;
    if (ssl_ != nullptr) {
      if (SSL_read_ex(ssl_.get(), piece.data(), piece.size(), &count) != 1) return false;
    } else {
      const ssize_t got = recv(fd_, piece.data(), piece.size(), 0);
      if (got <= 0) return false;
      count = static_cast<std::size_t>(got);
    }
    buffer.append(piece.data(), count);
    return true;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const SSL* ssl() const { return ssl_.get(); }

  std::string buffer;  // read, but not yet asked for

 private:
  const int fd_;
  bool ok_ = false;
  Ssl ssl_;
};

StreamClient::StreamClient(std::uint16_t port, const StreamOptions& options)
    : impl_(std::make_unique<Impl>(port, options)) {}
StreamClient::~StreamClient() = default;

bool StreamClient::ok() const { return impl_->ok(); }
int StreamClient::fd() const { return impl_->fd(); }
std::string StreamClient::suite() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(impl_->ssl());
  return cipher == nullptr ? "" : SSL_CIPHER_get_name(cipher);
}
std::string StreamClient::version() const { return SSL_get_version(impl_->ssl()); }

bool StreamClient::Send(std::string_view data) {
  while (!data.empty()) {
    const std::size_t sent = impl_->Write(data);
    if (sent == 0) return false;
    data.remove_prefix(sent);
  }
  return true;
}

std::string StreamClient::Read() {
  if (impl_->buffer.empty()) impl_->Fill();
  return std::exchange(impl_->buffer, "");
}

std::string StreamClient::ReadAll() {
  while (impl_->Fill()) {
  }
  return std::exchange(impl_->buffer, "");
}

std::string StreamClient::ReadAnswer() {
  std::string& buffer = impl_->buffer;
  while (buffer.find("\r\n\r\n") == std::string::npos) {
    if (!impl_->Fill()) return std::exchange(buffer, "");
  }
  std::size_t length = buffer.find("\r\n\r\n") + 4;
  const std::size_t field = buffer.find("Content-Length: ");
  if (field < length) length += std::stoul(buffer.substr(field + 16));
  while (buffer.size() < length) {
    if (!impl_->Fill()) return std::exchange(buffer, "");
  }
  std::string answer = buffer.substr(0, length);
  buffer.erase(0, length);
  return answer;
}

bool StreamClient::Closed() const {
  char byte = 0;
  const ssize_t got = recv(impl_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

std::string ClientHello() {
  const Context context = MakeContext({});
  const Ssl ssl(SSL_new(context.get()));
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(ssl.get());
  SSL_do_handshake(ssl.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace registry_backend::testing
