#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tests/simulator/certificate.h"
#include "tests/simulator/http_message.h"

namespace registry_backend::simulator {

// An HTTP/1.1 server: a fixed number of threads, each of which accepts a connection and serves it
// to its end; more connections than threads wait in the backlog. cpp-httplib parses and writes the
// messages and is hidden here. The sockets are our own, since its server cannot be stopped while
// keep-alive connections idle and polls each of them a hundred times a second.
class HttpServer {
 public:
  struct Options {
    std::string host = "127.0.0.1";  // an IP address
    int port = 0;                    // 0: any free one
    std::size_t threads = 128;
    std::optional<Certificate> tls;
    std::chrono::seconds idle_timeout{60};  // of a connection between requests
    std::chrono::seconds io_timeout{30};    // of one read or write within a request
  };
  // Called by many threads at once; an exception becomes a 500.
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;

  // Listens, so that connections queue up. Throws std::runtime_error if it cannot.
  HttpServer(Options options, Handler handler);
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Begins to serve. Once, and not before all that the handler uses is there.
  void Start();
  // Breaks all connections and joins all threads; what waits is woken. Again does nothing. Not to
  // be called from a handler, nor by two threads at once.
  void Stop();

  int port() const;
  // Connections accepted so far, and those open now. Thread-safe.
  std::size_t accepted() const;
  std::size_t open() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace registry_backend::simulator
