#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/discovery/plan_test.h"

// What a plan asks for a second time: at its own end what seems unpullable, at the next scan's
// beginning what was unresolved.
namespace registry_backend {
namespace {

using testing::D;
using testing::Image;
using testing::Index;
using testing::Missing;
using testing::On;
using testing::PlanTest;
using testing::Slow;

const Error kCut{ErrorKind::kTimeout, "too slow"};

class UnpullableTest : public PlanTest {
 protected:
  // Tag `t` of an image of blobs `lost` and `kept`, of which the registry has one.
  UnpullableTest() {
    PutTags({"t"});
    Put("t", Answer(Image("m", {"lost", "kept"})));
    Put(D("lost"), Missing());
    Put(D("kept"), Answer(On("one.example")));
  }
};

TEST_F(UnpullableTest, IsAskedForAgainWhenAllElseIsDoneAndThenNeitherAnErrorNorALackOfCoverage) {
  const ScanResult result = Run();
  EXPECT_EQ(asked_, (std::vector<std::string>{"", "t", D("lost"), D("kept"), D("lost")}));
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.asked, (ScanCounts{1, 1, 2}));
  EXPECT_EQ(result.unpullable, (ScanCounts{0, 0, 1}));
  EXPECT_EQ(result.unresolved, ScanCounts{});
  EXPECT_EQ(result.coverage(), 1);
  EXPECT_TRUE(result.errors.empty());
  ASSERT_EQ(result.unpullable_things.size(), 1U);
  EXPECT_EQ(result.unpullable_things[0].scope, ScanError::Scope::kBlob);
  EXPECT_EQ(result.unpullable_things[0].digest, D("lost"));
  EXPECT_EQ(result.unpullable_things[0].tag, "");
  EXPECT_EQ(result.unpullable_things[0].error.message, "status 404");
  EXPECT_TRUE(result.unresolved_references.empty()) << "no cause to begin with it the next time";
  EXPECT_EQ(result.HostOfBlob(D("lost")), nullptr);
}

TEST_F(UnpullableTest, IsNotAskedForAgainWhileAnythingIsUnderWay) {
  ScanPlan plan = MakePlan();
  for (int i = 0; i < 2; ++i) Finish(plan, *plan.Next());  // the tag list, and t
  const Operation lost = *plan.Next();
  const Operation kept = *plan.Next();
  ASSERT_EQ(lost.reference, D("lost"));
  Finish(plan, lost);
  ASSERT_FALSE(plan.Next()) << "the answer under way may lead anywhere";
  Finish(plan, kept);
  const auto again = plan.Next();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->reference, D("lost"));
  EXPECT_FALSE(plan.Next());
}

TEST_F(UnpullableTest, TagsAndManifestsAreToo) {
  PutTags({"t", "gone", "old"});
  Put("t", Answer(Index("i", {"m", "n"})));
  Put(D("m"), Answer(Image("m", {"kept"})));
  Put(D("n"), Missing());
  Put("gone", Missing());
  Put("old", Answer(Unpullable{{ErrorKind::kProtocol, "it is of schema 1"}}));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.asked, (ScanCounts{3, 3, 1}));
  EXPECT_EQ(result.unpullable, (ScanCounts{2, 1, 0}));
  EXPECT_EQ(result.coverage(), 1);
  std::set<std::string> named;
  for (const ScanError& thing : result.unpullable_things) {
    named.insert(std::string(ScopeName(thing.scope)) + " " + thing.tag + thing.digest + ": " +
                 thing.error.message);
  }
  EXPECT_EQ(named, (std::set<std::string>{"tag gone: status 404", "tag old: it is of schema 1",
                                          "manifest " + D("n") + ": status 404"}));
}

