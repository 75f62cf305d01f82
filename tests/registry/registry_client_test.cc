#include "exporter/registry/registry_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "exporter/registry/digest.h"
#include "tests/http/fake_transport.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeLoop;
using testing::FakeTransport;
using testing::MakeResponse;

const std::string kImage = R"({"schemaVersion":2,"config":{"digest":")" + Sha256Of("c") + R"("}})";

class RegistryClientTest : public ::testing::Test {
 protected:
  // What the registry answers; tests replace it.
  FakeTransport::Server server_ = [](const Request&) { return MakeResponse(404); };

  FakeLoop loop_;
  FakeTransport transport_{loop_, [this](const Request& request) { return server_(request); }};
  Pacer pacer_;
  RegistryClient client_{{loop_, transport_, pacer_, nullptr},
                         {*Url::Parse("https://r.example"), "team/app", nullptr}};

  Result<Answer> Ask(const Operation& operation) {
    std::optional<Result<Answer>> answer;
    client_.Start(operation, [&](Result<Answer> result) { answer.emplace(std::move(result)); });
    EXPECT_FALSE(answer) << "done ran before the loop";
    loop_.Advance(seconds(600));
    return answer ? *std::move(answer) : Error{ErrorKind::kInternal, "never done"};
  }

  static Operation Tags(std::string page = "") { return {Operation::Kind::kTags, std::move(page)}; }
  static Operation ManifestOf(std::string reference) {
    return {Operation::Kind::kManifest, std::move(reference)};
  }
  static Operation Blob(std::string digest) { return {Operation::Kind::kBlob, std::move(digest)}; }
};

TEST_F(RegistryClientTest, ListsTagsWithTheNextPage) {
  server_ = [](const Request& request) {
    EXPECT_EQ(request.url.text(), "https://r.example/v2/team/app/tags/list");
    EXPECT_EQ(request.operation, "tags");
    EXPECT_EQ(request.registry, "r.example");
    return MakeResponse(200, R"({"tags":["b","a","no/tag",7]})",
                        {{"Link", "</v2/team/app/tags/list?last=a>; rel=next"}});
  };
  const auto answer = Ask(Tags());
  ASSERT_TRUE(answer) << answer.error().message;
  const auto& page = std::get<TagPage>(*answer);
  EXPECT_EQ(page.tags, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(page.rejected, (std::vector<std::string>{"no/tag", "number"}));
  EXPECT_EQ(page.next->text(), "https://r.example/v2/team/app/tags/list?last=a");
}

TEST_F(RegistryClientTest, AnEmptyRepositoryHasNoTags) {
  server_ = [](const Request&) { return MakeResponse(200, R"({"name":"team/app","tags":null})"); };
  const auto answer = Ask(Tags());
  ASSERT_TRUE(answer);
  EXPECT_TRUE(std::get<TagPage>(*answer).tags.empty());
}

TEST_F(RegistryClientTest, RefusesTagListsThatAreNone) {
  for (const std::string body : {"", "[]", "{}", R"({"tags":1})", "<html>"}) {
    server_ = [&](const Request&) { return MakeResponse(200, body); };
    const auto answer = Ask(Tags());
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().kind, ErrorKind::kProtocol);
  }
}

TEST_F(RegistryClientTest, RefusesANextPageAtAnotherOrigin) {
  server_ = [](const Request&) {
    return MakeResponse(200, R"({"tags":[]})", {{"Link", "<https://evil.example/>; rel=next"}});
  };
  const auto answer = Ask(Tags());
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("another origin"), std::string::npos);
}

TEST_F(RegistryClientTest, FetchesAManifestAndChecksItsDigest) {
  server_ = [](const Request& request) {
    EXPECT_EQ(request.url.path(), "/v2/team/app/manifests/v1");
    for (const std::string_view type :
         {kDockerManifest, kDockerManifestList, kOciManifest, kOciIndex}) {
      EXPECT_NE(request.headers.Get("accept").find(type), std::string_view::npos);
    }
    return MakeResponse(200, kImage, {{"Docker-Content-Digest", Sha256Of(kImage)}});
  };
  const auto answer = Ask(ManifestOf("v1"));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(std::get<FetchedManifest>(*answer).digest, Sha256Of(kImage));
  EXPECT_EQ(std::get<FetchedManifest>(*answer).size, kImage.size());
}

