#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/monitor/watched_target.h"
#include "tests/support/temp_dir.h"

// What /metrics and the journal tell after one thing and another has come to pass, from the
// registry's answers to the exposition; see WatchedTarget for the steps and for what is shown.
namespace registry_backend {
namespace {

using testing::TempDir;
using testing::WatchedTarget;

struct Stage {
  std::string steps;
  std::string shown;  // how far lines are indented does not count
};

struct Story {
  std::string name;
  std::vector<Stage> stages;
};

std::string WithoutIndent(const std::string& text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t begin = std::min(text.find_first_not_of(' ', at), end);
    if (begin < end) plain += text.substr(begin, end - begin) + "\n";
    at = end + 1;
  }
  return plain;
}

void Tell(const std::vector<Story>& stories) {
  for (const Story& story : stories) {
    const TempDir storage(testing::InMemory());
    WatchedTarget target(storage.path());
    for (const Stage& stage : story.stages) {
      target.Do(stage.steps);
      EXPECT_EQ(target.Shown(), WithoutIndent(stage.shown)) << story.name << ": " << stage.steps;
    }
  }
}

TEST(PresenceOverTime, EndpointsThatComeAndGo) {
  Tell({
      {"never scanned", {{"restart", R"(
          none 0 | 0/0/0/0 | +0 -0 | | dropped 0
          journal)"}}},
      {"baseline", {{"1.0=ab scan", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-1
          a 1 seen 1-1
          b 1 seen 1-1
          journal)"}}},
      {"add", {{"1.0=a scan 1.1=b scan scan", R"(
          complete 0 | 1/0/0/2 | +1 -0 | baseline 1 change 2 | dropped 0
          api r 1 seen 1-3
          a 1 seen 1-3
          b 1 seen 2-3 changed 2
          journal 2+b)"}}},
      {"remove and return",
       {{"1.0=ab scan move:ba scan scan", R"(
          complete 0 | 1/0/0/1 | +0 -1 | baseline 1 change 2 | dropped 0
          api r 1 seen 1-3
          a 1 seen 1-3
          b 0 seen 1-1 changed 2
          journal 2-b)"},
        {"1.0=ab scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 4 | dropped 0
          api r 1 seen 1-4
          a 1 seen 1-4
          b 1 seen 1-4 changed 4
          journal 2-b 4+b)"}}},
      {"flap", {{"1.0=a scan move:ab scan move:ba scan move:ab scan", R"(
          complete 0 | 1/0/0/1 | +3 -3 | baseline 1 change 4 | dropped 0
          api r 1 seen 1-4
          a 0 seen 1-3 changed 4
          b 1 seen 2-4 changed 4
          journal 2-a 2+b 3+a 3-b 4+b 4-a)"}}},
      {"a tag is deleted, its blob later",
       {{"1.0=a 1.1=b scan untag:1.1 scan", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-2
          b 1 seen 1-1
          journal)"},
        {"refuse:1.1/0 scan", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-3
          a 1 seen 1-3
          b 1 seen 1-1
          journal)"},
        {"mend lose:1.1/0 scan", R"(
          complete 0 | 1/0/0/1 | +0 -1 | baseline 1 change 4 | dropped 0
          api r 1 seen 1-4
          a 1 seen 1-4
          b 0 seen 1-1 changed 4
          journal 4-b)"}}},
  });
}

TEST(PresenceOverTime, ScansThatAreNotComplete) {
  Tell({
      {"partial",
       {{"1.0=a 1.1=b scan refuse:1.1 1.0=c scan", R"(
          partial 1 | 1/0/0/3 | +1 -0 | baseline 1 change 2 | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-1
          b 1 seen 1-1
          c 1 seen 2-2 changed 2
          journal 2+c)"},
        {"mend scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 3 | dropped 0
          api r 1 seen 1-3
          a 0 seen 1-1 changed 3
          b 1 seen 1-3
          c 1 seen 2-3 changed 2
          journal 2+c 3-a)"}}},
      {"failed",
       {{"1.0=a scan move:ab refuse:list scan", R"(
          failed 1 | 1/0/0/1 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-1
          a 1 seen 1-1
          journal)"},
        {"mend refuse:1.0 scan", R"(
          failed 2 | 1/0/0/1 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-3
          a 1 seen 1-1
          journal)"},
        {"mend scan", R"(
          complete 0 | 1/0/0/1 | +1 -1 | baseline 1 change 4 | dropped 0
          api r 1 seen 1-4
          a 0 seen 1-1 changed 4
          b 1 seen 4-4 changed 4
          journal 4-a 4+b)"}}},
      {"a captive portal",
       {{"1.0=a portal:p scan", R"(
          failed 1 | 0/1/0/0 | +0 -0 | | dropped 0
          tokens p 1 seen 1-1
          journal)"},
        {"mend scan portal:q scan portal:p scan", R"(
          failed 2 | 1/0/0/1 | +0 -0 | baseline 2 | dropped 0
          api r 1 seen 2-2
          tokens p 0 seen 1-1
          a 1 seen 2-2
          journal)"}}},
      {"failed at first", {{"1.0=a refuse:1.0 scan mend 1.0=b scan", R"(
          complete 0 | 1/0/0/1 | +0 -0 | baseline 2 | dropped 0
          api r 1 seen 1-2
          b 1 seen 2-2
          journal)"}}},
      {"a failure between partial ones",
       {{"1.0=a 1.1=b refuse:1.1 scan scan refuse:list scan mend:list scan scan", R"(
          partial 5 | 1/0/0/1 | +0 -0 | | dropped 0
          api r 1 seen 1-5
          a 1 seen 1-5
          journal)"},
        {"scan", R"(
          partial 6 | 1/0/0/1 | +0 -0 | baseline 6 | dropped 0
          api r 1 seen 1-6
          a 1 seen 1-6
          journal)"}}},
      {"a tag that is broken for ever",
       {{"1.0=a 1.1=b refuse:1.1 scan 1.0=c scan", R"(
          partial 2 | 1/0/0/2 | +0 -0 | | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-1
          c 1 seen 2-2
          journal)"},
        {"scan", R"(
          partial 3 | 1/0/0/2 | +0 -0 | baseline 3 | dropped 0
          api r 1 seen 1-3
          a 1 seen 1-1
          c 1 seen 2-3
          journal)"},
        {"1.0=d scan restart scan", R"(
          partial 5 | 1/0/0/3 | +1 -0 | baseline 3 change 4 | dropped 0
          api r 1 seen 1-5
          a 1 seen 1-1
          c 1 seen 2-3
          d 1 seen 4-5 changed 4
          journal 4+d)"},
        {"untag:1.1 scan", R"(
          complete 0 | 1/0/0/1 | +1 -2 | baseline 3 change 6 | dropped 0
          api r 1 seen 1-6
          a 0 seen 1-1 changed 6
          c 0 seen 2-3 changed 6
          d 1 seen 4-6 changed 4
          journal 4+d 6-a 6-c)"}}},
      {"what cannot be pulled is no failure", {{"1.0=a 1.1=b scan lose:1.1/0 scan", R"(
          complete 0 | 1/0/0/1 | +0 -1 | baseline 1 change 2 | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-2
          b 0 seen 1-1 changed 2
          journal 2-b)"}}},
      {"but a store that has lost all is", {{"1.0=a scan lose:1.0/0 scan", R"(
          partial 1 | 1/0/0/1 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-1
          journal)"}}},
  });
}

TEST(PresenceOverTime, WhatTheConfigurationSays) {
  Tell({
      {"the newest tags move on",
       {{"newest:2 1.0=a 1.1=b scan 1.2=c scan", R"(
          complete 0 | 1/0/0/3 | +1 -0 | baseline 1 change 2 | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-1
          b 1 seen 1-2
          c 1 seen 2-2 changed 2
          journal 2+c)"},
        {"1.3=c scan move:ac scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 4 | dropped 0
          api r 1 seen 1-4
          a 0 seen 1-1 changed 4
          b 1 seen 1-2
          c 1 seen 2-4 changed 2
          journal 2+c 4-a)"}}},
      {"another selection",
       {{"1.0=a 1.1=b scan newest:1 lose:1.0/0 1.2=c refuse:list scan", R"(
          failed 1 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-1
          a 1 seen 1-1
          b 1 seen 1-1
          journal)"},
        {"mend 1.2=bc refuse:1.2/1 scan", R"(
          partial 2 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-3
          a 1 seen 1-1
          b 1 seen 1-3
          journal)"},
        {"mend scan", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-4
          a 0 seen 1-1
          b 1 seen 1-4
          c 1 seen 4-4
          journal)"},
        {"move:bc scan", R"(
          complete 0 | 1/0/0/1 | +0 -1 | baseline 1 change 5 | dropped 0
          api r 1 seen 1-5
          a 0 seen 1-1
          b 0 seen 1-4 changed 5
          c 1 seen 4-5
          journal 5-b)"}}},
      {"another policy",
       {{"1.0=ab scan approve:a", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-1 approved 1
          a 1 seen 1-1 approved 1
          b 1 seen 1-1 approved 0
          journal)"},
        {"approve:ab", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-1 approved 1
          a 1 seen 1-1 approved 1
          b 1 seen 1-1 approved 1
          journal)"},
        {"approve: scan", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-2
          b 1 seen 1-2
          journal)"}}},
      {"max_endpoints",
       {{"max:3 1.0=ab scan 1.1=cd scan", R"(
          complete 0 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 2
          api r 1 seen 1-2
          a 1 seen 1-2
          b 1 seen 1-2
          journal)"},
        {"move:ba scan restart", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 3 | dropped 1
          api r 1 seen 1-3
          a 1 seen 1-3
          c 1 seen 3-3 changed 3
          journal 3-b 3+c)"}}},
      {"forget_after",
       {{"forget:3 1.0=ab scan move:ba scan scan scan", R"(
          complete 0 | 1/0/0/1 | +0 -1 | baseline 1 change 2 | dropped 0
          api r 1 seen 1-4
          a 1 seen 1-4
          b 0 seen 1-1 changed 2
          journal 2-b)"},
        {"scan", R"(
          complete 0 | 1/0/0/1 | +0 -1 | baseline 1 change 2 | dropped 0
          api r 1 seen 1-5
          a 1 seen 1-5
          journal 2-b)"},
        {"1.0=ab scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 6 | dropped 0
          api r 1 seen 1-6
          a 1 seen 1-6
          b 1 seen 6-6 changed 6
          journal 2-b 6+b)"}}},
      {"absent_after",
       {{"absent_after:2 1.0=ab scan move:ba scan restart refuse:list scan", R"(
          failed 1 | 1/0/0/2 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-2
          a 1 seen 1-2
          b 1 seen 1-1
          journal)"},
        {"mend scan", R"(
          complete 0 | 1/0/0/1 | +0 -1 | baseline 1 change 4 | dropped 0
          api r 1 seen 1-4
          a 1 seen 1-4
          b 0 seen 1-1 changed 4
          journal 4-b)"},
        {"1.0=ab scan move:ba scan 1.0=ab scan move:ba scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 5 | dropped 0
          api r 1 seen 1-8
          a 1 seen 1-8
          b 1 seen 1-7 changed 5
          journal 4-b 5+b)"}}},
  });
}

TEST(PresenceOverTime, TheProcessAndItsClock) {
  Tell({
      {"restart", {{"1.0=a restart scan restart 1.1=b scan restart move:ab scan restart", R"(
          complete 0 | 1/0/0/1 | +1 -1 | baseline 1 change 3 | dropped 0
          api r 1 seen 1-3
          a 0 seen 1-2 changed 3
          b 1 seen 2-3 changed 2
          journal 2+b 3-a)"}}},
      {"a crash before a change is saved",
       {{"1.0=a scan 1.1=b crash:within", R"(
          complete 0 | 1/0/0/1 | +0 -0 | baseline 1 | dropped 0
          api r 1 seen 1-1
          a 1 seen 1-1
          journal)"},
        {"scan", R"(
          complete 0 | 1/0/0/2 | +1 -0 | baseline 1 change 3 | dropped 0
          api r 1 seen 1-3
          a 1 seen 1-3
          b 1 seen 3-3 changed 3
          journal 3+b)"}}},
      {"a clock that was ahead",
       {{"forget:3 1.0=ab scan clock:1000 move:ac scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 1001 | dropped 0
          api r 1 seen 1-1001
          a 0 seen 1-1 changed 1001
          b 1 seen 1-1001
          c 1 seen 1001-1001 changed 1001
          journal 1001-a 1001+c)"},
        {"clock:5 refuse:list scan", R"(
          failed 1 | 1/0/0/2 | +1 -1 | baseline 1 change 1001 | dropped 0
          api r 1 seen 1-1001
          a 0 seen 1-1 changed 1001
          b 1 seen 1-1001
          c 1 seen 1001-1001 changed 1001
          journal 1001-a 1001+c)"},
        {"mend scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 7 | dropped 0
          api r 1 seen 1-7
          a 0 seen 1-1 changed 7
          b 1 seen 1-7
          c 1 seen 7-7 changed 7
          journal 1001-a 1001+c)"},
        {"scan scan scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1 change 7 | dropped 0
          api r 1 seen 1-10
          b 1 seen 1-10
          c 1 seen 7-10 changed 7
          journal 1001-a 1001+c)"}}},
      {"a failed scan by a clock that is behind",
       {{"clock:1000 1.0=ab scan move:ac scan clock:5 refuse:list scan clock:1010 mend scan", R"(
          complete 0 | 1/0/0/2 | +1 -1 | baseline 1001 change 1002 | dropped 0
          api r 1 seen 1001-1011
          a 0 seen 1001-1001 changed 1002
          b 1 seen 1001-1011
          c 1 seen 1002-1011 changed 1002
          journal 1002-a 1002+c)"}}},
      {"a clock that was ahead at the baseline", {{"clock:1000 1.0=a scan clock:5 scan", R"(
          complete 0 | 1/0/0/1 | +0 -0 | baseline 6 | dropped 0
          api r 1 seen 6-6
          a 1 seen 6-6
          journal)"}}},
  });
}

}  // namespace
}  // namespace registry_backend
