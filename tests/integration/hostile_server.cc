#include "tests/integration/hostile_server.h"

#include <strings.h>
#include <sys/socket.h>

#include <charconv>

#include "tests/http/tls_peer.h"

namespace registry_backend::testing {
namespace {

constexpr char kTlsHandshake = 0x16;  // the first byte of a ClientHello (RFC 8446 §5.1)

class PlainPeer final : public HostilePeer {
 public:
  explicit PlainPeer(RawConnection& raw) : raw_(raw) {}
  bool Send(std::string_view data) override { return raw_.Send(data); }
  RawConnection& raw() override { return raw_; }

 private:
  RawConnection& raw_;
};

class SecurePeer final : public HostilePeer {
 public:
  SecurePeer(RawConnection& raw, TlsPeer& tls) : raw_(raw), tls_(tls) {}
  bool Send(std::string_view data) override { return tls_.Send(data); }
  RawConnection& raw() override { return raw_; }

 private:
  RawConnection& raw_;
  TlsPeer& tls_;
};

// The head of a request and its body, by whichever connection there is.
template <typename Connection>
HostileRequest ReadRequest(Connection& connection) {
  HostileRequest request;
  request.text = connection.ReadRequest();
  const std::size_t start = request.text.find(' ');
  const std::size_t end = request.text.find(' ', start + 1);
  if (start != std::string::npos && end != std::string::npos) {
    request.target = request.text.substr(start + 1, end - start - 1);
  }
  std::size_t length = 0;
  const std::string field = request.Field("content-length");
  std::from_chars(field.data(), field.data() + field.size(), length);
  if (length > 0) request.text += connection.Read(length);
  return request;
}

}  // namespace

std::string HostileRequest::Field(std::string_view name) const {
  for (std::size_t at = text.find("\r\n"); at != std::string::npos; at = text.find("\r\n", at)) {
    at += 2;
    const std::size_t colon = at + name.size();
    if (text.compare(at, 2, "\r\n") == 0) break;
    if (colon >= text.size() || text[colon] != ':') continue;
    if (strncasecmp(text.data() + at, name.data(), name.size()) != 0) continue;
    const std::size_t end = text.find("\r\n", at);
    const std::size_t value = text.find_first_not_of(' ', colon + 1);
    return value < end ? text.substr(value, end - value) : "";
  }
  return {};
}

HostileServer::HostileServer(const std::string& address)
    : server_(std::make_unique<RawServer>([this](RawConnection& raw) { Serve(raw); }, address)) {}

void HostileServer::On(const std::string& prefix, Answer answer) {
  const std::lock_guard lock(mutex_);
  answers_[prefix] = std::move(answer);
}

void HostileServer::On(const std::string& prefix, const std::string& text) {
  On(prefix, [text](const HostileRequest&, HostilePeer& peer) { peer.Send(text); });
}

std::vector<HostileRequest> HostileServer::Requests() const { return Requests(""); }

std::vector<HostileRequest> HostileServer::Requests(std::string_view prefix) const {
  const std::lock_guard lock(mutex_);
  std::vector<HostileRequest> found;
  for (const HostileRequest& request : requests_) {
    if (request.target.starts_with(prefix)) found.push_back(request);
  }
  return found;
}

const simulator::Certificate& HostileServer::SharedCertificate() {
  static const simulator::Certificate kCertificate = simulator::MakeCertificate(
      {"127.0.0.1", "127.0.0.2", "127.0.0.3", "localhost", "registry.a.localhost",
       "auth.a.localhost", "b.localhost", "registry.a.localhost.b.localhost"});
  return kCertificate;
}

void HostileServer::Serve(RawConnection& raw) {
  char first = 0;
  if (::recv(raw.fd(), &first, 1, MSG_PEEK) != 1) return;
  if (first != kTlsHandshake) {
    PlainPeer peer(raw);
    Serve(ReadRequest(raw), peer);
    return;
  }
  TlsPeer tls(raw, SharedCertificate(), TlsPeer::ClientCertificate::kAsked);
  if (!tls.ok()) return;
  HostileRequest request = ReadRequest(tls);
  request.over_tls = true;
  request.client_certificate = tls.client_certificate();
  SecurePeer peer(raw, tls);
  Serve(std::move(request), peer);
}

void HostileServer::Serve(HostileRequest request, HostilePeer& peer) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  AnswerTo(request.target)(request, peer);
}

HostileServer::Answer HostileServer::AnswerTo(const std::string& target) const {
  const std::lock_guard lock(mutex_);
  const Answer* best = nullptr;
  // In the map's order a longer prefix of the same text comes later.
  for (const auto& [prefix, answer] : answers_) {
    if (target.starts_with(prefix)) best = &answer;
  }
  if (best != nullptr) return *best;
  return [](const HostileRequest&, HostilePeer& peer) {
    peer.Send(HttpText(404, "{}", "Content-Type: application/json\r\n"));
  };
}

std::string RedirectTo(const std::string& location) {
  return HttpText(307, "", "Location: " + location + "\r\n");
}

std::string Challenge401(const std::string& challenge) {
  return HttpText(401, "", "WWW-Authenticate: " + challenge + "\r\n");
}

}  // namespace registry_backend::testing