TEST_F(RegistryClientTest, ALyingDigestIsAnError) {
  server_ = [](const Request&) { return MakeResponse(200, kImage); };
  EXPECT_EQ(Ask(ManifestOf(Sha256Of("other"))).error().kind, ErrorKind::kDigest);
  EXPECT_TRUE(Ask(ManifestOf(Sha256Of(kImage))));
  EXPECT_TRUE(Ask(ManifestOf(DigestOf(kImage, "sha512:"))));
  server_ = [](const Request&) {
    return MakeResponse(200, kImage, {{"Docker-Content-Digest", Sha256Of("other")}});
  };
  EXPECT_EQ(Ask(ManifestOf("v1")).error().kind, ErrorKind::kDigest);
}

TEST_F(RegistryClientTest, ProbesABlobByGetOfItsFirstByte) {
  server_ = [](const Request& request) {
    EXPECT_EQ(request.headers.Get("range"), "bytes=0-0");
    EXPECT_EQ(request.body_use, BodyUse::kDiscard);
    return MakeResponse(307, "",
                        {{"Location", "https://b.s3.us-east-1.amazonaws.com/k?X-Amz-Signature=S"}});
  };
  const auto redirected = Ask(Blob(Sha256Of("x")));
  ASSERT_TRUE(redirected);
  EXPECT_TRUE(std::get<BlobSource>(*redirected).redirected);
  EXPECT_EQ(std::get<BlobSource>(*redirected).url.host().text(), "b.s3.us-east-1.amazonaws.com");

  for (const int status : {200, 206}) {
    server_ = [status](const Request&) { return MakeResponse(status); };
    const auto direct = Ask(Blob(Sha256Of("x")));
    ASSERT_TRUE(direct);
    EXPECT_FALSE(std::get<BlobSource>(*direct).redirected);
    EXPECT_EQ(std::get<BlobSource>(*direct).url.host().text(), "r.example");
  }
}

