#include "exporter/discovery/scanner.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>

#include "exporter/registry/digest.h"
#include "tests/http/fake_transport.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeLoop;
using testing::FakeTransport;
using testing::MakeResponse;

// An image of one config and `layers` layers that no other image shares.
std::string Image(const std::string& tag, int layers) {
  std::string json =
      R"({"schemaVersion":2,"config":{"digest":")" + Sha256Of(tag) + R"("},"layers":[)";
  for (int i = 0; i < layers; ++i) {
    json += (i == 0 ? "" : ",") + (R"({"digest":")" + Sha256Of(tag + std::to_string(i)) + R"("})");
  }
  return json + "]}";
}

Response Serve(const Request& request) {
  const std::string& path = request.url.path();
  if (path.ends_with("/tags/list")) return MakeResponse(200, R"({"tags":["a","b","c"]})");
  if (const std::size_t at = path.find("/manifests/"); at != std::string::npos) {
    return MakeResponse(200, Image(path.substr(at + 11), 30));
  }
  return MakeResponse(307, "", {{"Location", "https://cdn.example/k"}});
}

class ScannerTest : public ::testing::Test {
 protected:
  FakeTransport::Server server_ = Serve;
  FakeLoop loop_;
  FakeTransport transport_{loop_, [this](const Request& request) { return server_(request); }};
  Pacer pacer_;
  RegistryClient client_{{loop_, transport_, pacer_, nullptr},
                         {*Url::Parse("https://r.example"), "team/app", nullptr}};
  ScanOptions options_;
  std::unique_ptr<Scanner> scanner_;
  std::optional<ScanResult> result_;

  void Start(ScanHints hints = {}) {
    result_.reset();
    scanner_ = std::make_unique<Scanner>(loop_, client_, options_, std::move(hints));
    scanner_->Start([this](ScanResult result) {
      result_ = std::move(result);
      scanner_.reset();  // as its owner does
    });
  }
};

TEST_F(ScannerTest, KeepsAsMuchUnderWayAsItMay) {
  options_.max_concurrency = 7;
  Start();
  EXPECT_FALSE(result_);
  loop_.Advance(seconds(5));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result_->asked, (ScanCounts{3, 3, 93}));
  EXPECT_EQ(transport_.most_in_flight, 7U);
  EXPECT_EQ(transport_.requests.size(), 1U + 3U + 93U);
  EXPECT_EQ(loop_.pending(), 0U) << "nothing is left behind";
  EXPECT_GT(result_->took, milliseconds(15));
  EXPECT_LT(result_->took, milliseconds(25)) << "96 requests, 7 at a time, 1 ms each";
}

TEST_F(ScannerTest, RegistriesThatItIsSentOnToAreEndpointsWhateverComesOfIt) {
  server_ = [](const Request& request) {
    const bool sent_on = request.url.host().text() != "r.example";
    if (request.operation == "tags") {
      return sent_on ? Serve(request)
                     : MakeResponse(307, "", {{"Location", "https://tags.example/v2/x/tags/list"}});
    }
    if (request.operation == "manifest") {
      return sent_on ? MakeResponse(200, Image("a", 2))
                     : MakeResponse(307, "", {{"Location", "https://manifests.example/v2/x"}});
    }
    return sent_on ? MakeResponse(403)
                   : MakeResponse(307, "", {{"Location", "https://blobs.example/v2/x"}});
  };
  Start();
  loop_.Advance(seconds(60));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->outcome, ScanOutcome::kPartial);
  for (const auto& [serves, host] : {std::pair(Serves::kApi, "tags.example"),
                                     {Serves::kManifests, "manifests.example"},
                                     {Serves::kBlobs, "blobs.example"}}) {
    const auto found = result_->endpoints.find({serves, *Host::Parse(host)});
    ASSERT_NE(found, result_->endpoints.end()) << host;
    EXPECT_EQ(found->second.info.delivery, "redirect");
    EXPECT_EQ(found->second.blobs, 0U);
  }
}

TEST_F(ScannerTest, WhatWitnessesComeByIsNoEndpoint) {
  const std::string witness = Sha256Of("witness");
  server_ = [&](const Request& request) {
    if (request.url.host().text() == "new.example") {
      return MakeResponse(401, "", {{"WWW-Authenticate", "Bearer realm=\"https://t.example/\""}});
    }
    if (request.url.path().ends_with(witness)) {
      return MakeResponse(307, "", {{"Location", "https://new.example/v2/x"}});
    }
    return Serve(request);
  };
  ScanHints hints;
  hints.witnesses = {{*Host::Parse("old.example"), {witness}}};
  Start(hints);
  loop_.Advance(seconds(600));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result_->endpoints.size(), 2U) << "the registry and the host of its blobs";
}

