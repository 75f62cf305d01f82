#include "tests/simulator/http_server.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tests/simulator/connection.h"

namespace registry_backend::simulator {
namespace {

constexpr int kBacklog = 511;
constexpr std::size_t kMostRequestBody = std::size_t{1} << 20;  // bytes

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;

ContextPtr MakeContext(const Certificate& certificate) {
  const auto open = [](const std::string& pem) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  };
  const auto certificate_bio = open(certificate.certificate_pem);
  const auto key_bio = open(certificate.key_pem);
  const std::unique_ptr<X509, decltype(&X509_free)> x509(
      PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr), &X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context || !x509 || !key || SSL_CTX_use_certificate(context.get(), x509.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 ||
      SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    throw std::runtime_error("cannot use the certificate and its key");
  }
  return context;
}

// A listening socket; without SO_REUSEPORT, so that a taken port is an error.
int Listen(const std::string& host, int port) {
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  const bool is_v4 = inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) {
    throw std::runtime_error("not an IP address to listen on: " + host);
  }
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(static_cast<std::uint16_t>(port));
  const auto* address = is_v4 ? static_cast<const void*>(&v4) : &v6;
  const auto size = static_cast<socklen_t>(is_v4 ? sizeof v4 : sizeof v6);
  const int listener = ::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (listener >= 0 && ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      ::bind(listener, static_cast<const sockaddr*>(address), size) == 0 &&
      ::listen(listener, kBacklog) == 0) {
    return listener;
  }
  const std::string why = std::strerror(errno);
  if (listener >= 0) ::close(listener);
  throw std::runtime_error("cannot listen on " + host + " port " + std::to_string(port) + ": " +
                           why);
}

int PortOf(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
}

