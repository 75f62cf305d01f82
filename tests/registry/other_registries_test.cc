#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/registry/client_fixture.h"

// Registries behind the target's registry.
namespace registry_backend {
namespace {

using std::chrono::seconds;
using testing::ImageOf;
using testing::MakeResponse;

Response To(const std::string& location) { return MakeResponse(307, "", {{"Location", location}}); }

// https://r.example wants a user and a password and sends everybody on to https://behind.example,
// which answers as `behind_` says.
class OtherRegistriesTest : public testing::ClientFixture {
 protected:
  OtherRegistriesTest() {
    client().SetCredentials({"user", "SECRET"});
    server_ = [this](const Request& request) {
      const std::string host = request.url.host().text();
      if (host != "r.example") {
        EXPECT_EQ(request.registry, "r.example") << "no series of its own";
        const std::string shown(request.headers.Get("authorization"));
        EXPECT_TRUE(shown.empty() || shown == "Bearer anyone") << shown << " to " << host;
        return behind_(request);
      }
      if (request.headers.Get("authorization").empty()) {
        return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
      }
      return To("https://behind.example" + request.url.path() + "?from=r");
    };
  }

  // Asks for a token before it answers.
  static Response WithToken(const Request& request, const Response& response) {
    if (request.operation == "token") return MakeResponse(200, R"({"token":"anyone"})");
    if (!request.headers.Get("authorization").empty()) return response;
    return MakeResponse(
        401, "", {{"WWW-Authenticate", "Bearer realm=\"https://tokens.example/t\",service=b"}});
  }
  std::vector<std::string> HostsAsked() const {
    std::vector<std::string> hosts;
    for (const Request& request : transport_.requests) hosts.push_back(request.url.host().text());
    return hosts;
  }
  static std::vector<std::string> Names(const std::vector<Host>& hosts) {
    std::vector<std::string> names;
    for (const Host& host : hosts) names.push_back(host.text());
    return names;
  }