TEST_F(ScannerTest, ItsTimeoutEndsItWithWhatThereIs) {
  options_.timeout = seconds(3);
  server_ = [](const Request& request) {
    return request.operation == "blob" ? MakeResponse(503, "", {{"Retry-After", "60"}})
                                       : Serve(request);
  };
  Start();
  loop_.Advance(milliseconds(2999));
  EXPECT_FALSE(result_);
  loop_.Advance(milliseconds(1));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result_->main_error()->kind, ErrorKind::kTimeout);
  EXPECT_NE(result_->main_error()->message.find("timeout of 3.0s"), std::string::npos);
  EXPECT_GT(result_->unresolved.blobs, 0U);
  const std::size_t requests = transport_.requests.size();
  loop_.Advance(seconds(600));
  EXPECT_EQ(transport_.requests.size(), requests) << "nothing goes on";
}

TEST_F(ScannerTest, CutShortItEndsWithWhatThereIs) {
  options_.max_concurrency = 2;
  Start();
  loop_.Advance(milliseconds(20));
  ASSERT_FALSE(result_);
  const ScanPlan::Progress progress = scanner_->progress();
  EXPECT_EQ(progress.asked.tags, 3U);
  EXPECT_GT(progress.answered.blobs, 0U);
  scanner_->CutShort({ErrorKind::kCancelled, "enough"});
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result_->main_error()->message, "enough");
  EXPECT_EQ(result_->blobs.size(), progress.answered.blobs);
  const std::size_t requests = transport_.requests.size();
  loop_.Advance(seconds(600));
  EXPECT_EQ(transport_.requests.size(), requests) << "nothing goes on";
  EXPECT_EQ(loop_.pending(), 0U);
}

TEST_F(ScannerTest, ItsTimeoutSaysWhatItWouldHaveTaken) {
  options_.max_concurrency = 1;
  options_.max_requests_per_second = 2.5;
  options_.timeout = seconds(10);
  transport_.latency = seconds(1);
  Start();
  loop_.Advance(seconds(10));
  ASSERT_TRUE(result_);
  // The tag list, one manifest and 7 blobs, of 3 manifests and the 31 blobs that one has.
  const std::string expected =
      "the scan did not end within its timeout of 10.0s: 9 of at least 35 requests were answered, "
      "0.9 a second; it would take at least 3.5 a second, or a longer timeout";
  EXPECT_EQ(result_->main_error()->message, expected + " (max_requests_per_second is 2.5)");

  options_.max_requests_per_second = 0;
  Start();
  loop_.Advance(seconds(10));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->main_error()->message, expected) << "there is no limit to blame";
}

TEST_F(ScannerTest, ItsTimeoutIsTheFirstErrorAndBlobsLeftOverRepeatIt) {
  options_.max_concurrency = 1;
  options_.timeout = milliseconds(50);
  Start();
  loop_.Advance(seconds(1));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->errors.at(0).scope, ScanError::Scope::kTarget);
  EXPECT_EQ(result_->reasons.size(), 1U);
  EXPECT_EQ(result_->reasons.at(ErrorKind::kTimeout).count, 1 + result_->unresolved.total());
}

TEST_F(ScannerTest, WhatOneScanHasNoTimeForTheNextOneBeginsWith) {
  options_.max_concurrency = 1;
  options_.timeout = milliseconds(70);  // of 97 requests, one a millisecond
  std::set<std::string> seen;
  const auto scan = [&](ScanHints hints) {
    Start(std::move(hints));
    loop_.Advance(seconds(1));
    EXPECT_EQ(result_->outcome, ScanOutcome::kPartial);
    for (const auto& [digest, route] : result_->blobs) seen.emplace(digest);
  };
  scan({});
  EXPECT_LT(seen.size(), 93U);
  scan({});
  EXPECT_LT(seen.size(), 93U) << "it comes no further than before";
  scan({.witnesses = {}, .unresolved = result_->unresolved_references});
  EXPECT_EQ(seen.size(), 93U);
}

TEST_F(ScannerTest, ItsEndCallsOffWhatIsUnderWay) {
  Start();
  loop_.Advance(milliseconds(3));
  scanner_.reset();
  EXPECT_GT(transport_.cancelled, 0U);
  loop_.Advance(seconds(600));
  EXPECT_FALSE(result_);
  EXPECT_EQ(loop_.pending(), 0U);
}

TEST_F(ScannerTest, ATokenRealmIsAnEndpoint) {
  server_ = [](const Request& request) {
    if (request.operation == "token") return MakeResponse(200, R"({"token":"t"})");
    if (request.headers.Get("authorization").empty()) {
      return MakeResponse(401, "",
                          {{"WWW-Authenticate", "Bearer realm=\"https://auth.example/t\""}});
    }
    return Serve(request);
  };
  Start();
  loop_.Advance(seconds(5));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->outcome, ScanOutcome::kComplete);
  EXPECT_TRUE(result_->endpoints.contains({Serves::kTokens, *Host::Parse("auth.example")}));
}

}  // namespace
}  // namespace registry_backend
