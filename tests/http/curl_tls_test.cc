#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>

#include "exporter/http/curl_transport.h"
#include "tests/http/fetch.h"
#include "tests/http/tls_peer.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_dir.h"

// What CurlTransport shows of itself over TLS, and what it wants to be shown.
namespace registry_backend {
namespace {

using simulator::Certificate;
using simulator::MakeCertificate;
using testing::Fetch;
using testing::HttpText;
using testing::RawConnection;
using testing::RawServer;
using testing::TlsPeer;

// The first line of the field of that name, or empty.
std::string Field(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t start = at + name.size() + 4;
  return head.substr(start, head.find("\r\n", start) - start);
}

class CurlTlsTest : public ::testing::Test {
 protected:
  CurlTlsTest() {
    testing::WriteFile(dir_ / "ca.pem", server_certificate_.certificate_pem);
    testing::WriteFile(dir_ / "cert.pem", client_certificate_.certificate_pem);
    testing::WriteFile(dir_ / "key.pem", client_certificate_.key_pem);
  }

  // A server that tells in its answers what it was asked for by whom:
  // `<server name>|<Host>|<client certificate>`.
  RawServer::Handler Telling(TlsPeer::ClientCertificate wanted) const {
    return [this, wanted](RawConnection& connection) {
      TlsPeer tls(connection, server_certificate_, wanted);
      if (!tls.ok()) connection.Stall();  // a reset could overtake the alert
      for (std::string head; !(head = tls.ReadRequest()).empty();) {
        const std::string body =
            tls.server_name() + "|" + Field(head, "Host") + "|" + tls.client_certificate();
        tls.Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                 body);
      }
    };
  }

  [[nodiscard]] ConnectionOptions Trusting() const {
    ConnectionOptions options;
    options.ca_file = (dir_ / "ca.pem").string();
    return options;
  }
  [[nodiscard]] ConnectionOptions WithCertificate(ConnectionOptions options) const {
    options.cert_file = (dir_ / "cert.pem").string();
    options.key_file = (dir_ / "key.pem").string();
    return options;
  }

  Result<Response> Ask(const std::string& url, const ConnectionOptions& options) {
    Request request{.url = *Url::Parse(url)};
    request.connection = std::make_shared<const ConnectionOptions>(options);
    return Fetch(transport_, std::move(request));
  }

  const Certificate server_certificate_ = MakeCertificate({"127.0.0.1", "inside.example"});
  const Certificate client_certificate_ = MakeCertificate({"client.example"});
  const testing::TempDir dir_;
  CurlTransport transport_{{}, nullptr};
};

// One answer a connection: `<resumed or new>|<client certificate>`.
RawServer::Handler TellingOfSessions(const testing::TlsContext& context) {
  return [&context](RawConnection& connection) {
    TlsPeer tls(connection, context);
    if (tls.ReadRequest().empty()) return;
    const std::string body =
        std::string(tls.resumed() ? "resumed" : "new") + "|" + tls.client_certificate();
    tls.Send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body);
  };
}

std::string HttpsUrl(const RawServer& server) { return "https://" + server.host() + "/"; }

// A whole handshake for each of a host's connections would cost both sides most of a scan's CPU.
TEST_F(CurlTlsTest, FurtherConnectionsResumeTheSession) {
  const testing::TlsContext context(server_certificate_);
  RawServer server(TellingOfSessions(context));
  EXPECT_EQ(Ask(HttpsUrl(server), Trusting())->body, "new|");
  // By another of the transport's handles: the one that has made the session is waiting elsewhere.
  RawServer silent([](RawConnection& connection) { connection.Stall(); });
  Request waits{.url = *Url::Parse("http://" + silent.host() + "/")};
  const CallId waiting = transport_.Start(std::move(waits), Time::max(), [](const auto&) {});
  EXPECT_EQ(Ask(HttpsUrl(server), Trusting())->body, "resumed|");
  transport_.Cancel(waiting);
}

