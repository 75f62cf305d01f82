#include "exporter/inventory/apply.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "exporter/inventory/state_codec.h"

namespace registry_backend {
namespace {

using std::chrono::hours;

EndpointKey Blobs(const std::string& host) {
  return {Serves::kBlobs, *Host::Parse(host + ".example")};
}

WallTime At(int hour) { return WallTime(hours(480'000 + hour)); }

// A scan that ended at an hour and met hosts named by letters: `complete`, "ab".
ScanResult Scan(ScanOutcome outcome, int hour, const std::string& hosts,
                const std::string& witnessed = "") {
  ScanResult result;
  result.outcome = outcome;
  result.started = At(hour) - std::chrono::minutes(10);
  result.finished = At(hour);
  result.asked = {1, 1, 10};
  const auto texts = std::make_shared<TextArena>();
  result.texts = texts;
  for (const char host : hosts) {
    result.endpoints[Blobs({host})] = {{"s3", "bucket", "us-east-1", "redirect"}, 10};
    const auto route = static_cast<std::uint32_t>(result.routes.size());
    result.routes.push_back({Blobs({host}).backend_host});
    result.blobs.emplace(texts->Keep("sha256:of-" + std::string(1, host)), route);
  }
  for (const char host : witnessed) result.witnessed.insert(Blobs({host}).backend_host);
  if (outcome != ScanOutcome::kComplete) {
    result.AddError({ScanError::Scope::kTarget, "", "", {ErrorKind::kTimeout, "slow"}});
  }
  return result;
}

// `A` present, `a` absent; in order of their names.
std::string Presence(const TargetState& state) {
  std::string text;
  for (const auto& [key, record] : state.endpoints) {
    const char letter = key.backend_host.text()[0];
    text += record.present() ? static_cast<char>(letter - 'a' + 'A') : letter;
  }
  return text;
}

// `+a-b`: the journal, oldest first.
std::string Journal(const TargetState& state) {
  std::string text;
  for (auto change = state.journal.rbegin(); change != state.journal.rend(); ++change) {
    text += change->kind == ChangeKind::kAdded ? '+' : '-';
    text += change->endpoint.backend_host.text()[0];
  }
  return text;
}

// One scan of a history: `C:ab` complete and met a and b, `P:` partial, `F:` failed, `C:a/b`
// complete, met a, and a witness speaks for b; `restart` stores the state and reads it back;
// `select X` edits the selection.
void Step(const std::string& step, int hour, InventoryOptions& options, TargetState& state) {
  if (step == "restart") {
    Result<TargetState> restored = DecodeState(EncodeState(state));
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(*restored, state);
    state = *std::move(restored);
    return;
  }
  if (step.starts_with("select ")) {
    options.selection = step.substr(7);
    return;
  }
  const ScanOutcome outcome = step[0] == 'C'   ? ScanOutcome::kComplete
                              : step[0] == 'P' ? ScanOutcome::kPartial
                                               : ScanOutcome::kFailed;
  const std::string hosts = step.substr(2);
  const std::size_t slash = hosts.find('/');
  Apply(Scan(outcome, hour, hosts.substr(0, slash),
             slash == std::string::npos ? "" : hosts.substr(slash + 1)),
        options, state);
}

struct History {
  std::string name;
  std::vector<std::string> steps;
  std::string presence;
  std::string journal;
  std::uint64_t absent_after = 1;
};

TEST(Apply, PresenceOverTime) {
  const History histories[] = {
      {"a first scan is a baseline and no change", {"C:ab"}, "AB", ""},
      {"add", {"C:a", "C:ab"}, "AB", "+b"},
      {"remove", {"C:ab", "C:a"}, "Ab", "-b"},
      {"replace", {"C:a", "C:b"}, "aB", "-a+b"},
      {"return", {"C:a", "C:b", "C:a"}, "Ab", "-a+b+a-b"},
      {"flap", {"C:a", "C:", "C:a", "C:", "C:a"}, "A", "-a+a-a+a"},
      {"a partial scan removes nothing", {"C:ab", "P:a"}, "AB", ""},
      {"a partial scan adds", {"C:a", "P:ab"}, "AB", "+b"},
      {"a failed scan removes nothing", {"C:ab", "F:"}, "AB", ""},
      {"a failed scan brings nothing after the baseline", {"C:ab", "C:a", "F:bc"}, "Ab", "-b"},
      {"but what it knew is seen", {"C:a", "F:a"}, "A", ""},
      {"failed at first", {"F:", "F:a", "C:ab"}, "AB", ""},
      {"one partial scan is no baseline", {"P:a", "P:ab"}, "AB", ""},
      {"the third partial one is", {"P:a", "P:a", "P:ab", "P:abc"}, "ABC", "+c"},
      {"a failed one between begins the count anew", {"P:a", "P:a", "F:", "P:a", "P:ab"}, "AB", ""},
      {"hosts seen before the baseline belong to it", {"P:ab", "C:a", "C:ab"}, "AB", "+b"},
      {"hosts gone by the baseline are no change", {"P:ab", "C:a"}, "Ab", ""},
      {"restart in between", {"C:a", "restart", "C:ab", "restart", "C:b"}, "aB", "+b-a"},
      {"a restart is no baseline", {"C:a", "restart", "C:ab"}, "AB", "+b"},
      {"partial baseline and restart",
       {"P:a", "restart", "P:a", "restart", "P:a", "C:ab"},
       "AB",
       "+b"},
      {"an edited selection is no change", {"C:ab", "select new", "C:bc", "C:c"}, "abC", "-b"},
      {"a partial scan does not use up the edit", {"C:ab", "select new", "P:b", "C:b"}, "aB", ""},
      {"a witness keeps", {"C:ab", "C:a/b"}, "AB", ""},
      {"until it no longer does", {"C:ab", "C:a/b", "C:a"}, "Ab", "-b"},
      {"absent_after", {"C:ab", "C:a", "C:a"}, "Ab", "-b", 2},
      {"absent_after counts in a row", {"C:ab", "C:a", "C:ab", "C:a"}, "AB", "", 2},
      {"absent_after over a failed one", {"C:ab", "C:a", "F:", "C:a"}, "Ab", "-b", 2},
  };
  for (const History& history : histories) {
    TargetState state;
    InventoryOptions options;
    options.absent_after = history.absent_after;
    int hour = 0;
    for (const std::string& step : history.steps) Step(step, ++hour, options, state);
    EXPECT_EQ(Presence(state), history.presence) << history.name;
    EXPECT_EQ(Journal(state), history.journal) << history.name;
    const auto count = [&](ChangeKind kind) {
      const auto found = state.changes.find(kind);
      return found == state.changes.end() ? 0U : found->second;
    };
    EXPECT_EQ(count(ChangeKind::kAdded), std::ranges::count(history.journal, '+')) << history.name;
    EXPECT_EQ(count(ChangeKind::kRemoved), std::ranges::count(history.journal, '-'))
        << history.name;
    EXPECT_EQ(state.last_change.has_value(), !history.journal.empty()) << history.name;
  }
}

TEST(Apply, TimesOfAnEndpoint) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 1, "a"), {}, state);
  const EndpointRecord& record = state.endpoints.at(Blobs("a"));
  EXPECT_EQ(record.first_seen, At(1));
  EXPECT_FALSE(record.changed) << "the baseline is no change";
  Apply(Scan(ScanOutcome::kComplete, 2, ""), {}, state);
  EXPECT_EQ(record.last_seen, At(1));
  EXPECT_EQ(record.absent_since, At(2));
  EXPECT_EQ(record.changed, At(2));
  EXPECT_EQ(record.blobs, 0U);
  Apply(Scan(ScanOutcome::kComplete, 3, "a"), {}, state);
  EXPECT_EQ(record.first_seen, At(1)) << "kept when it returns";
  EXPECT_EQ(record.changed, At(3));
  EXPECT_EQ(record.blobs, 10U);
  EXPECT_EQ(state.baseline, At(1));
  EXPECT_EQ(state.last_change, At(3));
}

TEST(Apply, BlobsAreCountedByCompleteScansOnly) {
  TargetState state;
  Apply(Scan(ScanOutcome::kPartial, 1, "a"), {}, state);
  EXPECT_FALSE(state.endpoints.at(Blobs("a")).blobs);
}

TEST(Apply, AnAbsentEndpointIsForgottenInTheEnd) {
  TargetState state;
  InventoryOptions options;
  options.forget_after = hours(10);
  Apply(Scan(ScanOutcome::kComplete, 1, "ab"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 2, "a"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 11, "a"), options, state);
  EXPECT_EQ(Presence(state), "Ab");
  Apply(Scan(ScanOutcome::kFailed, 12, ""), options, state);
  EXPECT_EQ(Presence(state), "A");
  EXPECT_EQ(Journal(state), "-b");
}

TEST(Apply, AClockSetBackForgetsNothing) {
  TargetState state;
  InventoryOptions options;
  options.forget_after = hours(10);
  Apply(Scan(ScanOutcome::kComplete, 100, "ab"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 101, "a"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 1, "a"), options, state);
  EXPECT_EQ(Presence(state), "Ab");
}

TEST(Apply, NoTimeLiesAheadOfTheNewestScanThatDidNotFail) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 100, "ab"), {}, state);
  Apply(Scan(ScanOutcome::kComplete, 101, "a"), {}, state);
  Apply(Scan(ScanOutcome::kFailed, 1, ""), {}, state);
  EXPECT_EQ(state.last_success, At(101)) << "the clock may be wrong now";
  Apply(Scan(ScanOutcome::kPartial, 1, ""), {}, state);
  EXPECT_EQ(state.last_success, At(1)) << "or no alert would call it stale for 100 hours";
  EXPECT_EQ(state.last_change, At(1));
  EXPECT_EQ(state.baseline, At(1));
  const EndpointRecord& gone = state.endpoints.at(Blobs("b"));
  for (const auto time : {gone.first_seen, gone.last_seen, *gone.changed, *gone.absent_since}) {
    EXPECT_EQ(time, At(1));
  }
  EXPECT_EQ(state.journal.front().at, At(101)) << "which is what the clock said";
}

