#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/simulator/certificate.h"
#include "tests/support/raw_server.h"

namespace registry_backend::testing {

class TlsContext;

// The server's side of TLS over one connection of a RawServer. Used by the connection's thread
// only.
class TlsPeer {
 public:
  enum class ClientCertificate { kNotAsked, kAsked, kRequired };

  // Shakes hands; any certificate of the client is taken, and shown by client_certificate. Throws
  // std::runtime_error if OpenSSL cannot use `certificate`.
  TlsPeer(RawConnection& connection, const simulator::Certificate& certificate,
          ClientCertificate client_certificate = ClientCertificate::kNotAsked);
  // With what several connections share: one may resume the session of another (RFC 8446 §2.2).
  TlsPeer(RawConnection& connection, const TlsContext& context);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  // Whether the handshake succeeded.
  [[nodiscard]] bool ok() const;
  // Whether it resumed the session of an earlier connection.
  [[nodiscard]] bool resumed() const;
  // The server name that the client asked for (SNI), or empty.
  [[nodiscard]] std::string server_name() const;
  // The client's certificate, PEM, or empty.
  [[nodiscard]] std::string client_certificate() const;

  // As those of RawConnection.
  std::string ReadRequest();
  // `size` bytes, or fewer where the peer went before.
  std::string Read(std::size_t size);
  bool Send(std::string_view data);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A server's certificate and its sessions. Thread-safe.
class TlsContext {
 public:
  // As the constructor of TlsPeer.
  explicit TlsContext(
      const simulator::Certificate& certificate,
      TlsPeer::ClientCertificate client_certificate = TlsPeer::ClientCertificate::kNotAsked);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsPeer;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace registry_backend::testing
