#include "exporter/registry/registry_client.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/registry/client_fixture.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ImageOf;
using testing::MakeResponse;

const std::string kImage = ImageOf("c");

using RegistryClientTest = testing::ClientFixture;

TEST_F(RegistryClientTest, AnEmptyBlobHasNoFirstByteAndIsServedDirectly) {
  server_ = [](const Request&) { return MakeResponse(416); };
  const auto answer = Ask(Blob(Sha256Of("")));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_FALSE(std::get<BlobSource>(*answer).redirected);
  EXPECT_EQ(std::get<BlobSource>(*answer).url.host().text(), "r.example");
}

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

TEST_F(RegistryClientTest, OfATagListOnlyItsTagsCount) {
  server_ = [](const Request&) {
    return MakeResponse(
        200,
        R"({"x":{"tags":["no"]},"y":["no",["no"]],"tags":["a",["no"],{"tags":["no"]},null,true,)"
        R"(1.5,"b"],"name":"no","z":"no"})");
  };
  const auto answer = Ask(Tags());
  ASSERT_TRUE(answer) << answer.error().message;
  const auto& page = std::get<TagPage>(*answer);
  EXPECT_EQ(page.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(page.rejected,
            (std::vector<std::string>{"array", "object", "null", "boolean", "number"}));
}

TEST_F(RegistryClientTest, RefusesAPageOfMoreTagsThanAnyoneHas) {
  std::string body = R"({"tags":["a")";
  for (int i = 0; i < 200'000; ++i) body += ",\"a\"";
  server_ = [&](const Request&) { return MakeResponse(200, body + "]}"); };
  const auto answer = Ask(Tags());
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("more than 200000 tags"), std::string::npos)
      << answer.error().message;
}

TEST_F(RegistryClientTest, RefusesTagListsThatAreNone) {
  for (const std::string body : {"", "[]", "{}", R"({"tags":1})", "<html>", R"(["tags",["a"]])",
                                 R"([{"tags":["a"]}])", R"({"tags":["a"])", R"({"tags":{}})"}) {
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

TEST_F(RegistryClientTest, ACancelledCallIsNeverDone) {
  server_ = [](const Request&) { return MakeResponse(503); };
  for (const Duration when :
       {Duration(0), Duration(milliseconds(1)), Duration(milliseconds(100))}) {
    const OperationId call = client().Start(Tags(), [](const Result<Answer>&) { FAIL(); });
    loop_.Advance(when);
    client().Cancel(call);
    client().Cancel(call);
    loop_.Advance(seconds(60));
  }
}

TEST_F(RegistryClientTest, KeepsToThePace) {
  pacer_.Limit(client().options().registry.origin(), 10);
  server_ = [](const Request&) { return MakeResponse(206); };
  int done = 0;
  for (int i = 0; i < 11; ++i) {
    client().Start(Blob(Sha256Of(std::to_string(i))), [&](const Result<Answer>&) { ++done; });
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

TEST_F(RegistryClientTest, ATagListWithOneVeryLongValueIsNoTagList) {
  const auto ask = [this](const std::string& member) {
    server_ = [&](const Request&) { return MakeResponse(200, R"({"tags":["t"],)" + member + "}"); };
    return Ask(Tags());
  };
  const std::string many(70'000, '7');
  for (const std::string& member : {"\"a\":\"" + many + "\"", "\"" + many + "\":1", "\"a\":" + many,
                                    "\"a\":\"\\\"" + many + "\""}) {
    const auto answer = ask(member);
    ASSERT_FALSE(answer) << member.substr(0, 10);
    EXPECT_EQ(answer.error().kind, ErrorKind::kProtocol);
  }
  std::string short_ones = "\"a\":[";
  for (int i = 0; i < 10'000; ++i) short_ones += "\"seven, [seven]\", 7777777, ";
  EXPECT_TRUE(ask(short_ones + "7]")) << "long in all, of short ones";
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
    return MakeResponse(307, "", {{"Location", "https://mirror.example/store/x"}});
  };
  const auto answer = Ask(ManifestOf("v1"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::get<Elsewhere>(*answer).url.host().text(), "mirror.example");
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(RegistryClientTest, ASchema1ManifestIsUnpullableWhateverItsDigest) {
  // The registry names the digest of the payload, without the signatures that the body has.
  const std::string payload = R"({"schemaVersion":1,"fsLayers":[]})";
  const std::string bytes = R"({"schemaVersion":1,"fsLayers":[],"signatures":[]})";
  for (const std::string type :
       {"application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws; charset=utf-8"}) {
    server_ = [&](const Request&) {
      return MakeResponse(200, bytes,
                          {{"Content-Type", type}, {"Docker-Content-Digest", Sha256Of(payload)}});
    };
    for (const std::string& reference : {std::string("v1"), Sha256Of(payload)}) {
      const auto answer = Ask(ManifestOf(reference));
      ASSERT_TRUE(answer) << answer.error().message;
      const Error& why = std::get<Unpullable>(*answer).why;
      EXPECT_EQ(why.kind, ErrorKind::kProtocol);
      EXPECT_NE(why.message.find("schema 1, which clients no longer support"), std::string::npos)
          << why.message;
    }
  }
}

TEST_F(RegistryClientTest, WhatIsNotThereIsUnpullableUnlessItIsTheTagList) {
  for (const int status : {404, 410}) {
    server_ = [status](const Request&) { return MakeResponse(status); };
    for (const Operation& operation :
         {ManifestOf("v1"), ManifestOf(Sha256Of("x")), Blob(Sha256Of("x"))}) {
      const auto answer = Ask(operation);
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(std::get<Unpullable>(*answer).why.status, status);
      EXPECT_EQ(std::get<Unpullable>(*answer).why.kind, ErrorKind::kHttp);
    }
    const auto tags = Ask(Tags());
    ASSERT_FALSE(tags);
    EXPECT_EQ(tags.error().status, status);
  }
}

TEST_F(RegistryClientTest, WhatIsRefusedIsNoWordOnWhatIsThere) {
  for (const auto& [status, kind] :
       {std::pair(403, ErrorKind::kAuth), {407, ErrorKind::kAuth}, {400, ErrorKind::kHttp}}) {
    server_ = [status = status](const Request&) { return MakeResponse(status); };
    for (const Operation& operation : {Tags(), ManifestOf("v1"), Blob(Sha256Of("x"))}) {
      EXPECT_EQ(Ask(operation).error().kind, kind) << status;
    }
  }
}

TEST_F(RegistryClientTest, ABrokenManifestIsUnpullableWhereItsDigestShowsThatItIsNoOnesElse) {
  const std::string page = "<html>log in</html>";
  std::string named;
  server_ = [&](const Request&) {
    return MakeResponse(200, page, {{"Docker-Content-Digest", named}});
  };
  const auto stray = Ask(ManifestOf("v1"));
  ASSERT_FALSE(stray) << "it may be a proxy's say";
  EXPECT_EQ(stray.error().kind, ErrorKind::kProtocol);
  for (const bool by_header : {true, false}) {
    named = by_header ? Sha256Of(page) : "";
    const auto answer = Ask(ManifestOf(by_header ? "v1" : Sha256Of(page)));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(std::get<Unpullable>(*answer).why.kind, ErrorKind::kProtocol);
    EXPECT_NE(std::get<Unpullable>(*answer).why.message.find("no JSON object"), std::string::npos);
  }
}

TEST_F(RegistryClientTest, AHeaderThatNamesNoDigestIsNone) {
  for (const std::string named : {"", "sha256:short", "md5:x", "x\r\ny"}) {
    server_ = [&](const Request&) {
      return MakeResponse(200, kImage, {{"Docker-Content-Digest", named}});
    };
    const auto answer = Ask(ManifestOf("v1"));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(std::get<FetchedManifest>(*answer).digest, Sha256Of(kImage)) << named;
  }
}

TEST_F(RegistryClientTest, EveryAnswerHasALimit) {
  const std::pair<Operation, std::size_t> kCases[] = {
      {Tags(), std::size_t{16} * 1024 * 1024},
      {ManifestOf("v1"), std::size_t{4} * 1024 * 1024},
      {Blob(Sha256Of("x")), std::size_t{16} * 1024}};
  for (const auto& [operation, bytes] : kCases) {
    static_cast<void>(Ask(operation));
    const Request& sent = transport_.requests.back();
    EXPECT_EQ(sent.max_body_bytes, bytes) << sent.operation;
    EXPECT_EQ(sent.max_header_bytes, std::size_t{64} * 1024);
  }
}

TEST_F(RegistryClientTest, ABlobsRedirectsOnItsOwnHostAreFollowedWithTheSameQuestion) {
  server_ = [](const Request& request) {
    EXPECT_EQ(request.headers.Get("range"), "bytes=0-0");
    if (request.url.path() == "/v2/team/app/blobs/" + Sha256Of("x")) {
      return MakeResponse(308, "", {{"Location", "//r.example/storage?key=K"}});
    }
    EXPECT_EQ(request.url.text(), "https://r.example/storage?key=K");
    return MakeResponse(302, "", {{"Location", "https://u:p@cdn.example/?signature=S"}});
  };
  const auto answer = Ask(Blob(Sha256Of("x")));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(std::get<BlobSource>(*answer).url.shown(), "https://cdn.example/");
  EXPECT_EQ(transport_.requests.size(), 2U) << "the other host is not asked";
}

TEST_F(RegistryClientTest, CredentialsStayWithTheOriginTheyAreFor) {
  client().SetCredentials({"user", "secret"});
  server_ = [](const Request& request) {
    if (request.headers.Get("authorization").empty()) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
    }
    return MakeResponse(307, "", {{"Location", "http://r.example/downgraded"}});
  };
  EXPECT_EQ(std::get<BlobSource>(*Ask(Blob(Sha256Of("x")))).url.text(),
            "http://r.example/downgraded");
  EXPECT_TRUE(std::holds_alternative<Elsewhere>(*Ask(ManifestOf("v1"))));
  EXPECT_TRUE(std::holds_alternative<Elsewhere>(*Ask(Tags())));
  for (const Request& request : transport_.requests) {
    EXPECT_EQ(request.url.origin().text(), "https://r.example");
  }
}

TEST_F(RegistryClientTest, TheNextPageMayBeGivenInFull) {
  const std::string next = "https://r.example/v2/team/app/tags/list?n=2&last=b";
  server_ = [&](const Request& request) {
    return request.url.text() == next
               ? MakeResponse(200, R"({"tags":["c"]})")
               : MakeResponse(200, R"({"tags":["a"]})", {{"Link", "<" + next + ">; rel=next"}});
  };
  const auto first = Ask(Tags());
  ASSERT_TRUE(first);
  ASSERT_TRUE(std::get<TagPage>(*first).next);
  const auto second = Ask(Tags(std::get<TagPage>(*first).next->text()));
  ASSERT_TRUE(second);
  EXPECT_EQ(std::get<TagPage>(*second).tags, std::vector<std::string>{"c"});
  EXPECT_FALSE(std::get<TagPage>(*second).next);
}

TEST_F(RegistryClientTest, OneAnswerTooManyRequestsSlowsAllThatIsAskedOfTheRegistry) {
  bool busy = true;
  server_ = [&](const Request&) {
    return std::exchange(busy, false) ? MakeResponse(429, "", {{"Retry-After", "7"}})
                                      : MakeResponse(206);
  };
  RegistryClient neighbour({loop_, transport_, pacer_, nullptr},
                           {*Url::Parse("https://r.example"), "team/other", {}});
  int done = 0;
  const auto count = [&](const Result<Answer>& answer) { done += answer ? 1 : 0; };
  client().Start(Blob(Sha256Of("x")), count);
  loop_.Advance(milliseconds(10));
  client().Start(Blob(Sha256Of("y")), count);
  neighbour.Start(Blob(Sha256Of("z")), count);
  loop_.Advance(seconds(6));
  EXPECT_EQ(transport_.requests.size(), 1U);
  loop_.Advance(seconds(2));
  EXPECT_EQ(done, 3);
}

}  // namespace
}  // namespace registry_backend