  std::function<Response(const Request&)> behind_ = [](const Request&) {
    return MakeResponse(404);
  };
};

TEST_F(OtherRegistriesTest, ABlobIsFollowedThroughThemToItsStorage) {
  behind_ = [](const Request&) { return To("https://b.s3.us-east-1.amazonaws.com/k?sig=S"); };
  const auto answer = Ask(Blob(Sha256Of("x")));
  ASSERT_TRUE(answer) << answer.error().message;
  const auto& source = std::get<BlobSource>(*answer);
  EXPECT_TRUE(source.redirected);
  EXPECT_EQ(source.url.host().text(), "b.s3.us-east-1.amazonaws.com");
  EXPECT_EQ(Names(source.others), std::vector<std::string>{"behind.example"});
  EXPECT_EQ(HostsAsked(), (std::vector<std::string>{"r.example", "r.example", "behind.example"}));
}

TEST_F(OtherRegistriesTest, ABlobThatOneServesItselfIsRedirectedToIt) {
  for (const int status : {200, 206, 416}) {
    behind_ = [status](const Request&) { return MakeResponse(status); };
    const auto answer = Ask(Blob(Sha256Of("x")));
    ASSERT_TRUE(answer) << answer.error().message;
    const auto& source = std::get<BlobSource>(*answer);
    EXPECT_TRUE(source.redirected);
    EXPECT_EQ(source.url.host().text(), "behind.example");
    EXPECT_EQ(Names(source.others), std::vector<std::string>{"behind.example"});
  }
}

TEST_F(OtherRegistriesTest, AManifestIsReadThereAndChecked) {
  const std::string image = ImageOf("c");
  behind_ = [&](const Request&) { return MakeResponse(200, image); };
  const auto answer = Ask(ManifestOf(Sha256Of(image)));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(std::get<FetchedManifest>(*answer).digest, Sha256Of(image));
  EXPECT_EQ(Ask(ManifestOf(Sha256Of("another"))).error().kind, ErrorKind::kDigest);
  const Host behind = *Host::Parse("behind.example");
  EXPECT_EQ(client().sent_on(), (RegistryClient::SentOn{{Operation::Kind::kManifest, behind}}));
  client().BeginScan();
  EXPECT_TRUE(client().sent_on().empty());
}

TEST_F(OtherRegistriesTest, ATokenForAnyoneIsFetchedOnceAndItsRealmIsTold) {
  behind_ = [](const Request& request) { return WithToken(request, MakeResponse(206)); };
  for (const std::string blob : {"x", "y", "z"}) ASSERT_TRUE(AskNow(Blob(Sha256Of(blob))));
  std::size_t tokens = 0;
  for (const Request& request : transport_.requests) {
    if (request.url.host().text() != "tokens.example") continue;
    ++tokens;
    EXPECT_EQ(request.url.query(), "service=b&scope=repository%3Ateam%2Fapp%3Apull");
    EXPECT_EQ(request.headers.Get("authorization"), "");
  }
  EXPECT_EQ(tokens, 1U);
  // A challenge to us, one to the first request there, the token, and then two requests a blob.
  EXPECT_EQ(transport_.requests.size(), 3U + 6U);
  EXPECT_EQ(client().RealmHosts(), std::set<Host>{*Host::Parse("tokens.example")});
}

TEST_F(OtherRegistriesTest, OneThatWantsAPasswordIsGivenNone) {
  behind_ = [](const Request&) {
    return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
  };
  const auto answer = Ask(Blob(Sha256Of("x")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kAuth);
  EXPECT_NE(answer.error().message.find("https://behind.example asks for a user name"),
            std::string::npos)
      << answer.error().message;
  EXPECT_EQ(client().sent_on().size(), 1U) << "a pull needs it all the same";
}

TEST_F(OtherRegistriesTest, ThatAreTooManyAreNotAuthorized) {
  int number = 0;
  server_ = [&](const Request& request) {
    if (request.url.host().text() != "r.example") return MakeResponse(206);
    return To("https://r" + std::to_string(++number) + ".example/v2/x");
  };
  int refused = 0;
  for (int i = 0; i < 30; ++i) {
    const auto answer = AskNow(Blob(Sha256Of("x")));
    if (!answer && answer.error().kind == ErrorKind::kProtocol) ++refused;
  }
  EXPECT_EQ(refused, 30 - 16);
}

TEST_F(OtherRegistriesTest, TagsArePagedWhereTheyAre) {
  behind_ = [](const Request& request) {
    EXPECT_NE(request.connection, nullptr);
    EXPECT_EQ(request.connection->cert_file, "");
    const bool first = request.url.query().find("last") == std::string::npos;
    return WithToken(request,
                     MakeResponse(200, first ? R"({"tags":["a"]})" : R"({"tags":["b"]})",
                                  {{"Link", first ? "</v2/b/tags/list?last=a>; rel=next" : ""}}));
  };
  ConnectionOptions connection;
  connection.cert_file = "client.pem";
  RegistryOptions options = Options();
  options.connection = std::make_shared<const ConnectionOptions>(connection);
  MakeClient(std::move(options));
  client().SetCredentials({"user", "SECRET"});
  const auto first = Ask(Tags());
  ASSERT_TRUE(first) << first.error().message;
  const auto& next = std::get<TagPage>(*first).next;
  ASSERT_TRUE(next);
  EXPECT_EQ(next->text(), "https://behind.example/v2/b/tags/list?last=a");
  const auto second = Ask(Tags(next->text()));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(std::get<TagPage>(*second).tags, std::vector<std::string>{"b"});
}

TEST_F(OtherRegistriesTest, SentBackHomeWeAreStrangersThere) {
  ConnectionOptions connection;
  connection.cert_file = "client.pem";
  RegistryOptions options = Options();
  options.connection = std::make_shared<const ConnectionOptions>(connection);
  MakeClient(std::move(options));
  client().SetCredentials({"user", "SECRET"});
  server_ = [](const Request& request) {
    const std::string path = request.url.path();
    if (request.url.host().text() == "behind.example") return To("https://r.example/v2/back");
    if (path != "/v2/back" && request.headers.Get("authorization").empty()) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
    }
    if (path != "/v2/back") return To("https://behind.example/v2/x");
    EXPECT_EQ(request.headers.Get("authorization"), "");
    EXPECT_EQ(request.connection->cert_file, "");
    return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
  };
  const auto answer = Ask(Blob(Sha256Of("x")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kAuth);
  EXPECT_EQ(transport_.requests.size(), 4U) << "what it was refused is not shown after all";
  EXPECT_EQ(transport_.requests.back().url.path(), "/v2/back");
}

TEST_F(OtherRegistriesTest, ItsOwnTokenServiceIsNotToldWhoWeAreEither) {
  ConnectionOptions connection;
  connection.cert_file = "client.pem";
  connection.server_name = "r.internal";
  connection.insecure_skip_verify = true;
  connection.https_proxy.url = "http://proxy:3128";
  RegistryOptions options = Options();
  options.connection = std::make_shared<const ConnectionOptions>(connection);
  MakeClient(std::move(options));
  client().SetCredentials({.username = "user", .password = "SECRET", .proxy_password = "P"});
  behind_ = [](const Request& request) {
    EXPECT_EQ(request.connection->cert_file, "");
    EXPECT_EQ(request.connection->server_name, "");
    EXPECT_FALSE(request.connection->insecure_skip_verify);
    EXPECT_EQ(request.connection->https_proxy.password, "P") << "the proxy is ours";
    if (request.operation == "token") return MakeResponse(200, R"({"token":"anyone"})");
    if (!request.headers.Get("authorization").empty()) return MakeResponse(206);
    return MakeResponse(401, "",
                        {{"WWW-Authenticate", "Bearer realm=\"https://behind.example/token\""}});
  };
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
}

TEST_F(OtherRegistriesTest, RealmsOfAnEarlierScanAreForgotten) {
  behind_ = [](const Request& request) { return WithToken(request, MakeResponse(206)); };
  ASSERT_TRUE(AskNow(Blob(Sha256Of("x"))));
  EXPECT_EQ(client().RealmHosts().size(), 1U);
  client().BeginScan();
  EXPECT_TRUE(client().RealmHosts().empty());
}

TEST_F(OtherRegistriesTest, APageOfTagsThatIsRefusedThereSaysNothingOfOurCredentials) {
  behind_ = [](const Request&) {
    return MakeResponse(401, "",
                        {{"WWW-Authenticate", "Bearer realm=\"https://tokens.example/t\""}});
  };
  server_ = [this, own = server_](const Request& request) {
    if (request.operation == "token") return MakeResponse(200, R"({"token":"anyone"})");
    return own(request).value();
  };
  const auto answer = Ask(Tags("https://behind.example/v2/b/tags/list?last=a"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message.find("wrong or expired"), std::string::npos)
      << answer.error().message;
  EXPECT_NE(answer.error().message.find("another origin"), std::string::npos)
      << answer.error().message;
}

// Only asking tells whether a pull still goes there.
TEST_F(OtherRegistriesTest, AManifestThatOneServesIsAskedForInEachScan) {
  const std::string image = ImageOf("c");
  behind_ = [&](const Request& request) {
    if (request.method == Method::kHead) ADD_FAILURE() << "only GET shows where pulls lead";
    const bool known = request.headers.Get("if-none-match") == "\"e\"";
    return known ? MakeResponse(304) : MakeResponse(200, image, {{"ETag", "\"e\""}});
  };
  const RegistryClient::SentOn there = {
      {Operation::Kind::kManifest, *Host::Parse("behind.example")}};
  for (int scan = 0; scan < 3; ++scan) {
    client().BeginScan();
    for (const std::string& reference : {std::string("v1"), std::string("v2"), Sha256Of(image)}) {
      ASSERT_TRUE(Ask(ManifestOf(reference))) << scan << reference;
      EXPECT_EQ(client().sent_on(), there) << scan << reference;
      client().BeginScan();
    }
  }
}

TEST_F(OtherRegistriesTest, WhatIsNotThereIsUnpullable) {
  const auto answer = Ask(Blob(Sha256Of("x")));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(std::holds_alternative<Unpullable>(*answer));
}

TEST_F(OtherRegistriesTest, ATokenUnderWayEndsWithTheScan) {
  behind_ = [](const Request& request) { return WithToken(request, MakeResponse(206)); };
  transport_.latency = seconds(1);
  const OperationId call = client().Start(Blob(Sha256Of("x")), [](const auto&) { FAIL(); });
  loop_.Advance(seconds(3) + std::chrono::milliseconds(500));  // the token is asked for
  EXPECT_EQ(transport_.requests.back().operation, "token");
  client().Cancel(call);
  client().BeginScan();
  loop_.Advance(seconds(60));
  EXPECT_EQ(loop_.pending(), 0U);
}

}  // namespace
}  // namespace registry_backend