TEST(Apply, MaxEndpointsTakesAbsentOnesFirstAndNeverPresentOnes) {
  TargetState state;
  InventoryOptions options;
  options.max_endpoints = 3;
  Apply(Scan(ScanOutcome::kComplete, 1, "abc"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 2, "bc"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 3, "c"), options, state);
  EXPECT_EQ(Presence(state), "abC");
  Apply(Scan(ScanOutcome::kComplete, 4, "cd"), options, state);
  EXPECT_EQ(Presence(state), "bCD") << "a was unseen longest";
  EXPECT_EQ(state.dropped, 0U);
  Apply(Scan(ScanOutcome::kComplete, 5, "cdefg"), options, state);
  EXPECT_EQ(Presence(state), "CDE");
  EXPECT_EQ(state.dropped, 2U);
  Apply(Scan(ScanOutcome::kFailed, 6, "xyz"), options, state);
  EXPECT_EQ(state.dropped, 2U) << "a failed scan does not count";
  Apply(Scan(ScanOutcome::kComplete, 7, "cde"), options, state);
  EXPECT_EQ(state.dropped, 0U);
}

TEST(Apply, WhatIsGoneMakesRoomForWhatIsNew) {
  TargetState state;
  InventoryOptions options;
  options.max_endpoints = 2;
  Apply(Scan(ScanOutcome::kComplete, 1, "ab"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 2, "cd"), options, state);
  EXPECT_EQ(Presence(state), "CD");
  EXPECT_EQ(Journal(state), "-a-b+c+d");
  EXPECT_EQ(state.dropped, 0U);
}

