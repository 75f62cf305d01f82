#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exporter/registry/registry_client.h"
#include "tests/registry/client_fixture.h"

// What a client asks for a manifest that it knows from an earlier scan.
namespace registry_backend {
namespace {

using std::chrono::seconds;
using testing::ImageOf;
using testing::MakeResponse;

using Log = std::vector<std::string>;

class KnownManifestTest : public testing::ClientFixture {
 protected:
  KnownManifestTest() {
    server_ = [this](const Request& request) { return Serve(request); };
  }

  // What the tags' manifests are asked by, in order: `GET v1`, `HEAD v2`, `GET v1 unless "etag"`.
  Log Scan(const std::vector<std::string>& references) {
    client().BeginScan();
    return Go(references);
  }
  // The same within a scan that has begun.
  Log Go(const std::vector<std::string>& references) {
    log_.clear();
    for (const std::string& reference : references) {
      const auto answer = Ask(ManifestOf(reference), seconds(60));
      ExpectFetched(answer, reference);
    }
    return log_;
  }

  void ExpectFetched(const Result<Answer>& answer, const std::string& reference) {
    ASSERT_TRUE(answer) << answer.error().message;
    const auto* fetched = std::get_if<FetchedManifest>(&answer.value());
    ASSERT_NE(fetched, nullptr) << reference;
    const auto tag = images_.find(reference);
    EXPECT_EQ(fetched->digest, tag == images_.end() ? reference : Sha256Of(tag->second));
  }

  Response Serve(const Request& request) {
    const std::string path = request.url.path();
    const std::string reference = path.substr(path.rfind('/') + 1);
    const std::string unless(request.headers.Get("if-none-match"));
    const bool is_head = request.method == Method::kHead;
    log_.push_back((is_head ? "HEAD " : "GET ") + reference +
                   (unless.empty() ? "" : " unless " + unless));
    if (is_head && head_) return *head_;
    for (const auto& [tag, image] : images_) {
      const std::string digest = Sha256Of(image);
      if (reference != tag && reference != digest) continue;
      const std::string etag = etag_ ? *etag_ : "\"" + digest.substr(0, 10) + tag + "\"";
      Response response =
          MakeResponse(200, is_head ? "" : image, {{"Docker-Content-Digest", digest}});
      if (!etag.empty()) response.headers.Add("etag", etag);
      if (unless == etag && !is_head && !etag.empty()) response = MakeResponse(304);
      return response;
    }
    return MakeResponse(404);
  }

  std::string Unless(const std::string& tag) {
    return "GET " + tag + " unless \"" + Sha256Of(images_.at(tag)).substr(0, 10) + tag + "\"";
  }