// cpp-httplib's parser and writer for one thread's connections, one after the other.
class Worker final : private httplib::Server {
 public:
  // `origin` stands in for a missing Host header.
  Worker(const HttpServer::Handler& handler, std::string scheme, std::string origin)
      : handler_(handler), scheme_(std::move(scheme)), origin_(std::move(origin)) {
    // Anything but INVALID_SOCKET: otherwise content providers write nothing.
    svr_sock_ = 0;
    set_keep_alive_max_count(1'000'000);
    set_keep_alive_timeout(60);
    set_payload_max_length(kMostRequestBody);
    const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
      Answer(request, response);
    };
    // Before routing: requests without a body skip its regular expressions.
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      if (request.method != "GET" && request.method != "HEAD") return HandlerResponse::Unhandled;
      Answer(request, response);
      return HandlerResponse::Handled;
    });
    Post(".*", answer).Put(".*", answer).Patch(".*", answer).Delete(".*", answer);
    set_exception_handler([](const httplib::Request&, httplib::Response& response,
                             const std::exception_ptr&) { response.status = 500; });
  }

  void Serve(Connection& connection, std::chrono::milliseconds idle_timeout,
             const std::atomic<bool>& stopping) {
    connection_ = &connection;
    if (!connection.Handshake()) return;
    while (!stopping && connection.WaitForRequest(idle_timeout)) {
      bool closed = false;
      const bool keep = process_request(connection, false, closed, [](httplib::Request& request) {
        // The registry itself decides about ranges, and what it sends is never compressed.
        request.ranges.clear();
        request.headers.erase("Accept-Encoding");
      });
      if (!connection.Finish() || !keep || closed) break;
    }
    connection.Close();
  }

 private:
  void Answer(const httplib::Request& request, httplib::Response& response) {
    const HttpAnswer answer = handler_(Convert(request));
    const bool here = answer.delay.count() == 0 || connection_->WaitWhileOpen(answer.delay);
    if (here && answer.delivery == Delivery::kStall) connection_->WaitWhileOpen(answer.pace);
    if (answer.before_sending) answer.before_sending();
    if (!here || answer.delivery == Delivery::kClose || answer.delivery == Delivery::kStall) {
      connection_->Mute();
    }
    response.status = answer.status;
    for (const auto& [name, value] : answer.headers) response.set_header(name, value);
    SetBody(answer, response);
  }

  HttpRequest Convert(const httplib::Request& request) const {
    HttpRequest converted;
    converted.method = request.method;
    converted.path = request.path;
    converted.target = request.target;
    converted.parameters = {request.params.begin(), request.params.end()};
    for (const auto& [name, value] : request.headers) {
      std::string lower = name;
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
      });
      converted.headers.emplace(std::move(lower), value);
    }
    const std::string host = converted.Header("host");
    const std::string scheme = converted.Header("x-forwarded-proto");
    converted.origin = host.empty() ? origin_ : (scheme.empty() ? scheme_ : scheme) + "://" + host;
    converted.body = request.body;
    return converted;
  }

  // Through content providers: cpp-httplib would copy a body it is given as a string.
  void SetBody(const HttpAnswer& answer, httplib::Response& response) {
    const Body body{connection_, answer.body, answer.pace};
    const std::size_t size = answer.body ? answer.body->size() : 0;
    switch (answer.delivery) {
      case Delivery::kTruncate:
        response.set_content_provider(size + 64, answer.content_type, body.Part());
        return;
      case Delivery::kFiller:
        if (answer.chunked) {
          response.set_chunked_content_provider(answer.content_type,
                                                Body::ChunkedSpaces(answer.filler_size));
        } else {
          response.set_content_provider(answer.filler_size, answer.content_type, Body::Spaces());
        }
        return;
      case Delivery::kDrip:
        if (size > 0) response.set_content_provider(size, answer.content_type, body.Drops());
        return;
      case Delivery::kWhole:
      case Delivery::kClose:
      case Delivery::kStall:
        if (size > 0) response.set_content_provider(size, answer.content_type, body.Whole());
        return;
    }
  }

  // Makes content providers. They run before the thread's next request, so the connection is there.
  struct Body {
    Connection* connection;
    std::shared_ptr<const std::string> bytes;  // may be null
    std::chrono::milliseconds pace;

    httplib::ContentProvider Whole() const {
      return [bytes = bytes](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        return sink.write(bytes->data() + offset, length);
      };
    }
    // The first half, then the connection is cut.
    httplib::ContentProvider Part() const {
      return [*this](std::size_t, std::size_t, httplib::DataSink& sink) {
        if (bytes) sink.write(bytes->data(), bytes->size() / 2);
        connection->Finish();
        connection->Mute();
        return false;
      };
    }
    httplib::ContentProvider Drops() const {
      return [*this](std::size_t offset, std::size_t, httplib::DataSink& sink) {
        if (offset > 0 && !connection->WaitWhileOpen(pace)) {
          connection->Mute();
          return false;
        }
        return sink.write(bytes->data() + offset, 1);
      };
    }
    static httplib::ContentProvider Spaces() {
      return [block = std::string(65536, ' ')](std::size_t, std::size_t left,
                                               httplib::DataSink& sink) {
        return sink.write(block.data(), std::min(block.size(), left));
      };
    }
    static httplib::ContentProviderWithoutLength ChunkedSpaces(std::size_t size) {
      return [block = std::string(65536, ' '), size](std::size_t offset, httplib::DataSink& sink) {
        if (offset >= size) {
          sink.done();
          return true;
        }
        return sink.write(block.data(), std::min(block.size(), size - offset));
      };
    }
  };

  const HttpServer::Handler& handler_;
  const std::string scheme_;
  const std::string origin_;
  Connection* connection_ = nullptr;  // the one Serve is at
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Options options, Handler handler)
      : options_(std::move(options)), handler_(std::move(handler)) {
    if (options_.tls) context_ = MakeContext(*options_.tls);
    listener_ = Listen(options_.host, options_.port);
    port_ = PortOf(listener_);
  }

  void Start() {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, options_.threads); ++i) {
      threads_.emplace_back([this] { Run(); });
    }
  }

  ~Impl() {
    Stop();
    ::close(listener_);
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const int descriptor : open_) ::shutdown(descriptor, SHUT_RDWR);
    }
    // On Linux this also wakes the threads that wait in accept().
    ::shutdown(listener_, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  int port() const { return port_; }

  std::size_t accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
  }

  std::size_t open() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  void Run() {
    const std::string scheme = context_ ? "https" : "http";
    Worker worker(handler_, scheme, scheme + "://" + options_.host + ":" + std::to_string(port_));
    while (!stopping_) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor >= 0) {
        ServeConnection(worker, descriptor);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));  // until something is closed
      }
    }
  }

  void ServeConnection(Worker& worker, int descriptor) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        ::close(descriptor);
        return;
      }
      open_.insert(descriptor);
      ++accepted_;
    }
    {
      Connection connection(descriptor, context_.get(), options_.io_timeout);
      worker.Serve(connection, options_.idle_timeout, stopping_);
    }
    // Under the lock: Stop must not shut down a number that already means another file.
    const std::lock_guard lock(mutex_);
    open_.erase(descriptor);
    ::close(descriptor);
  }

  const Options options_;
  const Handler handler_;
  ContextPtr context_;  // null: plain
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;

  mutable std::mutex mutex_;
  std::unordered_set<int> open_;  // guarded by mutex_, as is accepted_
  std::size_t accepted_ = 0;
};

HttpServer::HttpServer(Options options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}
HttpServer::~HttpServer() = default;
void HttpServer::Start() { impl_->Start(); }
void HttpServer::Stop() { impl_->Stop(); }
int HttpServer::port() const { return impl_->port(); }
std::size_t HttpServer::accepted() const { return impl_->accepted(); }
std::size_t HttpServer::open() const { return impl_->open(); }

}  // namespace registry_backend::simulator
