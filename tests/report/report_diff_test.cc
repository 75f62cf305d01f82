#include "exporter/report/report_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "exporter/report/diff_text.h"
#include "tests/report/reports.h"

namespace registry_backend {
namespace {

using ::testing::AllOf;
using testing::Endpoint;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::OriginalReport;
using testing::OurReport;

constexpr const char* kA = "a.s3.us-east-1.amazonaws.com";
constexpr const char* kB = "b.s3.us-east-1.amazonaws.com";
constexpr const char* kCdn = "cdn.example";

StoredReport Stored(const Json& report) {
  Result<std::vector<StoredReport>> reports = testing::Read(report.dump());
  EXPECT_TRUE(reports) << reports.error().message;
  return reports->front();
}

Result<ReportDiff> Compare(const Json& before, const Json& after) {
  return CompareReports(Stored(before), "old.json", Stored(after), "new.json");
}

std::string Rendered(const Json& before, const Json& after, DiffFormat format) {
  const Result<ReportDiff> diff = Compare(before, after);
  EXPECT_TRUE(diff) << diff.error().message;
  return diff ? RenderDiff(*diff, format) : std::string();
}

// `+b -a ?c`: added, removed, not seen; `=` where there is none of them.
std::string Verdict(const Json& before, const Json& after) {
  const Result<ReportDiff> diff = Compare(before, after);
  if (!diff) return "trouble";
  std::string verdict;
  const auto add = [&](char sign, const std::vector<DiffedEndpoint>& endpoints) {
    for (const DiffedEndpoint& endpoint : endpoints) {
      verdict += (verdict.empty() ? "" : " ") + std::string(1, sign);
      verdict += endpoint.key.backend_host.text().substr(0, 3);
    }
  };
  add('+', diff->added);
  add('-', diff->removed);
  add('~', diff->changed);
  add('?', diff->not_seen);
  EXPECT_EQ(diff->differs(), !verdict.empty() && verdict.front() != '?') << verdict;
  return verdict.empty() ? "=" : verdict;
}

// What the original tool's comparison says: it holds the two lists in `summary` against each other.
std::string OriginalVerdict(const Json& before, const Json& after) {
  const auto hosts = [](const Json& report) {
    std::set<std::string> listed;
    if (report.contains("summary")) listed = report["summary"]["s3_endpoints"];
    return listed;
  };
  const std::set<std::string> old_hosts = hosts(before);
  const std::set<std::string> new_hosts = hosts(after);
  std::string verdict;
  const auto add = [&](char sign, const std::set<std::string>& some,
                       const std::set<std::string>& others) {
    for (const std::string& host : some) {
      if (others.contains(host)) continue;
      verdict += (verdict.empty() ? "" : " ") + std::string(1, sign) + host.substr(0, 3);
    }
  };
  add('+', new_hosts, old_hosts);
  add('-', old_hosts, new_hosts);
  return verdict.empty() ? "=" : verdict;
}

TEST(ReportDiff, SaysWhatIsKnownWhereTheOriginalsComparisonGuesses) {
  const Json failed = {{"error", "Authentication failed"}};
  const Json ours_failed = {{"error", "Timed out"}, {"format_version", 1}, {"outcome", "failed"}};
  const Json a = OurReport({{"v1", {kA}}});
  const Json ab = OurReport({{"v2", {kA, kB}}, {"v1", {kA}}});
  const Json partial_b = OurReport({{"v1", {kB}}}, "partial");
  const Json partial_none = OurReport({}, "partial");
  const Json a_cdn = OurReport({{"v1", {kA, kCdn}}});
  const struct {
    const char* what;
    Json before;
    Json after;
    std::string originals;
    std::string ours;
  } cases[] = {
      {"the same", a, a, "=", "="},
      {"one added", a, ab, "+b.s", "+b.s"},
      {"one removed", ab, a, "-b.s", "-b.s"},
      {"moved", a, OurReport({{"v1", {kB}}}), "+b.s -a.s", "+b.s -a.s"},
      {"a host that is not S3's added", a, a_cdn, "=", "+cdn"},
      {"a host that is not S3's removed", a_cdn, a, "=", "-cdn"},
      {"new failed", ab, failed, "-a.s -b.s", "trouble"},
      {"new failed, by scan", ab, ours_failed, "-a.s -b.s", "trouble"},
      {"old failed", failed, ab, "+a.s +b.s", "trouble"},
      {"both failed", failed, failed, "=", "trouble"},
      {"new partial", a, partial_b, "+b.s -a.s", "+b.s ?a.s"},
      {"new partial that saw nothing", ab, partial_none, "-a.s -b.s", "?a.s ?b.s"},
      {"old partial", partial_b, ab, "+a.s", "+a.s"},
      {"originals: the same", OriginalReport({kA}), OriginalReport({kA}), "=", "="},
      {"originals: one added", OriginalReport({kA}), OriginalReport({kA, kB}), "+b.s", "+b.s"},
      {"originals: one removed", OriginalReport({kA, kB}), OriginalReport({kA}), "-b.s", "-b.s"},
      {"originals: new failed", OriginalReport({kA}), failed, "-a.s", "trouble"},
      {"scan went deeper than the original", OriginalReport({kA}), ab, "+b.s", "+b.s"},
      {"the original is not as deep as scan", ab, OriginalReport({kA}), "-b.s", "?b.s"},
      {"the original cannot know it", a_cdn, OriginalReport({kA}), "=", "?cdn"},
  };
  for (const auto& [what, before, after, originals, ours] : cases) {
    EXPECT_EQ(OriginalVerdict(before, after), originals) << what;
    EXPECT_EQ(Verdict(before, after), ours) << what;
  }
}

TEST(ReportDiff, AFailedReportIsNamed) {
  const Json good = OurReport({{"v1", {kA}}});
  const Json failed = {{"error", "Authentication failed"}};
  EXPECT_EQ(Compare(good, failed).error().message,
            "new.json: it is of a scan that failed (Authentication failed): there is nothing to "
            "compare");
  EXPECT_THAT(Compare(failed, good).error().message, HasSubstr("old.json: "));
}

TEST(ReportDiff, ReportsOfDifferentRepositoriesAreNotCompared) {
  const Json before = OurReport({{"v1", {kA}}});
  Json after = before;
  after["repository"] = "team/other";
  EXPECT_EQ(Compare(before, after).error().message,
            "they are of different repositories: old.json of registry.example/team/app, new.json "
            "of registry.example/team/other");
  after = before;
  after["registry"] = "https://registry.example:5000";
  EXPECT_FALSE(Compare(before, after));
  for (const char* same : {"http://registry.example", "https://REGISTRY.example:443/v2/"}) {
    after["registry"] = same;
    EXPECT_TRUE(Compare(before, after)) << same;
  }
}

TEST(ReportDiff, OnlyBlobsAreHeldAgainstASample) {
  Json ours = OurReport({{"v1", {kA}}});
  ours["endpoints"].push_back(Endpoint("tokens", "auth.example"));
  EXPECT_EQ(Verdict(OriginalReport({kA}), ours), "=");
  EXPECT_EQ(Verdict(ours, OriginalReport({kA})), "=");
  EXPECT_EQ(Verdict(OurReport({{"v1", {kA}}}), ours), "+aut");
}

TEST(ReportDiff, AnotherRegionOrBucketOfTheSameHostIsAChange) {
  const auto with = [](const Json& more, const char* outcome = "complete") {
    Json report = OurReport({}, outcome);
    report["endpoints"].push_back(Endpoint("blobs", "s3.example", more));
    return report;
  };
  const Json east = with({{"bucket", "x"}, {"storage_region", "us-east-1"}});
  const Json west = with({{"bucket", "x"}, {"storage_region", "eu-west-1"}});
  EXPECT_EQ(Verdict(east, west), "~s3.");
  EXPECT_EQ(Verdict(east, with({{"bucket", ""}, {"storage_region", "us-east-1"}})), "~s3.");
  EXPECT_THAT(Rendered(east, west, DiffFormat::kText),
              HasSubstr("to do: Check that s3.example may still serve blobs: storage_region "
                        "us-east-1 became eu-west-1.\n"));
  EXPECT_EQ(Verdict(with({{"blobs", 5}}), with({{"blobs", 6}})), "=") << "a count is no change";
  // Of two buckets a partial scan may have seen one.
  EXPECT_EQ(Verdict(with({{"bucket", ""}}), with({{"bucket", "x"}}, "partial")), "=");
  EXPECT_EQ(Verdict(with({{"bucket", "x"}}, "partial"), with({{"bucket", ""}})), "=");
  EXPECT_EQ(Verdict(with({{"bucket", "x"}}), with({{"bucket", ""}}, "partial")), "~s3.");
}

TEST(ReportDiff, SaysWhichTagsNeedAnAddedHostAndSinceWhen) {
  Json before = OurReport({{"v1", {kA}}});
  before["finished_at"] = "2026-11-25T06:00:00Z";
  const Json after = OurReport({{"v2", {kB}}, {"v1", {kA, kB}}});
  EXPECT_THAT(Rendered(before, after, DiffFormat::kText),
              HasSubstr("to do: Allow b.s3.us-east-1.amazonaws.com before the next pull: it serves "
                        "blobs of 2 tags: v2, v1. Seen at 2026-11-26 06:00:00 UTC, not yet at "
                        "2026-11-25 06:00:00 UTC.\n"));
}

// `--num-tags` may have left them out: then the host is none that was not needed before.
TEST(ReportDiff, AHostOfTagsThatTheOldReportDoesNotHaveIsNotSaidToBeNew) {
  const Json before = OurReport({{"v3", {kA}}});
  const Json after = OurReport({{"v3", {kA}}, {"v2", {kB}}, {"v1", {kB}}});
  EXPECT_THAT(
      Rendered(before, after, DiffFormat::kText),
      AllOf(HasSubstr("to do: Allow b.s3.us-east-1.amazonaws.com before the next pull: it serves "
                      "blobs of 2 tags: v2, v1. No tag that needs it is in the old report: the "
                      "host may have been needed before.\n"),
            Not(HasSubstr("not yet at"))));
  const Json diff = Json::parse(Rendered(before, after, DiffFormat::kJson));
  EXPECT_EQ(diff["added"].at(0).at("tags_not_in_other"), 2);
}

TEST(ReportDiff, NamesTenTagsAndCountsTheRest) {
  testing::TagHosts tags;
  for (int i = 0; i < 12; ++i) tags.push_back({"t" + std::to_string(i), {kB}});
  EXPECT_THAT(Rendered(OurReport({}), OurReport(tags), DiffFormat::kText),
              AllOf(HasSubstr("12 tags: t0, t1, "), HasSubstr("t9, …"), Not(HasSubstr("t10"))));
}

TEST(ReportDiff, AHostThatWasAllowedForSomethingElseNeedsNothing) {
  const Json before = OurReport({{"v1", {kA}}});
  Json after = before;
  after["endpoints"].push_back(Endpoint("manifests", kA));
  EXPECT_EQ(Verdict(before, after), "+a.s");
  EXPECT_THAT(Rendered(before, after, DiffFormat::kText), Not(HasSubstr("to do")));
  EXPECT_THAT(Rendered(after, before, DiffFormat::kText), Not(HasSubstr("to do")));
}

TEST(ReportDiff, WhatOldImagesStillNeedIsSaid) {
  const Json before = OurReport({{"v2", {kA}}, {"v1", {kB}}});
  const Json gone = OurReport({{"v2", {kA}}});
  EXPECT_THAT(Rendered(before, gone, DiffFormat::kText),
              HasSubstr("remove it after 30 days without use. No tag that needed it is in the new "
                        "report"));
  const Json moved = OurReport({{"v2", {kA}}, {"v1", {kA}}});
  EXPECT_THAT(Rendered(before, moved, DiffFormat::kText),
              AllOf(HasSubstr("after 30 days without use."), Not(HasSubstr("No tag"))));
}

TEST(ReportDiff, NotesHowFarItCanBeTrusted) {
  const Json complete = OurReport({{"v1", {kA}}});
  const Json partial = OurReport({{"v1", {kB}}}, "partial");
  EXPECT_THAT(Rendered(complete, complete, DiffFormat::kText), Not(HasSubstr("mind:")));
  EXPECT_THAT(Rendered(complete, partial, DiffFormat::kText),
              AllOf(HasSubstr("mind: The new scan is partial"), HasSubstr("scan again completely"),
                    HasSubstr("3 of them unresolved")));
  EXPECT_THAT(Rendered(partial, complete, DiffFormat::kText),
              AllOf(HasSubstr("mind: The old scan is partial"),
                    HasSubstr("Make sure to have allowed a.s3")));
  EXPECT_THAT(Rendered(OriginalReport({kA}), complete, DiffFormat::kText),
              AllOf(HasSubstr("mind: The old report is the original tool's sample"),
                    HasSubstr("Only hosts of blobs")));
  EXPECT_THAT(Rendered(complete, OriginalReport({kA}), DiffFormat::kText),
              AllOf(HasSubstr("mind: The new report is the original tool's sample"),
                    HasSubstr("older than the old one")));
  EXPECT_THAT(Rendered(OriginalReport({kA}), OriginalReport({kA}), DiffFormat::kText),
              HasSubstr("mind: Both reports are the original tool's samples"));
}

TEST(ReportDiff, MarkdownIsExactlyThis) {
  Json before = OurReport({{"v1", {kA}}});
  before["finished_at"] = "2026-11-25T06:00:00Z";
  Json after = OurReport({{"v2", {kB}}, {"v1", {kB}}});
  after["endpoints"][1].update({{"provider", "s3"}, {"bucket", "b"}, {"blobs", 7}});
  EXPECT_EQ(Rendered(before, after, DiffFormat::kMarkdown),
            R"(### Hosts of `registry.example/team/app`: 1 added, 1 removed

| | report | finished | outcome | coverage |
|---|---|---|---|---|
| old | `old.json` | 2026-11-25 06:00:00 UTC | complete | 1 tags, 4 manifests, 40 blobs |
| new | `new.json` | 2026-11-26 06:00:00 UTC | complete | 2 tags, 4 manifests, 40 blobs |

**To do**

- Allow `b.s3.us-east-1.amazonaws.com` before the next pull: it serves blobs of 2 tags: `v2`, `v1`. Seen at 2026-11-26 06:00:00 UTC, not yet at 2026-11-25 06:00:00 UTC.
- Keep `a.s3.us-east-1.amazonaws.com` allowed for now, and remove it after 30 days without use.

**Added**

| host | serves | provider | bucket | region | blobs | needed by |
|---|---|---|---|---|---|---|
| `b.s3.us-east-1.amazonaws.com` | blobs | `s3` | `b` | – | 7 | 2 tags: `v2`, `v1` |

**Removed**

| host | serves | provider | bucket | region | blobs | needed by |
|---|---|---|---|---|---|---|
| `a.s3.us-east-1.amazonaws.com` | blobs | – | – | – | 1 | 1 tag: `v1` |

**Unchanged**

| host | serves | provider | bucket | region | blobs | needed by |
|---|---|---|---|---|---|---|
| `registry.example` | api | – | – | – | – | – |
)");
}

// Whatever a report holds, it stays within its code span, its cell and its line.
TEST(ReportDiff, StrangeBytesAreNoMarkup) {
  const std::string evil = "a|b`<img src=x onerror=y>`\n# c\\ **d** [e](http://f)\x1b[31m @g";
  Json before = OurReport({});
  before["repository"] = evil;
  Json after = OurReport({{evil, {kB}}});
  after["repository"] = evil;
  after["endpoints"][1].update({{"provider", evil}, {"bucket", evil}, {"storage_region", evil}});
  const std::string text = Rendered(before, after, DiffFormat::kMarkdown);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    bool quoted = false;
    for (const char c : line) {
      if (c == '`') quoted = !quoted;
      EXPECT_TRUE(quoted || (c != '<' && c != '[' && c != '@')) << line;
      EXPECT_FALSE(quoted && (c == '|' || c == '\\')) << line;
      EXPECT_NE(c, '\x1b');
    }
    EXPECT_FALSE(quoted) << line;
    EXPECT_NE(line.substr(0, 3), "# c");
  }
  const std::string plain = Rendered(before, after, DiffFormat::kText);
  EXPECT_EQ(plain.find('\x1b'), std::string::npos);
  EXPECT_EQ(plain.find("\n# c"), std::string::npos);
}

TEST(ReportDiff, JsonHasAllOfIt) {
  const Json before = OurReport({{"v1", {kA}}});
  const Json after = OurReport({{"v2", {kB}}}, "partial");
  const Json diff = Json::parse(Rendered(before, after, DiffFormat::kJson));
  EXPECT_EQ(diff["differs"], true);
  EXPECT_EQ(diff["registry"], "registry.example");
  EXPECT_EQ(diff["repository"], "team/app");
  EXPECT_EQ(diff["old"]["report"], "old.json");
  EXPECT_EQ(diff["new"]["outcome"], "partial");
  EXPECT_EQ(diff["new"]["finished_at"], "2026-11-26T06:00:00.000Z");
  EXPECT_EQ(diff["new"]["coverage"]["unresolved"], 3);
  EXPECT_EQ(diff["additions_certain"], true);
  EXPECT_EQ(diff["removals_certain"], false);
  ASSERT_EQ(diff["added"].size(), 1U);
  EXPECT_EQ(diff["added"][0]["backend_host"], kB);
  EXPECT_EQ(diff["added"][0]["old"], nullptr);
  EXPECT_EQ(diff["added"][0]["new"]["blobs"], 1);
  EXPECT_EQ(diff["added"][0]["tags"], Json::array({"v2"}));
  EXPECT_EQ(diff["not_seen"].size(), 1U);
  EXPECT_EQ(diff["unchanged"].size(), 1U);
  for (const char* empty : {"removed", "changed"}) EXPECT_EQ(diff[empty], Json::array());
  EXPECT_EQ(diff["notes"].size(), 1U);
  EXPECT_EQ(diff["actions"].size(), 2U);
}

}  // namespace
}  // namespace registry_backend
