#include "exporter/commands/progress.h"

#include <gtest/gtest.h>

#include <chrono>

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ScanProgress Example() {
  return {.target = "r.example/team/app",
          .answered = {3, 40, 210},
          .asked = {12, 57, 480},
          .requests = 290,
          .elapsed = milliseconds(12'900)};
}

TEST(Progress, SaysWhatIsAnsweredOfWhatIsAsked) {
  EXPECT_EQ(ProgressText(Example(), 200),
            "r.example/team/app: 3/12 tags, 40/57 manifests, 210/480 blobs, 290 requests, 12s");
}

TEST(Progress, OfSeveralTargetsSaysHowManyHaveEnded) {
  ScanProgress progress = Example();
  progress.targets = 3;
  progress.ended = 1;
  progress.elapsed = seconds(250);
  EXPECT_EQ(ProgressText(progress, 200),
            "1 of 3 targets, r.example/team/app: 3/12 tags, 40/57 manifests, 210/480 blobs, 290 "
            "requests, 4m10s");
}

TEST(Progress, OnANarrowTerminalTheNumbersStay) {
  EXPECT_EQ(ProgressText(Example(), 70),
            "r.exampl: 3/12 tags, 40/57 manifests, 210/480 blobs, 290 requests, 12s");
  EXPECT_EQ(ProgressText(Example(), 11), ": 3/12 tags");
  EXPECT_EQ(ProgressText(Example(), 0), "");
}

TEST(Progress, ANameDoesNotDriveTheTerminal) {
  ScanProgress progress = Example();
  progress.target = "a\x1b[2J\nb";
  EXPECT_TRUE(ProgressText(progress, 200).starts_with("a?[2J?b: 3/12 tags"));
}

}  // namespace
}  // namespace registry_backend
