#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace registry_backend::testing {

// How a StreamClient connects.
struct StreamOptions {
  bool tls = false;                        // any certificate of the server is taken
  std::filesystem::path certificate = {};  // the client's own, PEM
  std::filesystem::path key = {};
  int tls_version = 0;                // as OpenSSL has it, e.g. TLS1_2_VERSION; 0: any
  std::string suites = {};            // of TLS 1.2, as OpenSSL names them; empty: its own
  std::string groups = {};            // likewise
  int receive_bytes = 0;              // what the system takes in before it is read; 0: as it likes
  std::chrono::seconds patience{20};  // for one read or write
};

// One connection to a server on 127.0.0.1, for tests that send what no HTTP client would. By one
// thread.
class StreamClient {
 public:
  explicit StreamClient(std::uint16_t port, const StreamOptions& options = {});
  ~StreamClient();
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;

  // Connected, and in TLS where that was asked for. A server of TLS 1.3 may refuse a client's
  // certificate later, at the first read.
  [[nodiscard]] bool ok() const;
  [[nodiscard]] int fd() const;
  // Of the TLS connection, e.g. `ECDHE-RSA-AES128-GCM-SHA256` and `TLSv1.3`.
  [[nodiscard]] std::string suite() const;
  [[nodiscard]] std::string version() const;

  // False: the server has closed, or takes nothing.
  bool Send(std::string_view data);
  // What comes next; empty: the server has closed, or nothing came.
  std::string Read();
  // All that comes until the server closes.
  std::string ReadAll();
  // The head of the next answer and as much body as it announces; what came before the connection
  // closed otherwise.
  std::string ReadAnswer();
  // Whether the server has closed, without waiting and without reading.
  [[nodiscard]] bool Closed() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What a client of TLS sends first.
[[nodiscard]] std::string ClientHello();

}  // namespace registry_backend::testing