  std::map<std::string, std::string> images_ = {
      {"v1", ImageOf("1")}, {"v2", ImageOf("2")}, {"v3", ImageOf("3")}};
  std::optional<Response> head_;     // instead of the usual answer to HEAD
  std::optional<std::string> etag_;  // instead of one of their own
  Log log_;
};

TEST_F(KnownManifestTest, IsAskedForByOneConditionalGetThenByHead) {
  const Log first = Scan({"v1", "v2", "v3"});
  EXPECT_EQ(first, (Log{"GET v1", "GET v2", "GET v3"}));
  for (int scan = 0; scan < 3; ++scan) {
    EXPECT_EQ(Scan({"v1", "v2", "v3"}), (Log{Unless("v1"), "HEAD v2", "HEAD v3"}));
  }
}

TEST_F(KnownManifestTest, ByItsDigestNeedsNoRequest) {
  Scan({"v1"});
  const std::string digest = Sha256Of(images_["v1"]);
  EXPECT_EQ(Go({digest}), Log{});
  EXPECT_EQ(Scan({digest}), Log{});
  const std::string unknown = Sha256Of(images_["v2"]);
  EXPECT_EQ(Scan({unknown, unknown}), Log{"GET " + unknown});
}

TEST_F(KnownManifestTest, ATagNewlyAddedIsFetchedAsEver) {
  Scan({"v1", "v2"});
  EXPECT_EQ(Scan({"v1", "v3", "v2"}), (Log{Unless("v1"), "GET v3", "HEAD v2"}));
}

TEST_F(KnownManifestTest, OfATagThatMovedIsFetchedAnew) {
  Scan({"v1", "v2"});
  const Log old = {Unless("v1"), "HEAD v2", Unless("v2")};
  images_["v1"] = ImageOf("new 1");
  images_["v2"] = ImageOf("new 2");
  EXPECT_EQ(Scan({"v1", "v2"}), old);
  EXPECT_EQ(Scan({"v1", "v2"}), (Log{Unless("v1"), "HEAD v2"}));
}

TEST_F(KnownManifestTest, WhereHeadIsRefusedIsAskedForByConditionalGet) {
  for (const Response& refusal : {MakeResponse(405), MakeResponse(403), MakeResponse(501),
                                  MakeResponse(200), MakeResponse(400)}) {
    SCOPED_TRACE(refusal.status);
    head_.reset();
    Scan({"v1", "v2", "v3"});
    head_ = refusal;
    EXPECT_EQ(Scan({"v1", "v2", "v3"}), (Log{Unless("v1"), "HEAD v2", Unless("v2"), Unless("v3")}));
    EXPECT_EQ(Go({"v2"}), (Log{Unless("v2")})) << "for the rest of the scan";
    head_.reset();
    EXPECT_EQ(Scan({"v1", "v2"}), (Log{Unless("v1"), "HEAD v2"})) << "another scan tries again";
  }
}

TEST_F(KnownManifestTest, ThatIsGoneDoesNotEndTheUseOfHead) {
  Scan({"v1", "v2", "v3"});
  const Log both = {"HEAD v2", Unless("v2")};
  images_.erase("v2");
  client().BeginScan();
  Go({"v1"});
  log_.clear();
  const auto gone = Ask(ManifestOf("v2"));
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_EQ(std::get<Unpullable>(*gone).why.status, 404);
  EXPECT_EQ(log_, both);
  EXPECT_EQ(Go({"v3"}), Log{"HEAD v3"});
}

TEST_F(KnownManifestTest, WhoseHeadIsRedirectedIsElsewhere) {
  Scan({"v1", "v2"});
  head_ = MakeResponse(307, "", {{"Location", "https://mirror.example/store/x?signature=s"}});
  Scan({"v1"});
  log_.clear();
  const auto answer = Ask(ManifestOf("v2"));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(std::get<Elsewhere>(*answer).url.host().text(), "mirror.example");
  EXPECT_EQ(log_, Log{"HEAD v2"});
}

TEST_F(KnownManifestTest, WhoseGetIsRedirectedIsElsewhere) {
  Scan({"v1"});
  server_ = [](const Request& request) {
    EXPECT_EQ(request.method, Method::kGet) << "only GET shows where pulls go";
    return MakeResponse(307, "", {{"Location", "https://mirror.example/store/x"}});
  };
  client().BeginScan();
  const auto answer = Ask(ManifestOf("v1"));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(std::holds_alternative<Elsewhere>(*answer));
}

TEST_F(KnownManifestTest, WhatMayPassIsNoReasonToFetchIt) {
  const std::pair<int, ErrorKind> kCases[] = {
      {429, ErrorKind::kRateLimited}, {401, ErrorKind::kAuth}, {503, ErrorKind::kHttp}};
  for (const auto& [status, kind] : kCases) {
    head_.reset();
    Scan({"v1", "v2", "v3"});
    Scan({"v1"});
    head_ = MakeResponse(status, "", {{"WWW-Authenticate", "Negotiate"}});
    log_.clear();
    EXPECT_EQ(Ask(ManifestOf("v2")).error().kind, kind) << status;
    EXPECT_EQ(std::ranges::count(log_, "GET v2"), 0) << "it would cost one of those counted";
    head_.reset();
    EXPECT_EQ(Go({"v3"}), Log{"HEAD v3"});
  }
}

TEST_F(KnownManifestTest, UnchangedButOfAnotherDigestIsALie) {
  Scan({"v1"});
  const auto unchanged = [this](const std::string& digest) {
    server_ = [digest](const Request&) {
      return MakeResponse(304, "", {{"Docker-Content-Digest", digest}});
    };
    client().BeginScan();
    return Ask(ManifestOf("v1"));
  };
  EXPECT_EQ(unchanged(Sha256Of("other")).error().kind, ErrorKind::kDigest);
  EXPECT_TRUE(unchanged(Sha256Of(images_["v1"])));
  EXPECT_TRUE(unchanged(""));
}

TEST_F(KnownManifestTest, OnlyAnEtagFitForAHeaderIsSentBack) {
  const std::pair<std::string, bool> kCases[] = {
      {"W/\"weak\"", true},         {"\"\"", true},
      {"unquoted", false},          {"\"in between\"", false},
      {"\"line\r\nbreak\"", false}, {"\"" + std::string(300, 'x') + "\"", false},
      {"\"\xc3\xa9\"", false}};
  for (const auto& [etag, is_sent] : kCases) {
    MakeClient(Options());
    etag_ = etag;
    Scan({"v1"});
    EXPECT_EQ(Scan({"v1"}), Log{is_sent ? "GET v1 unless " + etag : "GET v1"}) << etag;
  }
}

TEST_F(KnownManifestTest, WithoutRoomNothingIsKnown) {
  RegistryOptions options = Options();
  options.manifest_cache_bytes = 0;
  MakeClient(options);
  Scan({"v1", "v2"});
  EXPECT_EQ(Scan({"v1", "v2"}), (Log{"GET v1", "GET v2"}));
}

TEST_F(KnownManifestTest, OneScanThatFailedDoesNotForgetIt) {
  Scan({"v1", "v2"});
  client().BeginScan();
  EXPECT_EQ(Scan({"v1", "v2"}), (Log{Unless("v1"), "HEAD v2"}));
  client().BeginScan();
  client().BeginScan();
  EXPECT_EQ(Scan({"v1", "v2"}), (Log{"GET v1", "GET v2"}));
}

TEST_F(KnownManifestTest, IsAskedForWithTheSameAuthorizationAsAnyOther) {
  const Credentials credentials{"user", "secret"};
  client().SetCredentials(credentials);
  server_ = [&, this](const Request& request) {
    if (request.headers.Get("authorization") != BasicAuthorization(credentials)) {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Basic realm=x"}});
    }
    return Serve(request);
  };
  Scan({"v1", "v2"});
  EXPECT_EQ(Scan({"v1", "v2"}), (Log{Unless("v1"), "HEAD v2"}));
  for (const Request& request : transport_.requests) {
    EXPECT_FALSE(request.headers.Get("accept").empty()) << "HEAD answers for the type asked for";
  }
}

TEST_F(KnownManifestTest, ACallCancelledBetweenHeadAndGetIsNeverDone) {
  Scan({"v1", "v2"});
  Scan({"v1"});
  head_ = MakeResponse(405);
  const OperationId call = client().Start(ManifestOf("v2"), [](const Result<Answer>&) { FAIL(); });
  loop_.Advance(transport_.latency);
  ASSERT_EQ(transport_.requests.back().method, Method::kGet);
  client().Cancel(call);
  loop_.Advance(seconds(60));
}

}  // namespace
}  // namespace registry_backend