// Else one target would be known by the certificate of another, or trust what it should not.
TEST_F(CurlTlsTest, ASessionIsOfThoseWhoTrustAndShowTheSame) {
  const testing::TlsContext context(server_certificate_, TlsPeer::ClientCertificate::kAsked);
  RawServer server(TellingOfSessions(context));
  const std::string url = HttpsUrl(server);
  const std::string shown = client_certificate_.certificate_pem;
  EXPECT_EQ(Ask(url, WithCertificate(Trusting()))->body, "new|" + shown);
  EXPECT_EQ(Ask(url, WithCertificate(Trusting()))->body, "resumed|" + shown);
  EXPECT_EQ(Ask(url, Trusting())->body, "new|");
  ConnectionOptions careless;
  careless.insecure_skip_verify = true;
  EXPECT_EQ(Ask(url, careless)->body, "new|");
  EXPECT_FALSE(Ask(url, {})) << "it trusts no session that others have made";
}

TEST_F(CurlTlsTest, ShowsTheClientCertificateOfItsOptionsOnly) {
  RawServer server(Telling(TlsPeer::ClientCertificate::kAsked));
  const std::string url = HttpsUrl(server);
  for (int i = 0; i < 2; ++i) {
    const auto known = Ask(url, WithCertificate(Trusting()));
    ASSERT_TRUE(known) << known.error().message;
    EXPECT_EQ(known->body, "|" + server.host() + "|" + client_certificate_.certificate_pem);
    // Over a connection of its own: the other one is known to be ours.
    const auto unknown = Ask(url, Trusting());
    ASSERT_TRUE(unknown) << unknown.error().message;
    EXPECT_EQ(unknown->body, "|" + server.host() + "|");
  }
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(CurlTlsTest, AClientCertificateThatIsMissedIsATlsError) {
  RawServer server(Telling(TlsPeer::ClientCertificate::kRequired));
  const auto refused = Ask(HttpsUrl(server), Trusting());
  ASSERT_FALSE(refused);
  EXPECT_EQ(ReasonName(refused.error().kind), "tls") << refused.error().message;
  EXPECT_TRUE(Ask(HttpsUrl(server), WithCertificate(Trusting())));
}

TEST_F(CurlTlsTest, AHandshakeThatBreaksOffIsNoTlsError) {
  for (const bool reset : {true, false}) {
    RawServer server([reset](RawConnection& connection) {
      if (reset) {
        connection.ResetOnClose();
      } else {
        ::shutdown(connection.fd(), SHUT_WR);
        connection.Stall();  // until the client gives up
      }
    });
    const auto answer = Ask(HttpsUrl(server), Trusting());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kConnect) << answer.error().message;
  }
}

TEST_F(CurlTlsTest, AClientCertificateOfNoUseIsATlsError) {
  RawServer server(Telling(TlsPeer::ClientCertificate::kAsked));
  ConnectionOptions missing = WithCertificate(Trusting());
  missing.cert_file = (dir_ / "missing.pem").string();
  ConnectionOptions mismatched = WithCertificate(Trusting());
  testing::WriteFile(dir_ / "other.pem", server_certificate_.key_pem);
  mismatched.key_file = (dir_ / "other.pem").string();
  for (const ConnectionOptions& options : {missing, mismatched}) {
    const auto answer = Ask(HttpsUrl(server), options);
    ASSERT_FALSE(answer);
    EXPECT_EQ(ReasonName(answer.error().kind), "tls") << answer.error().message;
  }
}

TEST_F(CurlTlsTest, TheCertificateMayHoldAnotherNameThanTheUrlWhereThatIsSaid) {
  // Held by no URL: the server is reached by its address.
  const Certificate inside = MakeCertificate({"only.inside.example"});
  testing::WriteFile(dir_ / "inside.pem", inside.certificate_pem);
  RawServer server([&](RawConnection& connection) {
    TlsPeer tls(connection, inside);
    const std::string head = tls.ReadRequest();
    tls.Send(HttpText(200, tls.server_name() + "|" + Field(head, "Host") + "|" +
                               head.substr(0, head.find("\r\n"))));
  });
  ConnectionOptions options;
  options.ca_file = (dir_ / "inside.pem").string();
  const std::string url = HttpsUrl(server) + "v2/?q=1";
  EXPECT_EQ(Ask(url, options).error().kind, ErrorKind::kTls);
  options.server_name = "only.inside.example";
  const auto answer = Ask(url, options);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "only.inside.example|" + server.host() + "|GET /v2/?q=1 HTTP/1.1");
  options.server_name = "else.inside.example";
  const auto refused = Ask(url, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kTls);
  EXPECT_TRUE(refused.error().message.starts_with(HttpsUrl(server) + "v2/: "))
      << refused.error().message;
}

