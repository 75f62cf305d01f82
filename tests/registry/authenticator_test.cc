#include "exporter/registry/authenticator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "tests/registry/client_fixture.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeTransport;
using testing::MakeResponse;

using AuthenticatorTest = testing::ClientFixture;

TEST_F(AuthenticatorTest, AnswersBasicOnceAndRemembersIt) {
  client().SetCredentials({"user", "secret"});
  server_ = [](const Request& request) {
    if (request.headers.Get("authorization") != BasicAuthorization({"user", "secret"})) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
    }
    return MakeResponse(206);
  };
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
  EXPECT_TRUE(Ask(Blob(Sha256Of("y"))));
  EXPECT_EQ(transport_.requests.size(), 3U);
}

TEST_F(AuthenticatorTest, WithoutCredentialsBasicIsAClearError) {
  server_ = [](const Request&) {
    return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
  };
  const auto answer = Ask(Tags());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kAuth);
  EXPECT_NE(answer.error().message.find("there are none for it"), std::string::npos);
}

// A registry whose tokens come from `realm`, and a token service there.
FakeTransport::Server BearerRegistry(std::string realm, int& tokens) {
  return [realm = std::move(realm), &tokens](const Request& request) -> Result<Response> {
    if (request.operation == "token") {
      ++tokens;
      if (request.headers.Get("authorization") != BasicAuthorization({"user", "secret"})) {
        return MakeResponse(401);
      }
      return MakeResponse(
          200, R"({"access_token":"t)" + std::to_string(tokens) + R"(","expires_in":100})");
    }
    if (request.headers.Get("authorization") != "Bearer t" + std::to_string(tokens) ||
        tokens == 0) {
      return MakeResponse(
          401, "",
          {{"WWW-Authenticate",
            "Bearer realm=\"" + realm + "\",service=\"s\",scope=\"repository:team/app:pull\""}});
    }
    return MakeResponse(206);
  };
}

TEST_F(AuthenticatorTest, OneTokenServesAllWhoWait) {
  client().SetCredentials({"user", "secret"});
  int tokens = 0;
  server_ = BearerRegistry("https://auth.r.example/token?own=1", tokens);
  int done = 0;
  for (int i = 0; i < 16; ++i) {
    client().Start(Blob(Sha256Of(std::to_string(i))), [&](const Result<Answer>& answer) {
      EXPECT_TRUE(answer) << answer.error().message;
      ++done;
    });
  }
  loop_.Advance(seconds(10));
  EXPECT_EQ(done, 16);
  EXPECT_EQ(tokens, 1);
  EXPECT_EQ(transport_.requests.size(), 16U + 1U + 16U);
  const auto token = std::ranges::find(transport_.requests, "token", &Request::operation);
  EXPECT_EQ(token->url.text(),
            "https://auth.r.example/token?own=1&service=s&scope=repository%3Ateam%2Fapp%3Apull");
  EXPECT_EQ(client().RealmHosts(), std::set<Host>{*Host::Parse("auth.r.example")});
}

TEST_F(AuthenticatorTest, RenewsATokenBeforeItEndsAndOnceWhenItIsRefused) {
  client().SetCredentials({"user", "secret"});
  int tokens = 0;
  server_ = BearerRegistry("https://r.example/token", tokens);
  const auto ask_now = [this] {
    bool good = false;
    client().Start(Blob(Sha256Of("x")), [&](const Result<Answer>& answer) { good = answer.ok(); });
    loop_.Advance(seconds(1));
    return good;
  };
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(tokens, 1);
  loop_.Advance(seconds(80));
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(tokens, 1) << "good for 100 s";
  loop_.Advance(seconds(10));
  const std::size_t before = transport_.requests.size();
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(tokens, 2) << "renewed early";
  EXPECT_EQ(transport_.requests.size(), before + 2) << "without a refusal first";
  ++tokens;  // the registry forgets our token
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(tokens, 4);
}

TEST_F(AuthenticatorTest, ShowsItsCredentialsToNoForeignRealm) {
  client().SetCredentials({"user", "secret"});
  int tokens = 0;
  server_ = BearerRegistry("https://auth.evil.example/token", tokens);
  const auto answer = Ask(Tags());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kAuth);
  EXPECT_NE(answer.error().message.find("auth.evil.example"), std::string::npos);
  EXPECT_EQ(tokens, 0);
  EXPECT_EQ(transport_.requests.size(), 1U);
  EXPECT_EQ(client().RealmHosts().size(), 1U) << "a realm named is a host seen";
}

TEST_F(AuthenticatorTest, AnAnonymousTokenMayComeFromAnywhere) {
  server_ = [](const Request& request) {
    if (request.operation == "token") {
      EXPECT_EQ(request.headers.Get("authorization"), "");
      return MakeResponse(200, R"({"token":"anonymous"})");
    }
    if (request.headers.Get("authorization").empty()) {
      return MakeResponse(401, "",
                          {{"WWW-Authenticate", "Bearer realm=\"https://auth.other.example/\""}});
    }
    return MakeResponse(206);
  };
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
}

