// Secrets on the way to a hostile registry: the proxy's, the client's certificate, and what lies
// about on the machine.
#include <gtest/gtest.h>

#include "exporter/registry/base64.h"
#include "tests/integration/hostile_test.h"

namespace registry_backend::testing {
namespace {

constexpr char kProxyPassword[] = "xyzzyplover-proxy-pass/word";

// The search itself must find what gets away.
TEST(FindLeak, FindsTheWordInManySpellings) {
  const std::string word(kMark);
  for (const std::string& text :
       {"a " + word + " b", std::string("XyzzyPlover"), "%2F" + word + "%2F", EncodeBase64(word),
        EncodeBase64("u:" + word), EncodeBase64("me:" + word + "!"), EncodeBase64("you:a" + word),
        std::string("78797a7a79706c6f766572")}) {
    EXPECT_NE(FindLeak(text), "") << text;
  }
  EXPECT_EQ(FindLeak("nothing of the kind, eHl6"), "");
}

class HostileSurroundings : public HostileTest {
 protected:
  HostileSurroundings() { ServeImage(registry_); }

  std::string Proxy(const HostileServer& proxy) {
    WriteFile(directory_ / "proxy.txt", kProxyPassword);
    return "proxy_url: \"http://proxyuser@" + proxy.host() + "\", proxy_password_file: proxy.txt";
  }
};

// It makes no tunnel, but would like to be asked again, or elsewhere.
TEST_F(HostileSurroundings, TheProxysPasswordIsTheProxysOnly) {
  HostileServer& proxy = AddServer("127.0.0.2");
  const std::string field = "Basic " + EncodeBase64(std::string("proxyuser:") + kProxyPassword);
  MayKnow(proxy, field);
  for (const char* status : {"407 Who", "302 There"}) {
    proxy.On("", std::string("HTTP/1.1 ") + status +
                     "\r\nProxy-Authenticate: Basic realm=\"p\"\r\nLocation: http://" +
                     trap_.host() + "/\r\nConnection: close\r\n\r\n");
    Attack({.registry = registry_.https(), .keys = Proxy(proxy)});
    EXPECT_EQ(Outcome(), "failed") << status;
  }
  EXPECT_EQ(registry_.accepted(), 0) << "no tunnel was made";
  ASSERT_FALSE(proxy.Requests().empty());
  for (const HostileRequest& request : proxy.Requests()) {
    EXPECT_TRUE(request.text.starts_with("CONNECT ")) << request.text;
    EXPECT_EQ(request.Field("proxy-authorization"), field);
    EXPECT_EQ(request.Field("authorization"), "");
  }
}

// A tunnel's far end is the registry, which must not see what the proxy was shown.
TEST_F(HostileSurroundings, TheRegistryBehindATunnelIsNotShownTheProxysPassword) {
  HostileServer& proxy = AddServer("127.0.0.2");
  MayKnow(proxy, "Basic " + EncodeBase64(std::string("proxyuser:") + kProxyPassword));
  // It accepts the tunnel and answers for the registry: all that comes is a ClientHello.
  proxy.On("", [](const HostileRequest&, HostilePeer& peer) {
    peer.Send("HTTP/1.1 200 Connected\r\n\r\n");
    peer.Send("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
  });
  Attack({.registry = registry_.https(), .keys = Proxy(proxy)});
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("tls: "), std::string::npos) << Complaints();
}

TEST_F(HostileSurroundings, TheClientsCertificateIsTheRegistrysOnly) {
  accomplice_.On("/v2/", HttpText(200, "x"));
  registry_.On(std::string(kApi) + "blobs/",
               ForTheUser(RedirectTo(accomplice_.https() + "/v2/other/blobs/x")));
  Attack({.registry = registry_.https()});
  EXPECT_EQ(Outcome(), "complete") << report_;
  for (const HostileRequest& request : registry_.Requests()) {
    EXPECT_NE(request.client_certificate, "");
  }
  ASSERT_FALSE(accomplice_.Requests().empty());
  for (const HostileRequest& request : accomplice_.Requests()) {
    EXPECT_EQ(request.client_certificate, "");
  }
}

// The image's lists and manifests come with one.
TEST_F(HostileSurroundings, CookiesAreNotSentBack) {
  Attack();
  EXPECT_EQ(Outcome(), "complete") << report_;
  for (const HostileRequest& request : registry_.Requests()) {
    EXPECT_EQ(request.Field("cookie"), "");
  }
}

// ~/.netrc has a password for each of these servers.
TEST_F(HostileSurroundings, NetrcIsNotRead) {
  for (const char* part : {"tags/list", "manifests/", "blobs/"}) {
    registry_.On(std::string(kApi) + part, Challenge401("Basic realm=\"registry\""));
  }
  Attack({.credentials = ""});
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("asks for a user name and a password; there are none for it"),
            std::string::npos)
      << Complaints();
  for (const HostileRequest& request : registry_.Requests()) {
    EXPECT_EQ(request.Field("authorization"), "");
  }
}

// It leads to the trap in all tests of this kind.
TEST_F(HostileSurroundings, TheEnvironmentsProxyIsNotUsed) {
  for (const std::string& registry : {registry_.http(), registry_.https()}) {
    Attack({.registry = registry});
    EXPECT_EQ(Outcome(), "complete") << report_;
  }
  EXPECT_EQ(trap_.accepted(), 0);
}

}  // namespace
}  // namespace registry_backend::testing