TEST(Apply, OneThatReturnsToAFullInventoryKeepsItsFirstSeen) {
  TargetState state;
  InventoryOptions options;
  options.max_endpoints = 2;
  Apply(Scan(ScanOutcome::kComplete, 1, "bc"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 2, "b"), options, state);
  Apply(Scan(ScanOutcome::kComplete, 3, "abc"), options, state);
  EXPECT_EQ(Presence(state), "BC") << "a would come first by its name";
  EXPECT_EQ(state.endpoints.at(Blobs("c")).first_seen, At(1));
  EXPECT_EQ(state.dropped, 1U);
}

TEST(Apply, ALoweredMaximumIsComeDownTo) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 1, "abcdef"), {}, state);
  Apply(Scan(ScanOutcome::kComplete, 2, "a"), {}, state);
  InventoryOptions options;
  options.max_endpoints = 3;
  Apply(Scan(ScanOutcome::kComplete, 3, "az"), options, state);
  EXPECT_EQ(state.endpoints.size(), 3U);
}

TEST(Apply, APartialScanLeavesWitnessesToo) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 1, "a"), {}, state);
  Apply(Scan(ScanOutcome::kPartial, 2, "b"), {}, state);
  EXPECT_EQ(state.endpoints.at(Blobs("a")).witnesses.size(), 1U);
  EXPECT_EQ(state.endpoints.at(Blobs("b")).witnesses, std::vector<std::string>{"sha256:of-b"});
}

