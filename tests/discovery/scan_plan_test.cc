#include "exporter/discovery/scan_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/discovery/plan_test.h"

namespace registry_backend {
namespace {

using testing::D;
using testing::Image;
using testing::Index;
using testing::On;
using testing::PlanTest;

TEST_F(PlanTest, WalksFromTagsToHostsAndAsksForEachThingOnce) {
  PutTags({"1.0.0", "1.1.0", "1.0.0"});
  Put("1.0.0", Answer(Index("i", {"m1", "m2"})));
  Put("1.1.0", Answer(Index("j", {"m2"})));
  Put(D("m1"), Answer(Image("m1", {"c1", "a", "b"})));
  Put(D("m2"), Answer(Image("m2", {"c2", "a"})));
  for (const std::string blob : {"c1", "c2", "a"}) Put(D(blob), Answer(On("one.example")));
  Put(D("b"), Answer(On("two.example")));

  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.asked, (ScanCounts{2, 4, 4}));
  EXPECT_EQ(result.unresolved, ScanCounts{});
  EXPECT_EQ(result.coverage(), 1);
  std::ranges::sort(asked_);
  EXPECT_EQ(std::ranges::adjacent_find(asked_), asked_.end()) << "something was asked for twice";
  EXPECT_EQ(asked_.size(), 1U + 2U + 2U + 4U);

  EXPECT_EQ(Find(result, Serves::kBlobs, "one.example")->blobs, 3U);
  EXPECT_EQ(Find(result, Serves::kBlobs, "two.example")->blobs, 1U);
  EXPECT_EQ(Find(result, Serves::kBlobs, "two.example")->info.delivery, "redirect");
  EXPECT_NE(Find(result, Serves::kApi, "r.example"), nullptr);
  EXPECT_EQ(result.endpoints.size(), 3U);
  ASSERT_EQ(result.tags.size(), 2U);
  EXPECT_EQ(result.tags[0].name, "1.1.0");
  EXPECT_EQ(result.tags[0].digest, D("j"));
  EXPECT_EQ(result.manifests.at(D("m1")).config, D("c1"));
  EXPECT_EQ(result.manifests.at(D("m1")).layers, (std::vector<std::string_view>{D("a"), D("b")}));
  EXPECT_EQ(result.HostOfBlob(D("b"))->text(), "two.example");
}

TEST_F(PlanTest, AsksForBlobsBeforeManifestsBeforePages) {
  Put("", Answer(TagPage{
              {"t1", "t2"}, {}, Url::Parse("https://r.example/v2/a/tags/list?last=t2").value()}));
  Put("https://r.example/v2/a/tags/list?last=t2", Answer(TagPage{{"t3"}, {}, {}}));
  Put("t1", Answer(Image("m1", {"b1"})));
  Put("t2", Answer(Image("m2", {"b2"})));
  Put("t3", Answer(Image("m3", {"b3"})));
  Run();
  EXPECT_EQ(asked_,
            (std::vector<std::string>{"", "t1", D("b1"), "t2", D("b2"),
                                      "https://r.example/v2/a/tags/list?last=t2", "t3", D("b3")}));
}

TEST_F(PlanTest, TheNewestTagsAreChosenAtTheEndOfTheList) {
  options_.newest_tags = 2;
  Put("", Answer(TagPage{{"1.0.0", "1.3.0"}, {}, Url::Parse("https://r.example/p2").value()}));
  Put("https://r.example/p2", Answer(TagPage{{"1.2.0", "1.1.0"}, {}, {}}));
  Put("1.3.0", Answer(Image("m", {"b"})));
  Put("1.2.0", Answer(Image("m", {"b"})));
  Put(D("b"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(asked_,
            (std::vector<std::string>{"", "https://r.example/p2", "1.3.0", D("b"), "1.2.0"}));
}

TEST_F(PlanTest, WithoutATagListTheScanHasFailed) {
  Put("", Error{ErrorKind::kAuth, "status 401"});
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kFailed);
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kAuth);
  EXPECT_EQ(result.coverage(), 0);
  EXPECT_TRUE(result.endpoints.empty());
}

TEST_F(PlanTest, WhereNoTagResolvesTheScanHasFailed) {
  PutTags({"a", "b"});
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kFailed);
  EXPECT_EQ(result.unresolved.tags, 2U);
}

TEST_F(PlanTest, WhereThereAreNoTagsNothingIsResolved) {
  PutTags({});
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kFailed);
  EXPECT_EQ(result.coverage(), 0);
  EXPECT_EQ(result.main_error()->message, "the tag list is empty");
}

