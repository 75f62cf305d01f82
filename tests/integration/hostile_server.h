#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/certificate.h"
#include "tests/support/raw_server.h"

namespace registry_backend::testing {

// What was asked of a HostileServer.
struct HostileRequest {
  std::string text;  // every byte, the body included
  std::string target;
  bool over_tls = false;
  std::string client_certificate;  // PEM, or empty

  // The field's value, or empty. `name` is written as libcurl writes it, in lower case or not.
  [[nodiscard]] std::string Field(std::string_view name) const;
};

// The answering side of one connection.
class HostilePeer {
 public:
  virtual ~HostilePeer() = default;
  // False when the peer is gone.
  virtual bool Send(std::string_view data) = 0;
  // The connection below TLS, to pause or to stall.
  virtual RawConnection& raw() = 0;
};

// A server of somebody who is up to no good, on a loopback address: answers as it is told and
// remembers every byte that it is sent, and certificates that it is shown. Speaks http and https on
// one port: the connection's first byte tells which. Thread-safe.
class HostileServer {
 public:
  using Answer = std::function<void(const HostileRequest&, HostilePeer&)>;

  // Its certificate is SharedCertificate.
  explicit HostileServer(const std::string& address = "127.0.0.1");

  // The answer to requests whose target begins with `prefix`; of several the longest counts.
  // Without any it is 404. The connection is closed afterwards.
  void On(const std::string& prefix, Answer answer);
  // The same, by a whole answer as text.
  void On(const std::string& prefix, const std::string& text);

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] std::string host() const { return server_->host(); }
  [[nodiscard]] std::string http() const { return "http://" + host(); }
  [[nodiscard]] std::string https() const { return "https://" + host(); }

  // Connections, whether a request came over them or not.
  [[nodiscard]] int accepted() const { return server_->accepted(); }
  [[nodiscard]] std::vector<HostileRequest> Requests() const;
  // Those whose target begins with `prefix`.
  [[nodiscard]] std::vector<HostileRequest> Requests(std::string_view prefix) const;

  // Names all loopback addresses and names that the tests use.
  static const simulator::Certificate& SharedCertificate();

 private:
  void Serve(RawConnection& raw);
  void Serve(HostileRequest request, HostilePeer& peer);
  [[nodiscard]] Answer AnswerTo(const std::string& target) const;

  mutable std::mutex mutex_;
  std::map<std::string, Answer> answers_;  // guarded by mutex_
  std::vector<HostileRequest> requests_;   // guarded by mutex_
  std::unique_ptr<RawServer> server_;      // last: its threads use the others
};

// A redirect, 307, to `location`.
[[nodiscard]] std::string RedirectTo(const std::string& location);
// A refusal, 401, with that challenge.
[[nodiscard]] std::string Challenge401(const std::string& challenge);

}  // namespace registry_backend::testing
