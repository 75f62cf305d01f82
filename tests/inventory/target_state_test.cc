#include "exporter/inventory/target_state.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using std::chrono::hours;

EndpointKey Blobs(const std::string& host) { return {Serves::kBlobs, *Host::Parse(host)}; }

WallTime At(int hour) { return WallTime(hours(480'000 + hour)); }

ScanResult Scan(ScanOutcome outcome, int hour, const std::vector<std::string>& hosts) {
  ScanResult result;
  result.outcome = outcome;
  result.finished = At(hour);
  result.asked = {1, 1, 10};
  for (const std::string& host : hosts) {
    result.endpoints[Blobs(host)] = {{"s3", "b", "us-east-1", "redirect"}, 10};
  }
  if (outcome != ScanOutcome::kComplete) {
    result.reasons[ErrorKind::kTimeout] = 1;
    result.errors.push_back({ScanError::Scope::kTarget, "", "", {ErrorKind::kTimeout, "slow"}});
  }
  return result;
}

TEST(TargetState, OnlyACompleteScanMakesAnEndpointAbsent) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 0, {"one.example"}), state);
  EXPECT_TRUE(state.endpoints.at(Blobs("one.example")).present);
  for (const ScanOutcome outcome : {ScanOutcome::kFailed, ScanOutcome::kPartial}) {
    Apply(Scan(outcome, 1, {}), state);
    EXPECT_TRUE(state.endpoints.at(Blobs("one.example")).present) << OutcomeName(outcome);
  }
  Apply(Scan(ScanOutcome::kComplete, 2, {}), state);
  EXPECT_FALSE(state.endpoints.at(Blobs("one.example")).present);
  EXPECT_EQ(state.endpoints.at(Blobs("one.example")).blobs, 0U);
}

TEST(TargetState, AnyScanMayAddWhatItSaw) {
  TargetState state;
  Apply(Scan(ScanOutcome::kPartial, 0, {"one.example"}), state);
  Apply(Scan(ScanOutcome::kFailed, 1, {"two.example"}), state);
  EXPECT_TRUE(state.endpoints.at(Blobs("one.example")).present);
  EXPECT_TRUE(state.endpoints.at(Blobs("two.example")).present);
  EXPECT_FALSE(state.endpoints.at(Blobs("one.example")).blobs) << "counted by complete scans only";
}

TEST(TargetState, AHostThatReturnsKeepsWhenItWasFirstSeen) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 0, {"one.example"}), state);
  Apply(Scan(ScanOutcome::kComplete, 1, {"two.example"}), state);
  Apply(Scan(ScanOutcome::kComplete, 2, {"one.example"}), state);
  const EndpointRecord& record = state.endpoints.at(Blobs("one.example"));
  EXPECT_TRUE(record.present);
  EXPECT_EQ(record.first_seen, At(0));
  EXPECT_EQ(record.last_seen, At(2));
  EXPECT_FALSE(state.endpoints.at(Blobs("two.example")).present);
  EXPECT_EQ(state.endpoints.at(Blobs("two.example")).last_seen, At(1));
}

TEST(TargetState, CountsScansAndWhatKeptThemFromBeingComplete) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 0, {}), state);
  Apply(Scan(ScanOutcome::kFailed, 1, {}), state);
  Apply(Scan(ScanOutcome::kPartial, 2, {}), state);
  EXPECT_EQ(state.scans.at(ScanOutcome::kComplete), 1U);
  EXPECT_EQ(state.scans.at(ScanOutcome::kFailed), 1U);
  EXPECT_EQ(state.scans.at(ScanOutcome::kPartial), 1U);
  EXPECT_EQ(state.failures.at(ErrorKind::kTimeout), 2U);
  EXPECT_EQ(state.consecutive_failures, 2U);
  EXPECT_EQ(state.last_success, At(0));
  EXPECT_EQ(state.newest->error, "slow");
  Apply(Scan(ScanOutcome::kComplete, 3, {}), state);
  EXPECT_EQ(state.consecutive_failures, 0U);
  EXPECT_EQ(state.last_success, At(3));
}

TEST(TargetState, SizesAreThoseOfTheNewestScanThatDidNotFail) {
  TargetState state;
  Apply(Scan(ScanOutcome::kComplete, 0, {}), state);
  ScanResult failed = Scan(ScanOutcome::kFailed, 1, {});
  failed.asked = {};
  Apply(failed, state);
  EXPECT_EQ(state.newest->outcome, ScanOutcome::kFailed);
  EXPECT_EQ(state.newest_usable->asked.blobs, 10U);
}

}  // namespace
}  // namespace registry_backend