TEST_F(RegistryClientTest, AnswersBasicOnceAndRemembersIt) {
  client_.SetCredentials({"user", "secret"});
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

TEST_F(RegistryClientTest, WithoutCredentialsBasicIsAClearError) {
  server_ = [](const Request&) {
    return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
  };
  const auto answer = Ask(Tags());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kAuth);
  EXPECT_NE(answer.error().message.find("none are set"), std::string::npos);
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

TEST_F(RegistryClientTest, OneTokenServesAllWhoWait) {
  client_.SetCredentials({"user", "secret"});
  int tokens = 0;
  server_ = BearerRegistry("https://auth.r.example/token?own=1", tokens);
  int done = 0;
  for (int i = 0; i < 16; ++i) {
    client_.Start(Blob(Sha256Of(std::to_string(i))), [&](const Result<Answer>& answer) {
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
  EXPECT_EQ(client_.RealmHosts(), std::set<Host>{*Host::Parse("auth.r.example")});
}

TEST_F(RegistryClientTest, RenewsATokenBeforeItEndsAndOnceWhenItIsRefused) {
  client_.SetCredentials({"user", "secret"});
  int tokens = 0;
  server_ = BearerRegistry("https://r.example/token", tokens);
  const auto ask_now = [this] {
    bool good = false;
    client_.Start(Blob(Sha256Of("x")), [&](const Result<Answer>& answer) { good = answer.ok(); });
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

TEST_F(RegistryClientTest, ShowsItsCredentialsToNoForeignRealm) {
  client_.SetCredentials({"user", "secret"});
  int tokens = 0;
  server_ = BearerRegistry("https://auth.evil.example/token", tokens);
  const auto answer = Ask(Tags());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kAuth);
  EXPECT_NE(answer.error().message.find("auth.evil.example"), std::string::npos);
  EXPECT_EQ(tokens, 0);
  EXPECT_EQ(transport_.requests.size(), 1U);
  EXPECT_EQ(client_.RealmHosts().size(), 1U) << "a realm named is a host seen";
}

TEST_F(RegistryClientTest, AnAnonymousTokenMayComeFromAnywhere) {
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

TEST_F(RegistryClientTest, ATokenServiceThatFailsSaysSo) {
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

TEST_F(RegistryClientTest, ChangedCredentialsTakeTheOldOnesPlace) {
  std::string password = "one";
  server_ = [&](const Request& request) {
    if (request.headers.Get("authorization") != BasicAuthorization({"user", password})) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
    }
    return MakeResponse(206);
  };
  client_.SetCredentials({"user", "one"});
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
  password = "two";
  EXPECT_EQ(Ask(Blob(Sha256Of("x"))).error().kind, ErrorKind::kAuth);
  client_.SetCredentials({"user", "two"});
  EXPECT_TRUE(Ask(Blob(Sha256Of("x"))));
}

TEST_F(RegistryClientTest, ACancelledCallIsNeverDone) {
  server_ = [](const Request&) { return MakeResponse(503); };
  for (const Duration when :
       {Duration(0), Duration(milliseconds(1)), Duration(milliseconds(100))}) {
    const OperationId call = client_.Start(Tags(), [](const Result<Answer>&) { FAIL(); });
    loop_.Advance(when);
    client_.Cancel(call);
    client_.Cancel(call);
    loop_.Advance(seconds(60));
  }
}

TEST_F(RegistryClientTest, KeepsToThePace) {
  pacer_.Limit(client_.options().registry.origin(), 10);
  server_ = [](const Request&) { return MakeResponse(206); };
  int done = 0;
  for (int i = 0; i < 11; ++i) {
    client_.Start(Blob(Sha256Of(std::to_string(i))), [&](const Result<Answer>&) { ++done; });
  }
  loop_.Advance(milliseconds(950));
  EXPECT_EQ(done, 10);
  loop_.Advance(milliseconds(100));
  EXPECT_EQ(done, 11);
}

TEST_F(RegistryClientTest, ADeeplyNestedTagListIsNoTagList) {
  server_ = [](const Request&) {
    return MakeResponse(
        200, R"({"tags":[)" + std::string(200'000, '[') + std::string(200'000, ']') + "]}");
  };
  EXPECT_EQ(Ask(Tags()).error().kind, ErrorKind::kProtocol);
}

TEST_F(RegistryClientTest, OfNamesThatAreNoTagsOnlySomeAreKept) {
  std::string body = R"({"tags":["good")";
  for (int i = 0; i < 5000; ++i) body += R"(,"no/tag")";
  server_ = [&](const Request&) { return MakeResponse(200, body + "]}"); };
  const auto answer = Ask(Tags());
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::get<TagPage>(*answer).tags.size(), 1U);
  EXPECT_EQ(std::get<TagPage>(*answer).rejected.size(), 100U);
}

TEST_F(RegistryClientTest, AManifestElsewhereIsNotFollowed) {
  server_ = [](const Request&) {
    return MakeResponse(307, "", {{"Location", "https://mirror.example/v2/x"}});
  };
  const auto answer = Ask(ManifestOf("v1"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::get<Elsewhere>(*answer).url.host().text(), "mirror.example");
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(RegistryClientTest, ATokenFetchEndsWhereTheCredentialsChange) {
  client_.SetCredentials({"user", "old"});
  server_ = [](const Request& request) {
    if (request.operation == "token") return MakeResponse(200, R"({"token":"of-the-old"})");
    if (request.headers.Get("authorization").empty()) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Bearer realm=\"https://r.example/t\""}});
    }
    return MakeResponse(206);
  };
  std::optional<ErrorKind> first;
  client_.Start(Blob(Sha256Of("x")),
                [&](const Result<Answer>& answer) { first = answer.error().kind; });
  loop_.Advance(milliseconds(1));
  ASSERT_EQ(transport_.requests.back().operation, "token");
  client_.SetCredentials({"user", "new"});
  loop_.Advance(seconds(200));
  EXPECT_EQ(first, ErrorKind::kCancelled);
  EXPECT_TRUE(Ask(Blob(Sha256Of("x")))) << "the new ones fetch a token of their own";
  EXPECT_EQ(std::ranges::count(transport_.requests, "token", &Request::operation), 2);
}

TEST_F(RegistryClientTest, ARealmNoLongerNamedIsForgotten) {
  client_.SetCredentials({"user", "secret"});
  int tokens = 0;
  const auto ask_now = [this] {  // before the token is due for renewal
    bool good = false;
    client_.Start(Blob(Sha256Of("x")), [&](const Result<Answer>& answer) { good = answer.ok(); });
    loop_.Advance(seconds(1));
    return good;
  };
  server_ = BearerRegistry("https://old.r.example/token", tokens);
  EXPECT_TRUE(ask_now());
  client_.BeginScan();
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(client_.RealmHosts(), std::set<Host>{*Host::Parse("old.r.example")}) << "still in use";
  server_ = BearerRegistry("https://new.r.example/token", tokens);
  ++tokens;  // the registry forgets our token
  EXPECT_TRUE(ask_now());
  EXPECT_EQ(client_.RealmHosts(), std::set<Host>{*Host::Parse("new.r.example")});
}

TEST_F(RegistryClientTest, AnAnonymousTokenComesFromHttpsOrTheRegistryItselfOnly) {
  server_ = [](const Request& request) {
    EXPECT_NE(request.operation, "token");
    return MakeResponse(401, "",
                        {{"WWW-Authenticate", "Bearer realm=\"http://169.254.169.254/\""}});
  };
  EXPECT_EQ(Ask(Tags()).error().kind, ErrorKind::kAuth);
}

}  // namespace
}  // namespace registry_backend