TEST_F(PlanTest, WhatGetsNoAnswerMakesItPartialAndIsNamed) {
  PutTags({"good", "gone"});
  Put("good", Answer(Index("i", {"m1", "lost"})));
  Put(D("m1"), Answer(Image("m1", {"a", "b"})));
  Put(D("a"), Answer(On("one.example")));
  Put(D("b"), Error{ErrorKind::kTimeout, "slow"});
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.asked, (ScanCounts{2, 3, 2}));
  EXPECT_EQ(result.unresolved, (ScanCounts{1, 1, 1}));
  EXPECT_DOUBLE_EQ(result.coverage(), 4.0 / 7.0);
  ASSERT_EQ(result.errors.size(), 3U);
  const auto named = [&](ScanError::Scope scope, const std::string& tag,
                         const std::string& digest) {
    return std::ranges::any_of(result.errors, [&](const ScanError& error) {
      return error.scope == scope && error.tag == tag && error.digest == digest;
    });
  };
  EXPECT_TRUE(named(ScanError::Scope::kTag, "gone", ""));
  EXPECT_TRUE(named(ScanError::Scope::kManifest, "", D("lost")));
  EXPECT_TRUE(named(ScanError::Scope::kBlob, "", D("b")));
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kHttp) << "the most frequent one";
}