TEST_F(UnpullableTest, WhatIsThereTheSecondTimeIsAsIfItHadBeenThereAtOnce) {
  PutTags({"t", "u"});
  Put("u", Missing());
  PutLater("u", Answer(Index("i", {"n"})));
  Put(D("n"), Missing());
  PutLater(D("n"), Answer(Image("n", {"late"})));
  Put(D("late"), Missing());
  PutLater(D("late"), Answer(On("two.example")));
  PutLater(D("lost"), Answer(On("one.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.asked, (ScanCounts{2, 3, 3}));
  EXPECT_EQ(result.unpullable, ScanCounts{});
  EXPECT_TRUE(result.unpullable_things.empty());
  EXPECT_EQ(result.HostOfBlob(D("late"))->text(), "two.example");
  EXPECT_EQ(Find(result, Serves::kBlobs, "one.example")->blobs, 2U);
}

TEST_F(UnpullableTest, WhatFailsTheSecondTimeIsUnresolved) {
  PutLater(D("lost"), Slow());
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.unresolved, (ScanCounts{0, 0, 1}));
  EXPECT_EQ(result.unpullable, ScanCounts{});
  EXPECT_EQ(result.main_error()->message, "slow");
  EXPECT_EQ(result.unresolved_references, (std::vector<std::string>{D("lost"), "t"}));
}

TEST_F(UnpullableTest, WhatFailsTheFirstTimeIsNotAskedForAgain) {
  Put(D("lost"), Slow());
  EXPECT_EQ(Run().unresolved, (ScanCounts{0, 0, 1}));
  EXPECT_EQ(std::ranges::count(asked_, D("lost")), 1);
}

TEST_F(UnpullableTest, WhatACutLeavesInDoubtIsUnresolved) {
  const ScanResult result = Run(4, kCut);
  EXPECT_EQ(asked_.back(), D("kept"));
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.unresolved, (ScanCounts{0, 0, 1}));
  EXPECT_EQ(result.unpullable, ScanCounts{});
  ASSERT_EQ(result.errors.size(), 2U);
  EXPECT_EQ(result.errors[1].digest, D("lost"));
  EXPECT_EQ(result.errors[1].error.message, "too slow");
}

TEST_F(UnpullableTest, WhereThatIsAllTagsTheScanHasFailedAndSaysWhy) {
  PutTags({"gone", "old"});
  Put("gone", Answer(Unpullable{{ErrorKind::kProtocol, "it is of schema 1"}}));
  Put("old", Missing());
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kFailed);
  EXPECT_EQ(result.unpullable, (ScanCounts{2, 0, 0}));
  ASSERT_NE(result.main_error(), nullptr);
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kProtocol);
  EXPECT_EQ(result.main_error()->message,
            "none of the 2 tags can be pulled; of the first: it is of schema 1");
}

TEST_F(UnpullableTest, WhereThatIsAllBlobsTheScanIsPartialAndSaysWhy) {
  Put(D("kept"), Missing());
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial) << "nothing follows about hosts";
  EXPECT_EQ(result.unpullable, (ScanCounts{0, 0, 2}));
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kHttp);
  EXPECT_EQ(result.main_error()->message,
            "the registry has none of the 2 blobs that its manifests name");
}

TEST_F(UnpullableTest, WhereNoImageOfAnIndexIsThereTheScanIsPartialToo) {
  PutTags({"1.0.0"});
  Put("1.0.0", Answer(Index("i", {"m"})));
  Put(D("m"), Missing());
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial) << "or all hosts would be gone";
  EXPECT_EQ(result.unpullable, (ScanCounts{0, 1, 0}));
  EXPECT_TRUE(result.main_error()->message.starts_with("not one blob can be pulled"));
}

TEST_F(UnpullableTest, WhatASecondQuestionBringsIsInNoMoreHasteThanTheRest) {
  const auto ask = [](ScanPlan& plan, const std::string& reference) {
    const auto operation = plan.Next();
    EXPECT_TRUE(operation && operation->reference == reference) << reference;
    return *operation;
  };
  ScanPlan plan({}, {}, *Host::Parse("r.example"));
  plan.Finish(ask(plan, ""), Answer(TagPage{{"2.0.0", "1.0.0"}, {}, {}}));
  plan.Finish(ask(plan, "2.0.0"), Missing());
  plan.Finish(ask(plan, "1.0.0"), Missing());
  const Operation second = ask(plan, "2.0.0");
  const Operation other = ask(plan, "1.0.0");
  plan.Finish(second, Answer(Image("m", {"lost"})));
  plan.Finish(ask(plan, D("lost")), Missing());
  EXPECT_FALSE(plan.Next()) << "something is under way still";
  plan.Finish(other, Missing());
  ask(plan, D("lost"));
}

TEST_F(UnpullableTest, ABlobThatIsAManifestTooIsAskedForAgain) {
  PutTags({"t"});
  Put("t", Answer(Image("m", {"m", "kept"})));
  Put(D("m"), Missing());
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.unpullable, (ScanCounts{0, 0, 1}));
}

TEST_F(UnpullableTest, ManifestThatATagBringsIsNotUnpullable) {
  PutTags({"2.0.0", "1.0.0"});
  hints_.unresolved = {D("m")};  // so that it is asked for before 1.0.0
  Put("2.0.0", Answer(Index("i", {"m"})));
  Put(D("m"), Missing());
  Put("1.0.0", Answer(Image("m", {"kept"})));
  const ScanResult result = Run();
  EXPECT_EQ(asked_, (std::vector<std::string>{"", "2.0.0", D("m"), "1.0.0", D("kept")}));
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.unpullable, ScanCounts{});
}

