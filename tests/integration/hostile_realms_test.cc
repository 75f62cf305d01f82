// Where a hostile registry would have its credentials shown by the realm of a challenge. An SSRF of
// this kind is CVE-2026-12566.
#include <gtest/gtest.h>

#include <atomic>

#include "exporter/registry/base64.h"
#include "tests/integration/hostile_test.h"

namespace registry_backend::testing {
namespace {

constexpr char kIssued[] = "xyzzyplover-issued-token";
constexpr char kIdentity[] = "xyzzyplover-identity-token";
constexpr char kRegistryToken[] = "xyzzyplover-registry-token";

class HostileRealms : public HostileTest {
 protected:
  // All that the registry is asked is answered so, unless it is shown the token it issues.
  void AskForToken(const std::string& realm) {
    ServeImage(registry_);
    MayKnow(registry_, kIssued);
    for (const std::string part : {"tags/list", "manifests/", "blobs/"}) {
      const std::string answer =
          part == "tags/list"    ? HttpText(200, R"({"tags": ["v1"]})")
          : part == "manifests/" ? ManifestAnswer(ImageManifest())
                                 : RedirectTo(std::string("https://cdn.example/b") + kSignature);
      registry_.On(kApi + part, [=](const HostileRequest& request, HostilePeer& peer) {
        const bool shown = request.Field("authorization") == std::string("Bearer ") + kIssued;
        peer.Send(shown ? answer
                        : Challenge401("Bearer realm=\"" + realm + "\",service=\"s\",scope=\"" +
                                       "repository:team/app:pull\""));
      });
    }
  }

  static std::string Token(const std::string& token) {
    return HttpText(200, nlohmann::json{{"token", token}}.dump(),
                    "Content-Type: application/json\r\nSet-Cookie: t=xyzzyplover-cookie\r\n");
  }

  // Writes docker's config.json with an identity token for the registry.
  std::string IdentityToken() {
    MayKnow(registry_, kIdentity);
    WriteFile(
        directory_ / "config.json",
        nlohmann::json{
            {"auths",
             {{registry_.host(),
               {{"auth", EncodeBase64(std::string(kUser) + ":")}, {"identitytoken", kIdentity}}}}}}
            .dump());
    return "docker_config_file: config.json";
  }

