// Where a hostile registry sends the exporter by Location, and that it comes there with nothing of
// ours, or not at all.
#include <gtest/gtest.h>

#include <atomic>

#include "tests/integration/hostile_test.h"

namespace registry_backend::testing {
namespace {

// A query that the server it leads to may see, and nobody else.
constexpr char kHopQuery[] = "?sig=xyzzyplover-hop";

class HostileRedirects : public HostileTest {
 protected:
  HostileRedirects() { ServeImage(registry_); }

  // All that `server` was asked, none of it with credentials.
  static std::size_t AskedByAStranger(const HostileServer& server, std::string_view prefix = "") {
    const auto requests = server.Requests(prefix);
    for (const HostileRequest& request : requests) {
      EXPECT_EQ(request.Field("authorization"), "") << request.text;
      EXPECT_EQ(request.Field("cookie"), "") << request.text;
      EXPECT_EQ(request.client_certificate, "");
    }
    return requests.size();
  }

  // The honest image's blobs are redirected to `location` in place of the storage.
  void RedirectBlobs(const std::string& location) {
    registry_.On(std::string(kApi) + "blobs/", ForTheUser(RedirectTo(location)));
  }
};

TEST_F(HostileRedirects, TheStorageIsNamedAndNotContacted) {
  RedirectBlobs(accomplice_.http() + "/blob" + kSignature);
  Attack();
  EXPECT_EQ(Outcome(), "complete") << report_;
  EXPECT_EQ(Hosts(), std::set{accomplice_.host()});
  EXPECT_EQ(accomplice_.accepted(), 0);
}

TEST_F(HostileRedirects, AnotherRegistryIsAskedByAStranger) {
  MayKnow(accomplice_, kHopQuery);
  accomplice_.On("/v2/", HttpText(200, "x", "Set-Cookie: session=xyzzyplover-cookie; Path=/\r\n"));
  for (const std::string& origin : {accomplice_.http(), accomplice_.https()}) {
    RedirectBlobs(origin + "/v2/other/blobs/x" + kHopQuery);
    Attack({.registry = origin.starts_with("https") ? registry_.https() : registry_.http()});
    EXPECT_EQ(Outcome(), "complete") << report_;
    EXPECT_EQ(Hosts(), std::set{accomplice_.host()});
  }
  EXPECT_EQ(AskedByAStranger(accomplice_), 12U);
}

TEST_F(HostileRedirects, AnotherRegistryThatAsksForAPasswordIsGivenNone) {
  accomplice_.On("/v2/", Challenge401("Basic realm=\"give it to me\""));
  RedirectBlobs(accomplice_.http() + "/v2/other/blobs/x");
  Attack();
  EXPECT_EQ(Outcome(), "partial") << report_;
  EXPECT_NE(Complaints().find("auth: "), std::string::npos) << report_;
  EXPECT_GT(AskedByAStranger(accomplice_), 0U);
}

TEST_F(HostileRedirects, AnotherRegistrysTokenServiceIsAskedByAStranger) {
  HostileServer& realm = AddServer("127.0.0.3");
  // Of all tokens this one is for everybody.
  realm.On("/token", HttpText(200, R"({"token": "anonymous"})"));
  accomplice_.On("/v2/", [&realm](const HostileRequest& request, HostilePeer& peer) {
    const bool shown = request.Field("authorization") == "Bearer anonymous";
    peer.Send(shown ? HttpText(200, "x")
                    : Challenge401("Bearer realm=\"" + realm.https() + "/token\",service=\"a\""));
  });
  RedirectBlobs(accomplice_.https() + "/v2/other/blobs/x");
  Attack({.registry = registry_.https()});
  EXPECT_EQ(Outcome(), "complete") << report_;
  EXPECT_EQ(AskedByAStranger(realm), 2U) << "one token a scan";
  EXPECT_FALSE(registry_.Requests().front().client_certificate.empty());
}

TEST_F(HostileRedirects, AnotherRegistrysTokenServiceOnPlainHttpIsNotAsked) {
  accomplice_.On("/v2/", Challenge401("Bearer realm=\"" + trap_.http() + "/token\""));
  RedirectBlobs(accomplice_.http() + "/v2/other/blobs/x");
  Attack();
  EXPECT_EQ(Outcome(), "partial") << report_;
  EXPECT_NE(Complaints().find("is not https"), std::string::npos) << report_;
}

TEST_F(HostileRedirects, WhoHasLeftIsAStrangerAtHomeToo) {
  accomplice_.On("/v2/", RedirectTo(registry_.http() + "/v2/back/blobs/x"));
  registry_.On("/v2/back/", Challenge401("Basic realm=\"welcome home\""));
  RedirectBlobs(accomplice_.http() + "/v2/other/blobs/x");
  Attack();
  EXPECT_EQ(Outcome(), "partial") << report_;
  EXPECT_GT(AskedByAStranger(registry_, "/v2/back/"), 0U);
  EXPECT_GT(AskedByAStranger(accomplice_), 0U);
}

TEST_F(HostileRedirects, AnotherPortIsAnotherRegistry) {
  HostileServer& neighbour = AddServer();  // at the registry's address
  neighbour.On("/v2/", HttpText(200, "x"));
  RedirectBlobs(neighbour.http() + "/v2/other/blobs/x");
  Attack();
  EXPECT_EQ(Hosts(), std::set{neighbour.host()});
  EXPECT_EQ(AskedByAStranger(neighbour), 6U);
}

TEST_F(HostileRedirects, PlainHttpAfterHttpsIsNotFollowed) {
  RedirectBlobs(registry_.http() + "/v2/team/app/blobs/x" + kSignature);
  Attack({.registry = registry_.https()});
  for (const HostileRequest& request : registry_.Requests()) EXPECT_TRUE(request.over_tls);
  EXPECT_EQ(Hosts(), std::set{registry_.host()}) << report_;
}

TEST_F(HostileRedirects, HttpsAfterPlainHttpIsAnotherOrigin) {
  RedirectBlobs(registry_.https() + "/v2/secure/blobs/x");
  registry_.On("/v2/secure/", HttpText(200, "x"));
  Attack();
  EXPECT_EQ(Outcome(), "complete") << report_;
  EXPECT_EQ(AskedByAStranger(registry_, "/v2/secure/"), 6U);
}

// As the clouds' metadata services, whose answers are credentials, would be reached: by manifests
// and tag lists, whose bodies are read.
TEST_F(HostileRedirects, ManifestsAndTagListsElsewhereAreNotRead) {
  for (const char* kind : {"manifests/", "tags/list"}) {
    ServeImage(registry_);
    registry_.On(std::string(kApi) + kind,
                 ForTheUser(RedirectTo(trap_.http() + "/latest/meta-data/" + kSignature)));
    Attack();
    EXPECT_EQ(Outcome(), "failed") << report_;
    EXPECT_NE(Complaints().find("redirect"), std::string::npos) << report_;
  }
}

TEST_F(HostileRedirects, LocationsThatReadInTwoWaysLeadNowhere) {
  const std::string other = accomplice_.host();
  // Whose blob goes where; what none reaches is asserted of the accomplice.
  const std::pair<std::string, std::string> locations[] = {
      {"http://registry@" + other + "/v2/x", other},
      {"http://" + registry_.host() + "@" + other + "/v2/x", other},
      {"http://" + registry_.host() + ":80@" + other + "/v2/x", other},
      {"http://" + other + "#@" + registry_.host() + "/v2/x", other},
      {"http://" + other + "?@" + registry_.host() + "/v2/x", other},
      {"http://" + other + "/v2/../x", other},
      {"http://" + other + "/v2", other},
      {"http://" + other + "/V2/x", other},
      {"http://evil\xEF\xBC\x8E"
       "example/v/",
       "evil.example"},
      {"https://\xD0\xB0pple.example/b", "xn--pple-43d.example"},
      {"http:\\\\" + other + "\\v2\\x", ""},
      {"/\\" + other + "/v2/x", ""},
      {"http://" + registry_.host() + "\\@" + other + "/v2/x", ""},
      {"http:/" + other + "/v2/x", ""},
      {"http:" + other + "/v2/x", ""},
      {"http:///" + other + "/v2/x", ""},
      {"http://ot\ther.example/v2/x", ""},
      {"http://" + other + "/v2/ x", ""},
      {"http://" + other + ":0/v2/x", ""},
      {"http://" + other + ":99999/v2/x", ""},
      {"http://127.0.0.2.:1.2.3.4.5/v2/x", ""},
      {"file:///etc/passwd", ""},
      {"ftp://" + other + "/v2/x", ""},
      {"gopher://" + other + "/v2/x", ""},
      {"data:,x", ""},
      {"javascript:alert(1)", ""},
      {"", ""}};
  int number = 0;
  std::set<std::string> hosts;
  for (const auto& [location, host] : locations) {
    const std::string blob = std::string(kApi) + "blobs/" + BlobDigest(++number);
    const std::string query = location.find_first_of("?#") == std::string::npos ? kSignature : "";
    registry_.On(blob, ForTheUser(RedirectTo(location.empty() ? "" : location + query)));
    if (!host.empty()) hosts.insert(host);
  }
  hosts.insert(kStorageHost);  // of the config
  registry_.On(std::string(kApi) + "manifests/", ForTheUser(ManifestAnswer(ImageManifest(number))));
  Attack();
  EXPECT_EQ(Outcome(), "partial");
  EXPECT_EQ(Hosts(), hosts);
  const std::string complaints = Complaints();
  const auto lines = std::count(complaints.begin(), complaints.end(), '\n');
  EXPECT_EQ(lines, std::count_if(std::begin(locations), std::end(locations),
                                 [](const auto& entry) { return entry.second.empty(); }))
      << complaints;
  EXPECT_EQ(accomplice_.accepted(), 0);
}

TEST_F(HostileRedirects, LoopsEndAfterTenHops) {
  const std::string loop = std::string("/v2/loop/") + kSignature;
  MayKnow(registry_, kSignature);
  RedirectBlobs(loop);
  registry_.On("/v2/loop/", RedirectTo(loop));
  Attack();
  EXPECT_EQ(Outcome(), "partial") << report_;
  EXPECT_NE(Complaints().find("more than 10 redirects"), std::string::npos) << report_;
  EXPECT_EQ(registry_.Requests("/v2/loop/").size(), 2 * 3 * 10U);
}

// Errors name the URL that did not answer, but not all of it.
TEST_F(HostileRedirects, ASignedUrlThatFailsIsNotShown) {
  MayKnow(registry_, kSignature);
  MayKnow(accomplice_, kSignature);
  const std::string broken = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n";
  for (const std::string& answer : {HttpText(403, ""), HttpText(404, ""), broken, std::string("?"),
                                    RedirectTo(std::string("ftp://x/") + kSignature)}) {
    for (HostileServer* server : {&registry_, &accomplice_}) {
      for (const char* part : {"tags/list", "manifests/", "blobs/"}) {
        ServeImage(registry_);
        registry_.On(std::string(kApi) + part,
                     ForTheUser(RedirectTo(server->http() + "/v2/signed/" + kSignature)));
        server->On("/v2/signed/", answer);
        Attack();
        EXPECT_NE((Complaints() + Complaints("unpullable")).find("/v2/signed/"), std::string::npos)
            << report_;
      }
    }
  }
}

TEST_F(HostileRedirects, LoopsAcrossRegistriesEndAfterTenHops) {
  RedirectBlobs(accomplice_.http() + "/v2/loop/");
  accomplice_.On("/v2/loop/", RedirectTo(registry_.http() + "/v2/loop/"));
  registry_.On("/v2/loop/", RedirectTo(accomplice_.http() + "/v2/loop/"));
  Attack();
  EXPECT_NE(Complaints().find("more than 10 redirects"), std::string::npos) << report_;
  EXPECT_EQ(AskedByAStranger(accomplice_), 2 * 3 * 5U);
  EXPECT_EQ(AskedByAStranger(registry_, "/v2/loop/"), 2 * 3 * 5U);
}

// Names below .localhost are this machine, so that one server is as many registries as it likes.
TEST_F(HostileRedirects, OfEverNewRegistriesSixteenAreAsked) {
  constexpr int kLayers = 40;
  registry_.On(std::string(kApi) + "manifests/",
               ForTheUser(ManifestAnswer(ImageManifest(kLayers))));
  HostileServer& many = AddServer();
  const auto hop = std::make_shared<std::atomic<int>>(0);
  const auto send_on = [hop, &many](const HostileRequest&, HostilePeer& peer) {
    peer.Send(RedirectTo("http://r" + std::to_string(++*hop) +
                         ".localhost:" + std::to_string(many.port()) + "/v2/x"));
  };
  many.On("/v2/", send_on);
  registry_.On(std::string(kApi) + "blobs/", send_on);
  Attack();
  EXPECT_EQ(Outcome(), "partial");
  EXPECT_NE(Complaints().find("redirects to more than 16 other registries"), std::string::npos)
      << report_;
  EXPECT_LE(AskedByAStranger(many), 2 * 16U);
}

TEST_F(HostileRedirects, OfEverNewStorageHostsAThousandAreKept) {
  constexpr int kLayers = 1'500;
  registry_.On(std::string(kApi) + "manifests/",
               ForTheUser(ManifestAnswer(ImageManifest(kLayers))));
  const auto host = std::make_shared<std::atomic<int>>(0);
  registry_.On(std::string(kApi) + "blobs/", [host](const HostileRequest&, HostilePeer& peer) {
    peer.Send(RedirectTo("https://h" + std::to_string(++*host) + ".example/" + kSignature));
  });
  Attack({.scan = "timeout: 55s"});
  EXPECT_EQ(Outcome(), "partial");
  EXPECT_LE(Hosts().size(), 1'000U);
  EXPECT_GT(Hosts().size(), 900U);
}

}  // namespace
}  // namespace registry_backend::testing