TEST(Apply, TheJournalIsBounded) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 0, ""), {}, state);
  for (int i = 1; i <= 1200; ++i) {
    Apply(Scan(ScanOutcome::kComplete, i, i % 2 == 1 ? "a" : ""), {}, state);
  }
  EXPECT_EQ(state.journal.size(), TargetState::kMaxJournal);
  EXPECT_EQ(state.journal.front().at, At(1200));
  EXPECT_EQ(state.changes.at(ChangeKind::kAdded), 600U);
}

TEST(Apply, KeepsAFewWitnessesOfWhatEachServedLast) {
  TargetState state;
  ScanResult scan = Scan(ScanOutcome::kComplete, 1, "ab");
  std::vector<std::string> digests;
  for (int i = 0; i < 50; ++i) digests.push_back("sha256:" + std::to_string(i));
  for (const std::string& digest : digests) scan.blobs.emplace(digest, 0);
  Apply(scan, {}, state);
  EXPECT_EQ(state.endpoints.at(Blobs("a")).witnesses.size(), EndpointRecord::kMaxWitnesses);
  EXPECT_EQ(state.endpoints.at(Blobs("b")).witnesses, std::vector<std::string>{"sha256:of-b"});
  Apply(Scan(ScanOutcome::kComplete, 2, "a", "b"), {}, state);
  EXPECT_EQ(state.endpoints.at(Blobs("b")).witnesses, std::vector<std::string>{"sha256:of-b"});
}

TEST(Apply, AHostOnTheWayToABlobHasWitnessesToo) {
  TargetState state;
  ScanResult scan = Scan(ScanOutcome::kComplete, 1, "ab");
  scan.routes[1].insert(scan.routes[1].begin(), Blobs("a").backend_host);
  scan.blobs.erase("sha256:of-a");
  Apply(scan, {}, state);
  EXPECT_EQ(state.endpoints.at(Blobs("a")).witnesses, std::vector<std::string>{"sha256:of-b"});
}

TEST(Apply, KeepsWhatTheNewestScanThatDidNotFailLeftUnresolved) {
  TargetState state;
  ScanResult partial = Scan(ScanOutcome::kPartial, 1, "a");
  partial.unresolved_references = {"v2", "sha256:b", "v1"};
  Apply(partial, {}, state);
  EXPECT_EQ(state.unresolved, (std::vector<std::string>{"v2", "sha256:b", "v1"}));
  Apply(Scan(ScanOutcome::kFailed, 2, ""), {}, state);
  EXPECT_EQ(state.unresolved.size(), 3U) << "a scan that failed knows nothing of it";
  Apply(Scan(ScanOutcome::kComplete, 3, "a"), {}, state);
  EXPECT_TRUE(state.unresolved.empty());
}

TEST(Apply, KeepsHowMuchIsUnpullable) {
  TargetState state;
  ScanResult complete = Scan(ScanOutcome::kComplete, 1, "a");
  complete.unpullable = {1, 2, 3};
  Apply(complete, {}, state);
  EXPECT_EQ(state.newest->unpullable, (ScanCounts{1, 2, 3}));
  Apply(Scan(ScanOutcome::kFailed, 2, ""), {}, state);
  EXPECT_EQ(state.newest_usable->unpullable, (ScanCounts{1, 2, 3}));
}

TEST(Apply, CountsScansAndWhatKeptThemFromBeingComplete) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 0, ""), {}, state);
  Apply(Scan(ScanOutcome::kPartial, 1, ""), {}, state);
  ScanResult failed = Scan(ScanOutcome::kFailed, 2, "");
  failed.asked = {};
  Apply(failed, {}, state);
  EXPECT_EQ(state.scans.at(ScanOutcome::kComplete), 1U);
  EXPECT_EQ(state.scans.at(ScanOutcome::kPartial), 1U);
  EXPECT_EQ(state.scans.at(ScanOutcome::kFailed), 1U);
  EXPECT_EQ(state.failures.at(ErrorKind::kTimeout), 2U);
  EXPECT_EQ(state.consecutive_failures, 2U);
  EXPECT_EQ(state.last_success, At(0));
  EXPECT_EQ(state.newest->error, "slow");
  EXPECT_EQ(state.newest_usable->asked.blobs, 10U) << "sizes are the partial scan's";
  Apply(Scan(ScanOutcome::kComplete, 3, ""), {}, state);
  EXPECT_EQ(state.consecutive_failures, 0U);
}

}  // namespace
}  // namespace registry_backend