TEST_F(CurlTlsTest, AServerNameChangesNothingWithoutTls) {
  RawServer server([](RawConnection& connection) {
    connection.Send(HttpText(200, Field(connection.ReadRequest(), "Host")));
  });
  ConnectionOptions options;
  options.server_name = "inside.example";
  const auto answer = Ask(server.url() + "/", options);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, server.host());
}

TEST_F(CurlTlsTest, OnlyWhoSaysSoTakesAnyCertificate) {
  const Certificate expired = MakeCertificate({"other.example"}, std::chrono::hours(1));
  RawServer server([&](RawConnection& connection) {
    TlsPeer tls(connection, expired);
    while (!tls.ReadRequest().empty()) tls.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  ConnectionOptions careless;
  careless.insecure_skip_verify = true;
  for (int i = 0; i < 2; ++i) {
    const auto answer = Ask(HttpsUrl(server), careless);
    EXPECT_TRUE(answer) << answer.error().message;
    // A connection that was not verified serves nobody else.
    EXPECT_EQ(Ask(HttpsUrl(server), {}).error().kind, ErrorKind::kTls);
  }
}

TEST_F(CurlTlsTest, AProxyAndTheRegistryBehindItSeeOnlyWhatIsForThem) {
  std::string connect;
  std::string inside;
  const auto serve = [&](RawConnection& connection) {
    connect = connection.ReadRequest();
    connection.Send("HTTP/1.1 200 Connection established\r\nX-From: proxy\r\n\r\n");
    TlsPeer tls(connection, server_certificate_);
    inside = tls.ReadRequest();
    tls.Send(HttpText(200, "inside"));
  };
  {
    RawServer proxy(serve);
    ConnectionOptions options = Trusting();
    options.https_proxy = *ParseProxy("http://pro%40xy:pa%3A55@" + proxy.host());
    Request request{.url = *Url::Parse("https://inside.example/v2/?SECRET")};
    request.headers.Add("authorization", "Bearer registry-token");
    request.connection = std::make_shared<const ConnectionOptions>(options);
    const auto answer = Fetch(transport_, request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "inside");
    EXPECT_EQ(answer->headers.Get("x-from"), "") << "the tunnel's fields are not the answer's";
  }
  EXPECT_TRUE(connect.starts_with("CONNECT inside.example:443 HTTP/1.1\r\n")) << connect;
  EXPECT_EQ(Field(connect, "Proxy-Authorization"), "Basic cHJvQHh5OnBhOjU1");
  EXPECT_EQ(connect.find("registry-token"), std::string::npos) << connect;
  EXPECT_EQ(connect.find("SECRET"), std::string::npos) << connect;
  EXPECT_EQ(Field(inside, "authorization"), "Bearer registry-token");
  EXPECT_EQ(Field(inside, "Proxy-Authorization"), "") << inside;
}

TEST_F(CurlTlsTest, AServerNameIsAskedForThroughAProxyToo) {
  RawServer proxy([&](RawConnection& connection) {
    const std::string connect = connection.ReadRequest();
    connection.Send("HTTP/1.1 200 Connection established\r\n\r\n");
    TlsPeer tls(connection, server_certificate_);
    const std::string head = tls.ReadRequest();
    tls.Send(HttpText(200, connect.substr(0, connect.find("\r\n")) + "|" + tls.server_name() + "|" +
                               Field(head, "Host")));
  });
  ConnectionOptions options = Trusting();
  options.https_proxy = *ParseProxy(proxy.url());
  options.server_name = "inside.example";
  const auto answer = Ask("https://registry.invalid:5000/", options);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body,
            "CONNECT registry.invalid:5000 HTTP/1.1|inside.example|registry.invalid:5000");
}

}  // namespace
}  // namespace registry_backend