TEST_F(PlanTest, APageThatFailsLaterMakesItPartial) {
  Put("", Answer(TagPage{{"t"}, {}, Url::Parse("https://r.example/p2").value()}));
  Put("t", Answer(Image("m", {"b"})));
  Put(D("b"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.unresolved, ScanCounts{});
}

TEST_F(PlanTest, PagesThatFormALoopEndIt) {
  const Url loop = *Url::Parse("https://r.example/p2");
  Put("", Answer(TagPage{{"t"}, {}, loop}));
  Put(loop.text(), Answer(TagPage{{"t"}, {}, loop}));
  Put("t", Answer(Image("m", {"b"})));
  Put(D("b"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kProtocol);
}

TEST_F(PlanTest, ANameThatIsNoTagCannotBePulledAndDoesNotEndTheScan) {
  Put("", Answer(TagPage{{"t"}, {"no/tag"}, {}}));
  Put("t", Answer(Image("m", {"b"})));
  Put(D("b"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.unpullable_things.at(0).tag, "no/tag");
  EXPECT_EQ(result.unpullable, (ScanCounts{1, 0, 0}));
  EXPECT_EQ(result.asked.tags, 2U);
}

TEST_F(PlanTest, NestsOnlySoDeep) {
  PutTags({"t"});
  Put("t", Answer(Index("0", {"1"})));
  for (int depth = 1; depth < 10; ++depth) {
    Put(D(std::to_string(depth)),
        Answer(Index(std::to_string(depth), {std::to_string(depth + 1)})));
  }
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(asked_.size(), 2U + 4U);
  EXPECT_NE(result.main_error()->message.find("nested"), std::string::npos);
}

TEST_F(PlanTest, WhatACutLeavesOverIsUnresolvedByName) {
  PutTags({"1.1.0", "1.0.0"});
  Put("1.1.0", Answer(Image("m", {"a", "b"})));
  Put(D("a"), Answer(On("one.example")));
  const ScanResult result = Run(3, Error{ErrorKind::kTimeout, "too slow"});
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.unresolved, (ScanCounts{1, 0, 1}));
  EXPECT_EQ(result.main_error()->message, "too slow");
  ASSERT_EQ(result.errors.size(), 3U);
  EXPECT_EQ(result.errors[1].tag, "1.0.0");
  EXPECT_EQ(result.errors[2].digest, D("b"));
}

TEST_F(PlanTest, KeepsABoundedNumberOfErrorsButCountsAll) {
  std::vector<std::string> tags;
  for (int i = 0; i < 1500; ++i) tags.push_back("t" + std::to_string(i));
  PutTags(tags);
  const ScanResult result = Run();
  EXPECT_EQ(result.errors.size(), ScanResult::kMaxErrors);
  EXPECT_EQ(result.reasons.at(ErrorKind::kHttp).count, 1500U);
}

TEST_F(PlanTest, DifferingFactsOfOneHostAreLeftEmpty) {
  PutTags({"t"});
  Put("t", Answer(Image("m", {"a", "b"})));
  Put(D("a"),
      Answer(BlobSource{true, *Url::Parse("https://s3.us-east-1.amazonaws.com/bucket-a/k")}));
  Put(D("b"),
      Answer(BlobSource{true, *Url::Parse("https://s3.us-east-1.amazonaws.com/bucket-b/k")}));
  const ScanResult result = Run();
  const SeenEndpoint* endpoint = Find(result, Serves::kBlobs, "s3.us-east-1.amazonaws.com");
  ASSERT_NE(endpoint, nullptr);
  EXPECT_EQ(endpoint->info, (EndpointInfo{"s3", "", "us-east-1", "redirect", "https"}));
}

TEST_F(PlanTest, AHostNotMetIsLookedForByItsWitnessesAtTheEnd) {
  PutTags({"t"});
  Put("t", Answer(Image("m", {"a"})));
  Put(D("a"), Answer(On("met.example")));
  Put(D("w1"), Answer(On("elsewhere.example")));
  Put(D("w2"), Answer(On("kept.example")));
  BlobSource through = On("elsewhere.example");
  through.others = {*Host::Parse("behind.example")};
  Put(D("w5"), Answer(through));
  Put(D("w4"), Error{ErrorKind::kTimeout, "slow"});
  hints_.witnesses = {{*Host::Parse("met.example"), {D("x")}},
                      {*Host::Parse("kept.example"), {D("w1"), D("w2"), D("w3")}},
                      {*Host::Parse("gone.example"), {D("w1"), D("a")}},
                      {*Host::Parse("deleted.example"), {D("deleted")}},
                      {*Host::Parse("behind.example"), {D("w5")}},
                      {*Host::Parse("unsure.example"), {D("w4")}}};
  Put(D("deleted"), Answer(Unpullable{{ErrorKind::kHttp, "status 404", 404}}));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.witnessed,
            (std::set<Host>{*Host::Parse("behind.example"), *Host::Parse("kept.example"),
                            *Host::Parse("unsure.example")}));
  EXPECT_EQ(result.asked, (ScanCounts{1, 1, 1})) << "witnesses are not part of the repository";
  EXPECT_EQ(Find(result, Serves::kBlobs, "elsewhere.example"), nullptr);
  EXPECT_EQ(std::ranges::count(asked_, D("w3")), 0) << "one that speaks is enough";
  EXPECT_EQ(std::ranges::count(asked_, D("a")), 1) << "what was asked has answered";
  EXPECT_EQ(std::ranges::count(asked_, D("x")), 0) << "a host that was met needs no witness";
}

TEST_F(PlanTest, WitnessesAreNotCalledWhereTheScanIsNotComplete) {
  PutTags({"t", "gone"});
  Put("t", Answer(Image("m", {"a"})));
  Put(D("a"), Answer(On("met.example")));
  hints_.witnesses = {{*Host::Parse("other.example"), {D("w")}}};
  EXPECT_EQ(Run().outcome, ScanOutcome::kPartial);
  EXPECT_EQ(std::ranges::count(asked_, D("w")), 0);
}

TEST_F(PlanTest, AManifestRedirectedElsewhereIsAnEndpointAndUnresolved) {
  PutTags({"t", "u"});
  Put("t", Answer(Elsewhere{*Url::Parse("https://mirror.example/x?token=SECRET")}));
  Put("u", Answer(Image("m", {"a"})));
  Put(D("a"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  ASSERT_NE(Find(result, Serves::kManifests, "mirror.example"), nullptr);
  EXPECT_EQ(result.errors.at(0).tag, "t");
  EXPECT_EQ(result.errors.at(0).error.message,
            "manifest t is redirected to mirror.example, which is not asked: it is no registry's "
            "API, or may not be reached that way");
}

TEST_F(PlanTest, RegistriesOnTheWayToABlobAreEndpointsToo) {
  const Host behind = *Host::Parse("us-west1-docker.pkg.dev");
  PutTags({"t"});
  Put("t", Answer(Image("m", {"c", "a", "b"})));
  BlobSource through = On("b.s3.us-east-1.amazonaws.com");
  through.others = {behind};
  Put(D("c"), Answer(through));
  Put(D("a"), Answer(through));
  Put(D("b"),
      Answer(BlobSource{true, *Url::Parse("https://us-west1-docker.pkg.dev/v2/b"), {behind}}));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.HostOfBlob(D("a"))->text(), "b.s3.us-east-1.amazonaws.com");
  EXPECT_EQ(result.HostOfBlob(D("b")), &result.routes.at(result.blobs.at(D("b"))).back());
  EXPECT_EQ(result.HostOfBlob(D("b"))->text(), behind.text());
  const SeenEndpoint* storage = Find(result, Serves::kBlobs, "b.s3.us-east-1.amazonaws.com");
  ASSERT_NE(storage, nullptr);
  EXPECT_EQ(storage->blobs, 2U);
  const SeenEndpoint* registry = Find(result, Serves::kBlobs, behind.text());
  ASSERT_NE(registry, nullptr);
  EXPECT_EQ(registry->blobs, 3U) << "all of them go through it";
  EXPECT_EQ(registry->info, (EndpointInfo{"artifact-registry", "", "us-west1", "redirect"}));
  EXPECT_EQ(result.routes.size(), 2U);
}

TEST_F(PlanTest, AHostThatIsPassedTwiceIsCountedOnceAndServesTheBytes) {
  PutTags({"t"});
  Put("t", Answer(Image("m", {"c"})));
  BlobSource back = On("one.example");
  back.others = {*Host::Parse("one.example"), *Host::Parse("two.example")};
  Put(D("c"), Answer(back));
  const ScanResult result = Run();
  EXPECT_EQ(result.HostOfBlob(D("c"))->text(), "one.example");
  EXPECT_EQ(result.routes.at(0).size(), 2U);
  EXPECT_EQ(Find(result, Serves::kBlobs, "one.example")->blobs, 1U);
}

TEST_F(PlanTest, ABlobWhoseHostsAreTooManyCountsForNone) {
  PutTags({"t"});
  std::vector<std::string> blobs;
  for (int i = 0; i < 999; ++i) blobs.push_back("b" + std::to_string(i));
  for (const std::string& blob : blobs) Put(D(blob), Answer(On(blob + ".example")));
  blobs.push_back("last");
  BlobSource through = On("new.example");
  through.others = {*Host::Parse("b0.example"), *Host::Parse("behind.example")};
  Put(D("last"), Answer(through));
  Put("t", Answer(Image("m", blobs)));
  const ScanResult result = Run();
  EXPECT_EQ(result.endpoints.size(), 1000U) << "with the registry itself";
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.errors.at(0).digest, D("last"));
  EXPECT_EQ(Find(result, Serves::kBlobs, "b0.example")->blobs, 1U);
}

TEST_F(PlanTest, EndpointsAreClassifiedWhateverTheyServe) {
  ScanPlan plan({}, {}, *Host::Parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com"));
  plan.Finish(*plan.Next(), Answer(TagPage{{"t"}, {}, {}}));
  plan.Finish(*plan.Next(),
              Answer(Elsewhere{*Url::Parse("https://s3.eu-west-1.amazonaws.com/bucket/k")}));
  const ScanResult result = std::move(plan).Take({});
  EXPECT_EQ(Find(result, Serves::kApi, "123456789012.dkr.ecr.eu-west-1.amazonaws.com")->info,
            (EndpointInfo{"ecr", "", "eu-west-1", "direct"}));
  EXPECT_EQ(Find(result, Serves::kManifests, "s3.eu-west-1.amazonaws.com")->info,
            (EndpointInfo{"s3", "bucket", "eu-west-1", "redirect", "https"}));
}

TEST_F(PlanTest, AManifestBroughtByATagIsNotAskedForAgain) {
  PutTags({"1.1.0", "1.0.0"});
  Put("1.1.0", Answer(Index("i", {"m", "n"})));
  Put("1.0.0", Answer(Image("n", {"b"})));
  Put(D("m"), Answer(Image("m", {"a"})));
  for (const std::string blob : {"a", "b"}) Put(D(blob), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(std::ranges::count(asked_, D("n")), 0);
}

TEST_F(PlanTest, MoreHostsThanAnyRegistryHasAreNotFollowed) {
  PutTags({"t"});
  std::vector<std::string> blobs;
  for (int i = 0; i < 1500; ++i) {
    blobs.push_back("b" + std::to_string(i));
    Put(D(blobs.back()), Answer(On("host" + std::to_string(i) + ".example")));
  }
  Put("t", Answer(Image("m", blobs)));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_LE(result.endpoints.size(), 1000U);
}

TEST_F(PlanTest, TheMainErrorIsFoundEvenBehindTheLastOneKept) {
  ScanResult result;
  for (int i = 0; i < 1000; ++i) {
    result.AddError({ScanError::Scope::kBlob, "", "d", {ErrorKind::kTimeout, "slow"}});
  }
  for (int i = 0; i < 2000; ++i) {
    result.AddError({ScanError::Scope::kBlob, "", "d", {ErrorKind::kConnect, "cut"}});
  }
  EXPECT_EQ(result.main_error()->message, "cut");
}

}  // namespace
}  // namespace registry_backend
