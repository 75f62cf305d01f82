#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "exporter/registry/authenticator.h"
#include "tests/registry/client_fixture.h"

// What a client asks of the token service that its registry names, and what it does not.
namespace registry_backend {
namespace {

using std::chrono::seconds;
using testing::FakeTransport;
using testing::MakeResponse;

// A registry whose realm is `realm`; its token service takes anything it is shown.
FakeTransport::Server OpenBearerRegistry(std::string realm) {
  return [realm = std::move(realm)](const Request& request) -> Result<Response> {
    if (request.operation == "token") return MakeResponse(200, R"({"token":"t"})");
    if (request.headers.Get("authorization") != "Bearer t") {
      return MakeResponse(401, "",
                          {{"WWW-Authenticate", "Bearer realm=\"" + realm + "\",service=\"s\""}});
    }
    return MakeResponse(206);
  };
}

class TokenServiceTest : public testing::ClientFixture {
 protected:
  [[nodiscard]] std::vector<Request> TokenRequests() const {
    std::vector<Request> tokens;
    std::ranges::copy_if(transport_.requests, std::back_inserter(tokens),
                         [](const Request& request) { return request.operation == "token"; });
    return tokens;
  }
  static bool Says(const Result<Answer>& answer, std::string_view what) {
    return !answer && answer.error().message.find(what) != std::string::npos;
  }
};

TEST_F(TokenServiceTest, AnIdentityTokenIsPosted) {
  client().SetCredentials({.username = "<token>", .identity_token = "id/tok+n 1"});
  server_ = OpenBearerRegistry("https://auth.r.example/token?own=1");
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
  ASSERT_EQ(TokenRequests().size(), 1U);
  const Request request = TokenRequests().front();
  EXPECT_EQ(request.method, Method::kPost);
  EXPECT_EQ(request.url.text(), "https://auth.r.example/token?own=1");
  EXPECT_EQ(request.form,
            "grant_type=refresh_token&client_id=registry_backend_exporter&service=s&"
            "scope=repository%3Ateam%2Fapp%3Apull&refresh_token=id%2Ftok%2Bn%201");
  EXPECT_EQ(request.headers.Get("authorization"), "");
  EXPECT_EQ(request.max_body_bytes, std::size_t{128} * 1024);
}

TEST_F(TokenServiceTest, ThatKnowsNoPostIsShownAnIdentityTokenAsAPassword) {
  for (const int status : {404, 405}) {
    MakeClient(Options());
    client().SetCredentials({.username = "user", .identity_token = "identity"});
    const auto open = OpenBearerRegistry("https://auth.r.example/token");
    server_ = [&](const Request& request) {
      return request.method == Method::kPost ? MakeResponse(status) : open(request);
    };
    transport_.requests.clear();
    EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
    ASSERT_EQ(TokenRequests().size(), 2U);
    const Request request = TokenRequests().back();
    EXPECT_EQ(request.method, Method::kGet);
    EXPECT_EQ(request.url.query(), "service=s&scope=repository%3Ateam%2Fapp%3Apull");
    EXPECT_EQ(request.headers.Get("authorization"), BasicAuthorization({"user", "identity"}));
    EXPECT_EQ(request.form, "");
  }
}

TEST_F(TokenServiceTest, ThatRefusesAnIdentityTokenIsNotAskedInAnotherWay) {
  for (const int status : {400, 401, 403}) {
    MakeClient(Options());
    client().SetCredentials({.identity_token = "identity"});
    const auto open = OpenBearerRegistry("https://auth.r.example/token");
    server_ = [&](const Request& request) {
      return request.method == Method::kPost ? MakeResponse(status) : open(request);
    };
    transport_.requests.clear();
    const auto answer = Ask(Blob(Sha256Of("x")));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kAuth) << status;
    EXPECT_EQ(TokenRequests().size(), 1U);
    EXPECT_EQ(answer.error().message.find("identity"), std::string::npos);
  }
}

TEST_F(TokenServiceTest, IsNotAskedWhereATokenForTheRegistryIsSet) {
  client().SetCredentials({.registry_token = "t"});
  server_ = OpenBearerRegistry("https://auth.r.example/token");
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
  EXPECT_EQ(transport_.requests.size(), 1U) << "shown from the first request on";

  client().SetCredentials({.registry_token = "expired"});
  const auto refused = Ask(Blob(Sha256Of("x")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kAuth);
  EXPECT_TRUE(Says(refused, "https://r.example refuses the token it was shown"))
      << refused.error().message;
  EXPECT_FALSE(Says(refused, "expired\"")) << refused.error().message;
  EXPECT_TRUE(TokenRequests().empty());

  server_ = [](const Request&) {
    return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
  };
  EXPECT_TRUE(Says(Ask(Blob(Sha256Of("x"))), "only a token is set"));
}

TEST_F(TokenServiceTest, OfAForeignDomainIsTrustedWhereTheTargetNamesIt) {
  const std::string realm = "https://auth.other.example/token";
  server_ = OpenBearerRegistry(realm);
  client().SetCredentials({"user", "secret"});
  const auto refused = Ask(Blob(Sha256Of("x")));
  EXPECT_TRUE(Says(refused, "put https://auth.other.example into token_realms"))
      << refused.error().message;
  EXPECT_TRUE(TokenRequests().empty());
  EXPECT_EQ(client().RealmHosts(), std::set<Host>{*Host::Parse("auth.other.example")});

  RegistryOptions options = Options();
  options.token_realms = {*Url::Parse(realm)};
  MakeClient(options);
  client().SetCredentials({"user", "secret"});
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
  ASSERT_EQ(TokenRequests().size(), 1U);
  EXPECT_EQ(TokenRequests()[0].headers.Get("authorization"),
            BasicAuthorization({"user", "secret"}));
}

TEST_F(TokenServiceTest, OfNoUseIsNamedWithoutBeingAsked) {
  client().SetCredentials({"user", "secret"});
  const std::pair<std::string, std::string> kCases[] = {
      {"https://u:SECRET@auth.r.example/token", "holds a user name"},
      {"http://auth.r.example/token", "is not https"},
      {"ftp://auth.r.example/", "not usable"},
      {"", "not usable"},
      {"/token", "not usable"}};
  for (const auto& [realm, says] : kCases) {
    client().BeginScan();
    server_ = OpenBearerRegistry(realm);
    const auto answer = Ask(Blob(Sha256Of("x")));
    EXPECT_TRUE(Says(answer, says)) << realm << ": " << answer.error().message;
    EXPECT_FALSE(Says(answer, "SECRET"));
    EXPECT_FALSE(Says(answer, "token_realms")) << "that would not help";
    EXPECT_TRUE(TokenRequests().empty());
  }
}

TEST_F(TokenServiceTest, ThatRedirectsIsNotFollowed) {
  client().SetCredentials({"user", "secret"});
  const auto open = OpenBearerRegistry("https://auth.r.example/token");
  for (const std::string location :
       {"https://auth.r.example/elsewhere", "https://r.example/token", "http://evil.example/"}) {
    client().BeginScan();
    transport_.requests.clear();
    server_ = [&](const Request& request) {
      return request.operation == "token" ? MakeResponse(307, "", {{"Location", location}})
                                          : open(request);
    };
    EXPECT_TRUE(Says(Ask(Blob(Sha256Of("x"))), "redirects, which is not followed"));
    EXPECT_EQ(TokenRequests().size(), 1U);
  }
}

TEST_F(TokenServiceTest, IsAskedOnceForEachScope) {
  client().SetCredentials({"user", "secret"});
  std::size_t refusals = 0;
  server_ = [&](const Request& request) {
    if (request.operation == "token") {
      const bool for_blobs = request.url.query().find("pull_blobs") != std::string::npos;
      return MakeResponse(200, for_blobs ? R"({"token":"blob"})" : R"({"token":"tags"})");
    }
    const std::string operation(request.operation);
    if (request.headers.Get("authorization") != "Bearer " + operation) {
      ++refusals;
      return MakeResponse(
          401, "",
          {{"WWW-Authenticate", "Bearer realm=\"https://r.example/token\",scope=\"" +
                                    std::string(operation == "blob" ? "pull_blobs\"" : "x\"")}});
    }
    return operation == "tags" ? MakeResponse(200, R"({"tags":[]})") : MakeResponse(206);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(AskNow(Tags()));
    EXPECT_TRUE(AskNow(Blob(Sha256Of("x"))));
  }
  EXPECT_EQ(TokenRequests().size(), 2U);
  EXPECT_EQ(refusals, 2U) << "each is remembered for its own kind of request";
  client().BeginScan();
  EXPECT_TRUE(AskNow(Tags()));
  EXPECT_TRUE(AskNow(Blob(Sha256Of("x"))));
  EXPECT_EQ(TokenRequests().size(), 2U);
}

TEST_F(TokenServiceTest, IsAskedAnewWhereAChallengeLeadsBackToATokenThatHasRunOut) {
  client().SetCredentials({"user", "secret"});
  const Time start = loop_.Now();
  server_ = [&](const Request& request) {
    const bool late = loop_.Now() - start > seconds(60);
    if (request.operation == "token") {
      const bool for_blobs = request.url.query().find("pull_blobs") != std::string::npos;
      return MakeResponse(200, std::string(R"({"token":")") + (for_blobs ? "blob" : "other") +
                                   (late ? "-late\"}" : "\"}"));
    }
    const bool is_blob = request.operation == "blob";
    const std::string token = std::string(is_blob ? "blob" : "other") + (late ? "-late" : "");
    if (request.headers.Get("authorization") != "Bearer " + token) {
      return MakeResponse(
          401, "",
          {{"WWW-Authenticate", "Bearer realm=\"https://r.example/token\",scope=\"" +
                                    std::string(is_blob ? "pull_blobs\"" : "x\"")}});
    }
    return is_blob ? MakeResponse(206) : MakeResponse(404);
  };
  ASSERT_EQ(AskNow(Tags()).error().status, 404);
  ASSERT_TRUE(AskNow(Blob(Sha256Of("x"))));
  loop_.Advance(seconds(120));
  const auto answer = AskNow(ManifestOf("v1"));  // not asked before: tried with the blobs' token
  EXPECT_TRUE(answer) << answer.error().message;
}

TEST_F(TokenServiceTest, IsAskedForNoEndlessNumberOfScopes) {
  client().SetCredentials({"user", "secret"});
  int scope = 0;
  server_ = [&](const Request& request) {
    if (request.operation == "token") return MakeResponse(200, R"({"token":"t"})");
    return MakeResponse(401, "",
                        {{"WWW-Authenticate", "Bearer realm=\"https://r.example/token\",scope=\"" +
                                                  std::to_string(++scope) + "\""}});
  };
  Result<Answer> answer = AskNow(Tags());
  for (int i = 0; i < 30; ++i) answer = AskNow(Tags());
  EXPECT_TRUE(Says(answer, "more than 16 different tokens")) << answer.error().message;
  EXPECT_EQ(TokenRequests().size(), 16U);
}

TEST_F(TokenServiceTest, ThatFailsAtAnEarlyRenewalLeavesTheOldTokenInUse) {
  client().SetCredentials({"user", "secret"});
  const std::string challenge = "Bearer realm=\"https://r.example/token\"";
  Response token = MakeResponse(200, R"({"token":"t","expires_in":100})");
  server_ = [&](const Request& request) {
    if (request.operation == "token") return token;
    return request.headers.Get("authorization") == "Bearer t"
               ? MakeResponse(206)
               : MakeResponse(401, "", {{"WWW-Authenticate", challenge}});
  };
  EXPECT_TRUE(AskNow(Blob(Sha256Of("x"))));
  token = MakeResponse(403);
  loop_.Advance(seconds(90));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(AskNow(Blob(Sha256Of("x")))) << i;
  EXPECT_EQ(TokenRequests().size(), 2U) << "one renewal is tried";
  loop_.Advance(seconds(6));
  EXPECT_FALSE(AskNow(Blob(Sha256Of("x")))) << "its end has come";
  EXPECT_EQ(TokenRequests().size(), 3U);
}

TEST_F(TokenServiceTest, ThatFailsIsLetAloneAndAllAreToldTheSame) {
  const struct {
    Response failure;
    Duration lasts;
    ErrorKind kind;
  } kCases[] = {{MakeResponse(403), seconds(30), ErrorKind::kAuth},
                {MakeResponse(400), seconds(5), ErrorKind::kHttp},
                {MakeResponse(200, "{}"), seconds(5), ErrorKind::kProtocol}};
  for (const auto& c : kCases) {
    MakeClient(Options());
    client().SetCredentials({"user", "secret"});
    transport_.requests.clear();
    server_ = [&, open = OpenBearerRegistry("https://r.example/token")](const Request& request) {
      return request.operation == "token" ? c.failure : open(request);
    };
    std::vector<Error> errors;
    for (int i = 0; i < 8; ++i) {
      client().Start(Blob(Sha256Of(std::to_string(i))),
                     [&](const Result<Answer>& answer) { errors.push_back(answer.error()); });
    }
    loop_.Advance(seconds(1));
    ASSERT_EQ(errors.size(), 8U);
    EXPECT_EQ(errors[0].kind, c.kind) << errors[0].message;
    errors.push_back(AskNow(Tags()).error());
    for (const Error& error : errors) EXPECT_EQ(error, errors[0]);
    EXPECT_EQ(TokenRequests().size(), 1U);

    loop_.Advance(c.lasts - seconds(4));
    EXPECT_FALSE(AskNow(Tags()));
    EXPECT_EQ(TokenRequests().size(), 1U);
    loop_.Advance(seconds(3));
    EXPECT_FALSE(AskNow(Tags()));
    EXPECT_EQ(TokenRequests().size(), 2U);
    client().BeginScan();
    EXPECT_FALSE(AskNow(Tags()));
    EXPECT_EQ(TokenRequests().size(), 3U) << "a new scan begins anew";
  }
}

TEST_F(TokenServiceTest, ForeignToTheRegistryDoesNotSeeWhoWeAre) {
  ConnectionOptions connection;
  connection.ca_file = "ca.pem";
  connection.cert_file = "cert.pem";
  connection.key_file = "key.pem";
  connection.server_name = "inside.example";
  connection.https_proxy.url = "http://proxy";
  const struct {
    std::string realm;
    std::string server_name;
    std::string cert_file;
  } kCases[] = {
      {"https://r.example/token", "inside.example", "cert.pem"},
      {"https://auth.r.example/token", "", "cert.pem"},
      {"https://r.example:444/token", "", "cert.pem"},
      {"https://named.other.example/token", "", "cert.pem"},
      {"https://auth.other.example/token", "", ""},
  };
  for (const auto& c : kCases) {
    RegistryOptions options = Options();
    options.connection = std::make_shared<const ConnectionOptions>(connection);
    options.token_realms = {*Url::Parse("https://named.other.example")};
    MakeClient(options);
    transport_.requests.clear();
    server_ = OpenBearerRegistry(c.realm);
    EXPECT_TRUE(Ask(Blob(Sha256Of("x")))) << c.realm;
    ASSERT_EQ(transport_.requests.size(), 3U);
    EXPECT_EQ(*transport_.requests[0].connection, connection);
    ASSERT_EQ(transport_.requests[1].operation, "token");
    const ConnectionOptions& shown = *transport_.requests[1].connection;
    EXPECT_EQ(shown.server_name, c.server_name) << c.realm;
    EXPECT_EQ(shown.cert_file, c.cert_file) << c.realm;
    EXPECT_EQ(shown.key_file.empty(), c.cert_file.empty()) << c.realm;
    EXPECT_EQ(shown.ca_file, connection.ca_file);
    EXPECT_EQ(shown.https_proxy, connection.https_proxy);
  }
}

TEST_F(TokenServiceTest, AndRegistryAreReachedWithTheProxysPassword) {
  ConnectionOptions connection;
  connection.https_proxy = {"http://proxy", "user", ""};
  RegistryOptions options = Options();
  options.connection = std::make_shared<const ConnectionOptions>(connection);
  for (const std::string realm : {"https://r.example/token", "https://auth.r.example/token",
                                  "https://auth.other.example/token"}) {
    MakeClient(options);
    client().SetCredentials({.proxy_password = "of-the-proxy"});
    transport_.requests.clear();
    server_ = OpenBearerRegistry(realm);
    EXPECT_TRUE(Ask(Blob(Sha256Of("x")))) << "a proxy's password makes nobody known to a realm";
    ASSERT_EQ(transport_.requests.size(), 3U);
    for (const Request& request : transport_.requests) {
      EXPECT_EQ(request.connection->https_proxy, (Proxy{"http://proxy", "user", "of-the-proxy"}));
    }
    client().SetCredentials({.proxy_password = "changed"});
    EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
    EXPECT_EQ(transport_.requests.back().connection->https_proxy.password, "changed");
  }
}

TEST_F(TokenServiceTest, SaysHowLongATokenLastsWithinLimits) {
  const std::pair<std::string, seconds> kCases[] = {
      {"", seconds(60)},
      {R"(,"expires_in":0)", seconds(60)},
      {R"(,"expires_in":-7)", seconds(60)},
      {R"(,"expires_in":59)", seconds(60)},
      {R"(,"expires_in":"300")", seconds(60)},
      {R"(,"expires_in":1e300)", seconds(60)},
      {R"(,"expires_in":300)", seconds(300)},
      {R"(,"expires_in":999999999999)", seconds(86400)}};
  for (const auto& [member, lasts] : kCases) {
    MakeClient(Options());
    transport_.requests.clear();
    server_ = [&, open = OpenBearerRegistry("https://r.example/token")](const Request& request) {
      return request.operation == "token" ? MakeResponse(200, R"({"token":"t")" + member + "}")
                                          : open(request);
    };
    EXPECT_TRUE(AskNow(Blob(Sha256Of("x"))));
    loop_.Advance(lasts * 9 / 10 - seconds(2));
    EXPECT_TRUE(AskNow(Blob(Sha256Of("x"))));
    EXPECT_EQ(TokenRequests().size(), 1U) << member;
    loop_.Advance(seconds(1));
    EXPECT_TRUE(AskNow(Blob(Sha256Of("x"))));
    EXPECT_EQ(TokenRequests().size(), 2U) << member;
  }
}

TEST_F(TokenServiceTest, IsFoundAmongOtherChallenges) {
  const std::string bearer = "Bearer realm=\"https://r.example/token\",service=\"a, b\"";
  const std::vector<std::vector<std::string>> kCases = {{bearer},
                                                        {"Negotiate, " + bearer},
                                                        {"Negotiate", "NTLM abc==", bearer},
                                                        {"Basic realm=\"x, y\", " + bearer},
                                                        {bearer + ", Basic realm=x"},
                                                        {"bEaReR" + bearer.substr(6)}};
  for (const auto& fields : kCases) {
    MakeClient(Options());
    transport_.requests.clear();
    client().SetCredentials({"user", "secret"});
    server_ = [&, open = OpenBearerRegistry("")](const Request& request) {
      Result<Response> response = open(request);
      if (response->status != 401) return response;
      Response refused = MakeResponse(401);
      for (const std::string& field : fields) refused.headers.Add("www-authenticate", field);
      return Result<Response>(refused);
    };
    EXPECT_TRUE(Ask(Blob(Sha256Of("x")))) << fields[0];
    ASSERT_EQ(TokenRequests().size(), 1U) << fields[0];
    EXPECT_TRUE(TokenRequests()[0].url.query().starts_with("service=a%2C%20b&"));
  }
}

TEST_F(TokenServiceTest, ThatIsOverloadedIsAskedAgainLater) {
  client().SetCredentials({"user", "secret"});
  bool busy = true;
  server_ = [&, open = OpenBearerRegistry("https://auth.r.example/token")](const Request& request) {
    if (request.operation == "token" && std::exchange(busy, false)) {
      return Result<Response>(MakeResponse(429, "", {{"Retry-After", "7"}}));
    }
    return open(request);
  };
  std::vector<bool> answers;
  client().Start(Blob(Sha256Of("x")),
                 [&](const Result<Answer>& answer) { answers.push_back(answer.ok()); });
  loop_.Advance(seconds(6));
  EXPECT_EQ(answers, std::vector<bool>{});
  loop_.Advance(seconds(2));
  EXPECT_EQ(answers, std::vector<bool>{true});
  EXPECT_EQ(TokenRequests().size(), 2U);
}

}  // namespace
}  // namespace registry_backend