  static constexpr char kBasic[] =
      "basic_auth: {username: plughtwister, password_file: password.txt}";
};

// That the tests below would see it if credentials were shown.
TEST_F(HostileRealms, AtItsOwnOriginHasTheCredentials) {
  AskForToken(registry_.https() + "/token?own=1");
  registry_.On("/token", ForTheUser(Token(kIssued)));
  Attack({.registry = registry_.https()});
  EXPECT_EQ(Outcome(), "complete") << report_;
  EXPECT_NE(registry_.Requests("/token").back().Field("authorization"), "");
}

TEST_F(HostileRealms, OfAnyoneElseAreNotContacted) {
  const std::string port = std::to_string(trap_.port());
  for (const std::string& realm :
       {trap_.https() + "/token", trap_.http() + "/token", "https://localhost:" + port + "/token",
        "https://" + registry_.host() + "@" + trap_.host() + "/token",
        "https://plughtwister:x@" + registry_.host() + "/token",
        registry_.http() + "/token",  // of an https registry
        std::string("//") + trap_.host() + "/token", "\\\\" + trap_.host() + "\\token",
        std::string("file:///etc/passwd"), std::string("/token"), std::string()}) {
    AskForToken(realm + kSignature);
    for (const std::string& credentials : {std::string(kBasic), IdentityToken()}) {
      Attack({.registry = registry_.https(), .credentials = credentials});
      EXPECT_EQ(Outcome(), "failed") << realm;
      EXPECT_FALSE(Complaints().empty());
    }
  }
  EXPECT_TRUE(registry_.Requests("/token").empty());
}

// Names below .localhost are this machine. The last two are no address of the registry's site.
TEST_F(HostileRealms, WithANameLikeTheRegistrysAreNotContacted) {
  const auto at = [](const std::string& name, const HostileServer& server) {
    return "https://" + name + ":" + std::to_string(server.port());
  };
  const std::string registry = at("registry.a.localhost", registry_);
  AskForToken(at("auth.a.localhost", registry_) + "/token");
  registry_.On("/token", Token(kIssued));
  Attack({.registry = registry});
  EXPECT_EQ(Outcome(), "complete") << "its own site\n" << report_;
  for (const char* name : {"b.localhost", "registry.a.localhost.b.localhost"}) {
    AskForToken(at(name, trap_) + "/token");
    Attack({.registry = registry});
    EXPECT_EQ(Outcome(), "failed") << name;
    EXPECT_NE(Complaints().find("belongs to another domain"), std::string::npos) << report_;
  }
}

TEST_F(HostileRealms, ThatRedirectAreNotFollowed) {
  AskForToken(registry_.https() + "/token");
  for (const std::string& location :
       {trap_.https() + "/v2/token", trap_.http() + "/token", registry_.https() + "/other-token"}) {
    registry_.On("/token", RedirectTo(location + kSignature));
    registry_.On("/other-token", Token(kIssued));
    for (const std::string& credentials : {std::string(kBasic), IdentityToken()}) {
      Attack({.registry = registry_.https(), .credentials = credentials});
      EXPECT_EQ(Outcome(), "failed");
      EXPECT_NE(Complaints().find("redirects, which is not followed"), std::string::npos)
          << report_;
    }
  }
  EXPECT_TRUE(registry_.Requests("/other-token").empty());
}

// Also where the token service takes no POST and is asked again by GET.
TEST_F(HostileRealms, HaveTheIdentityTokenInABodyOrAPasswordsPlaceOnly) {
  const std::string as_password =
      "Basic " + EncodeBase64(std::string(kUser) + ":" + std::string(kIdentity));
  MayKnow(registry_, as_password);
  AskForToken(registry_.https() + "/token");
  registry_.On("/token", [](const HostileRequest& request, HostilePeer& peer) {
    peer.Send(request.text.starts_with("POST") ? HttpText(405, "") : Token(kIssued));
  });
  Attack({.registry = registry_.https(), .credentials = IdentityToken()});
  EXPECT_EQ(Outcome(), "complete") << report_;
  for (const HostileRequest& request : registry_.Requests()) {
    EXPECT_EQ(request.target.find(kIdentity), std::string::npos);
  }
}

TEST_F(HostileRealms, AreNotShownTheRegistrysOwnToken) {
  WriteFile(directory_ / "token.txt", kRegistryToken);
  MayKnow(registry_, std::string("Bearer ") + kRegistryToken);
  for (const std::string& realm : {trap_.https() + "/token", registry_.https() + "/token"}) {
    AskForToken(realm);
    Attack({.registry = registry_.https(),
            .credentials = "authorization: {credentials_file: token.txt}"});
    EXPECT_EQ(Outcome(), "failed");
  }
  EXPECT_TRUE(registry_.Requests("/token").empty());
}

TEST_F(HostileRealms, WithoutEndAreAskedSixteenTimesAScan) {
  constexpr int kLayers = 60;
  AskForToken(registry_.https() + "/token");
  registry_.On("/token", Token(kIssued));
  registry_.On(std::string(kApi) + "manifests/", ManifestAnswer(ImageManifest(kLayers)));
  const auto number = std::make_shared<std::atomic<int>>(0);
  registry_.On(std::string(kApi) + "blobs/",
               [this, number](const HostileRequest&, HostilePeer& peer) {
                 peer.Send(Challenge401("Bearer realm=\"" + registry_.https() + "/token/" +
                                        std::to_string(++*number) + "\",scope=\"" +
                                        std::string(1000, 's') + "\""));
               });
  Attack({.registry = registry_.https()});
  EXPECT_EQ(Outcome(), "partial");
  EXPECT_LE(registry_.Requests("/token").size(), 2 * 16U);
}

TEST_F(HostileRealms, WhoseTokensFitNoHeaderAreOfNoUse) {
  AskForToken(registry_.https() + "/token");
  const std::string tokens[] = {
      "a\r\nX-Injected: xyzzyplover", "a b",      "",
      std::string("a\0b", 3),         "\xC3\xA4", std::string(128 * 1024 + 1, 'a')};
  for (const std::string& token : tokens) {
    registry_.On("/token", Token(token));
    Attack({.registry = registry_.https()});
    EXPECT_EQ(Outcome(), "failed") << token.substr(0, 40);
    EXPECT_NE(Complaints().find("protocol: "), std::string::npos) << report_;
  }
  for (const HostileRequest& request : registry_.Requests()) {
    EXPECT_EQ(request.Field("x-injected"), "");
  }
}

// Without credentials there is nothing to steal, but there are places that only we can reach.
TEST_F(HostileRealms, OnPlainHttpGetNoQuestionForAnAnonymousTokenEither) {
  AskForToken(trap_.http() + "/latest/meta-data/");
  Attack({.credentials = ""});
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("is not https"), std::string::npos) << report_;
}

}  // namespace
}  // namespace registry_backend::testing