TEST_F(UnpullableTest, KeepsABoundedNumberOfThemButCountsAll) {
  std::vector<std::string> blobs = {"kept"};
  for (int i = 0; i < 1500; ++i) {
    blobs.push_back("lost" + std::to_string(i));
    Put(D(blobs.back()), Missing());
  }
  Put("t", Answer(Image("m", blobs)));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.unpullable.blobs, 1500U);
  EXPECT_EQ(result.unpullable_things.size(), ScanResult::kMaxErrors);
}

TEST_F(UnpullableTest, DoesNotKeepWitnessesFromBeingCalledAfterIt) {
  hints_.witnesses = {{*Host::Parse("other.example"), {D("w")}}};
  Put(D("w"), Answer(On("other.example")));
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  EXPECT_EQ(result.witnessed.size(), 1U);
  EXPECT_EQ(asked_.back(), D("w"));
}

class HintsTest : public PlanTest {};

TEST_F(HintsTest, WhatWasUnresolvedComesFirstOfItsKind) {
  PutTags({"1.3.0", "1.2.0", "1.1.0", "1.0.0"});
  Put("1.3.0", Answer(Index("i", {"m", "n", "o"})));
  for (const std::string tag : {"1.2.0", "1.1.0", "1.0.0"}) Put(tag, Answer(Image("p", {"a"})));
  Put(D("m"), Answer(Image("m", {"a"})));
  Put(D("n"), Answer(Image("n", {"a"})));
  Put(D("o"), Answer(Image("o", {"b", "c", "d"})));
  for (const std::string blob : {"a", "b", "c", "d"}) Put(D(blob), Answer(On("one.example")));
  hints_.unresolved = {"1.3.0", "1.0.0", D("o"), D("d"), "9.9.9", D("nothing")};
  EXPECT_EQ(Run().outcome, ScanOutcome::kComplete);
  const std::vector<std::string> expected = {
      "",     "1.3.0", D("o"), D("d"),  D("b"),  // of each kind first
      D("c"), "1.0.0", D("a"), "1.2.0", "1.1.0", D("m"), D("n")};
  EXPECT_EQ(asked_, expected) << "and what no longer is in the repository is not asked for";
}

TEST_F(HintsTest, NamesWhatIsUnresolvedAndTheTagsThatLeadThere) {
  PutTags({"deep", "direct", "fine", "lost", "slow"});
  Put("deep", Answer(Index("i", {"j"})));
  Put(D("j"), Answer(Index("j", {"m"})));
  Put(D("m"), Answer(Image("m", {"config", "b"})));
  Put("direct", Answer(Index("k", {"n", "fine"})));
  Put(D("n"), Slow());
  Put("fine", Answer(Image("fine", {"a", "gone"})));
  Put("lost", Missing());
  Put("slow", Slow());
  Put(D("config"), Slow());
  Put(D("a"), Answer(On("one.example")));
  Put(D("b"), Answer(On("one.example")));
  Put(D("gone"), Missing());
  const ScanResult result = Run();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  const std::set<std::string> named(result.unresolved_references.begin(),
                                    result.unresolved_references.end());
  EXPECT_EQ(named, (std::set<std::string>{D("config"), D("n"), "deep", "direct", "slow"}))
      << "not those that lead to nothing but what is unpullable";
  EXPECT_EQ(named.size(), result.unresolved_references.size());
}

TEST_F(HintsTest, ACompleteScanNamesNothing) {
  PutTags({"t"});
  Put("t", Answer(Image("m", {"a"})));
  Put(D("a"), Answer(On("one.example")));
  EXPECT_TRUE(Run().unresolved_references.empty());
}

TEST_F(HintsTest, NamesABoundedNumberAndSomeOfEachKind) {
  std::vector<std::string> tags = {"t"};
  for (int i = 0; i < 1500; ++i) tags.push_back("t" + std::to_string(i));
  std::vector<std::string> blobs;
  for (int i = 0; i < 800; ++i) blobs.push_back("b" + std::to_string(i));
  PutTags(tags);
  Put("t", Answer(Image("m", blobs)));
  const ScanResult result = Run();
  EXPECT_EQ(result.unresolved, (ScanCounts{1500, 0, 800}));
  EXPECT_EQ(result.unresolved_references.size(), ScanResult::kMaxErrors);
  EXPECT_EQ(std::ranges::count_if(result.unresolved_references, IsDigest), 500);
}

TEST_F(HintsTest, TheWholeListIsReadBeforeWhatWasNotUnresolved) {
  Put("", Answer(TagPage{{"1.1.0"}, {}, Url::Parse("https://r.example/2").value()}));
  Put("https://r.example/2", Answer(TagPage{{"1.0.0"}, {}, {}}));
  for (const std::string tag : {"1.0.0", "1.1.0"}) Put(tag, Answer(Image("m", {"a"})));
  Put(D("a"), Answer(On("one.example")));
  hints_.unresolved = {"1.0.0"};
  Run();
  EXPECT_EQ(asked_,
            (std::vector<std::string>{"", "https://r.example/2", "1.0.0", D("a"), "1.1.0"}));
}