TEST_F(AuthenticatorTest, ATokenServiceThatFailsSaysSo) {
  const struct {
    Response response;
    ErrorKind kind;
  } kCases[] = {
      {MakeResponse(401), ErrorKind::kAuth},
      {MakeResponse(200, "{}"), ErrorKind::kProtocol},
      {MakeResponse(200, R"({"token":"a\nb"})"), ErrorKind::kProtocol},
      {MakeResponse(200, "<html>"), ErrorKind::kProtocol},
      {MakeResponse(302, "", {{"Location", "https://r.example/login"}}), ErrorKind::kProtocol},
  };
  for (const auto& c : kCases) {
    server_ = [&](const Request& request) {
      return request.operation == "token"
                 ? c.response
                 : MakeResponse(401, "",
                                {{"WWW-Authenticate", "Bearer realm=\"https://r.example/t\""}});
    };
    const auto answer = Ask(Tags());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, c.kind) << answer.error().message;
  }
}

TEST_F(AuthenticatorTest, ChangedCredentialsTakeTheOldOnesPlace) {
  std::string password = "one";
  server_ = [&](const Request& request) {
    if (request.headers.Get("authorization") != BasicAuthorization({"user", password})) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
    }
    return MakeResponse(206);
  };
  client().SetCredentials({"user", "one"});
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
  password = "two";
  EXPECT_EQ(Ask(Blob(Sha256Of("x"))).error().kind, ErrorKind::kAuth);
  client().SetCredentials({"user", "two"});
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
}

TEST_F(AuthenticatorTest, ATokenFetchEndsWhereTheCredentialsChange) {
  client().SetCredentials({"user", "old"});
  server_ = [](const Request& request) {
    if (request.operation == "token") return MakeResponse(200, R"({"token":"of-the-old"})");
    if (request.headers.Get("authorization").empty()) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Bearer realm=\"https://r.example/t\""}});
    }
    return MakeResponse(206);
  };
  std::optional<ErrorKind> first;
  client().Start(Blob(Sha256Of("x")),
                 [&](const Result<Answer>& answer) { first = answer.error().kind; });
  loop_.Advance(milliseconds(1));
  ASSERT_EQ(transport_.requests.back().operation, "token");
  client().SetCredentials({"user", "new"});
  loop_.Advance(seconds(200));
  EXPECT_EQ(first, ErrorKind::kCancelled);
  EXPECT_TRUE(Ask(Blob(Sha256Of("x")))) << "the new ones fetch a token of their own";
  EXPECT_EQ(std::ranges::count(transport_.requests, "token", &Request::operation), 2);
}

TEST_F(AuthenticatorTest, ARealmNoLongerNamedIsForgotten) {
  client().SetCredentials({"user", "secret"});
  int tokens = 0;
  const auto ask_now = [this] {  // before the token is due for renewal
    bool good = false;
    client().Start(Blob(Sha256Of("x")), [&](const Result<Answer>& answer) { good = answer.ok(); });
    loop_.Advance(seconds(1));
    return good;
  };
  server_ = BearerRegistry("https://old.r.example/token", tokens);
  EXPECT_TRUE(ask_now());
  client().BeginScan();
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(client().RealmHosts(), std::set<Host>{*Host::Parse("old.r.example")}) << "still in use";
  server_ = BearerRegistry("https://new.r.example/token", tokens);
  ++tokens;  // the registry forgets our token
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(client().RealmHosts(), std::set<Host>{*Host::Parse("new.r.example")});
}

TEST_F(AuthenticatorTest, AnAnonymousTokenComesFromHttpsOrTheRegistryItselfOnly) {
  server_ = [](const Request& request) {
    EXPECT_NE(request.operation, "token");
    return MakeResponse(401, "",
                        {{"WWW-Authenticate", "Bearer realm=\"http://169.254.169.254/\""}});
  };
  EXPECT_EQ(Ask(Tags()).error().kind, ErrorKind::kAuth);
}

TEST_F(AuthenticatorTest, OfSeveralChallengesOneItCanAnswerWillDo) {
  const Credentials credentials{"user", "secret"};
  for (const bool in_one_field : {true, false}) {
    MakeClient(Options());
    client().SetCredentials(credentials);
    server_ = [&](const Request& request) {
      if (request.headers.Get("authorization") == BasicAuthorization(credentials)) {
        return MakeResponse(206);
      }
      return in_one_field
                 ? MakeResponse(401, "", {{"WWW-Authenticate", "Negotiate, BASIC realm=x"}})
                 : MakeResponse(
                       401, "",
                       {{"WWW-Authenticate", "Negotiate"}, {"WWW-Authenticate", "Basic realm=x"}});
    };
    EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
  }
  server_ = [](const Request&) {
    return MakeResponse(401, "", {{"WWW-Authenticate", "Negotiate"}});
  };
  MakeClient(Options());
  client().SetCredentials(credentials);
  const auto answer = Ask(Blob(Sha256Of("x")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kAuth);
  EXPECT_NE(answer.error().message.find("neither a Basic nor a Bearer"), std::string::npos);
  for (const Request& request : transport_.requests) {
    EXPECT_FALSE(request.headers.Get("authorization").starts_with("Negotiate"));
  }
}

}  // namespace
}  // namespace registry_backend