// Scans that are cut see all of it together, if the hints go from one to the next.
class SeveralScansTest : public PlanTest {
 protected:
  // So many tags, each with a blob of its own.
  void PutTagsWithBlobs(int count, std::size_t page_size) {
    std::vector<std::string> tags;
    for (int i = 0; i < count; ++i) {
      const std::string tag = "1." + std::to_string(i) + ".0";
      tags.push_back(tag);
      Put(tag, Answer(Image("m" + tag, {"b" + tag})));
      Put(D("b" + tag), Answer(On("one.example")));
    }
    std::string page;
    for (std::size_t at = 0; at < tags.size(); at += page_size) {
      const std::size_t end = std::min(at + page_size, tags.size());
      const Url next = *Url::Parse("https://r.example/" + std::to_string(end));
      Put(page, Answer(TagPage{{tags.begin() + static_cast<std::ptrdiff_t>(at),
                                tags.begin() + static_cast<std::ptrdiff_t>(end)},
                               {},
                               end < tags.size() ? std::optional(next) : std::nullopt}));
      page = next.text();
    }
  }

  // Blobs that scans of so many requests each have seen.
  std::size_t SeenBy(int scans, std::size_t requests) {
    std::set<std::string> seen;
    for (int scan = 0; scan < scans; ++scan) {
      const ScanResult result = Run(requests, kCut);
      EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
      for (const auto& [digest, route] : result.blobs) seen.emplace(digest);
      hints_.unresolved = result.unresolved_references;
    }
    return seen.size();
  }
};

TEST_F(SeveralScansTest, SeeAllOfARepositoryTooLargeForOneOrTwo) {
  PutTagsWithBlobs(20, 20);
  EXPECT_EQ(SeenBy(5, 1 + 2 * 4), 20U);
}

TEST_F(SeveralScansTest, SeeWhatIsOnPagesThatTheFirstDidNotReach) {
  PutTagsWithBlobs(20, 5);
  EXPECT_EQ(SeenBy(4, 4 + 2 * 5), 20U);
}

TEST_F(SeveralScansTest, SeeMoreTagsThanAreNamedAtOnce) {
  PutTagsWithBlobs(4000, 4000);
  EXPECT_EQ(SeenBy(5, 1 + 2 * 800), 4000U);
}

TEST_F(PlanTest, KnowsHowFarItIs) {
  PutTags({"2.0.0", "1.0.0"});
  Put("2.0.0", Answer(Image("m", {"a", "b"})));
  Put("1.0.0", Missing());
  Put(D("a"), Answer(On("one.example")));
  Put(D("b"), Answer(On("one.example")));
  ScanPlan plan = MakePlan();
  const auto expect = [&plan](std::uint64_t finished, std::uint64_t known) {
    EXPECT_EQ(plan.progress().finished, finished);
    EXPECT_EQ(plan.progress().known, known) << "after " << finished;
  };
  expect(0, 1);  // the tag list
  const auto step = [&] { Finish(plan, *plan.Next()); };
  step();
  expect(1, 3);  // and two tags
  const Operation tag = *plan.Next();
  expect(1, 3);  // what is under way counts as before
  Finish(plan, tag);
  expect(2, 5);  // and two blobs
  step();
  step();
  expect(4, 5);
  step();
  expect(5, 6);  // 1.0.0 once more
  step();
  expect(6, 6);
  EXPECT_FALSE(plan.Next());
}

TEST_F(PlanTest, CountsWhatIsAnsweredOfEachKind) {
  PutTags({"3.0.0", "2.0.0", "1.0.0"});
  Put("3.0.0", Answer(Image("m", {"a", "b"})));
  Put("2.0.0", Missing());
  Put("1.0.0", Error{ErrorKind::kAuth, "no"});
  Put(D("a"), Answer(On("one.example")));
  Put(D("b"), Error{ErrorKind::kTimeout, "late"});
  ScanPlan plan = MakePlan();
  while (const auto operation = plan.Next()) {
    Finish(plan, *operation);
    const ScanPlan::Progress progress = plan.progress();
    EXPECT_LE(progress.answered.tags, progress.asked.tags);
    EXPECT_LE(progress.answered.manifests, progress.asked.manifests);
    EXPECT_LE(progress.answered.blobs, progress.asked.blobs);
    if (operation->kind == Operation::Kind::kTags) {
      EXPECT_EQ(progress.asked, (ScanCounts{3, 0, 0}));
      EXPECT_EQ(progress.answered, ScanCounts{});
    }
  }
  EXPECT_EQ(plan.progress().asked, (ScanCounts{3, 1, 2}));
  EXPECT_EQ(plan.progress().answered, (ScanCounts{3, 1, 2}));
}

}  // namespace
}  // namespace registry_backend
