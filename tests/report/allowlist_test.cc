#include "exporter/report/allowlist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "exporter/inventory/policy.h"
#include "tests/report/reports.h"

namespace registry_backend {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;

const WallTime kScanned = WallTime(seconds(1'795'672'800));  // 2026-11-26 06:00:00
const WallTime kLater = kScanned + std::chrono::hours(1);

constexpr AllowlistFormat kAll[] = {AllowlistFormat::kPlain, AllowlistFormat::kJson,
                                    AllowlistFormat::kSquid, AllowlistFormat::kCilium,
                                    AllowlistFormat::kConfig};

EndpointKey Key(Serves serves, std::string_view host) { return {serves, *Host::Parse(host)}; }

// After a complete scan, and a partial one an hour later.
TargetState State(const std::vector<EndpointKey>& present) {
  TargetState state;
  for (const EndpointKey& key : present) state.endpoints[key] = {.first_seen = kScanned};
  state.baseline = kScanned;
  state.last_success = kScanned;
  state.newest =
      ScanSummary{.outcome = ScanOutcome::kPartial, .finished = kLater, .coverage = 0.9996};
  return state;
}

AllowlistTarget Target(const std::vector<EndpointKey>& present) {
  return AllowlistTargetOf("registry.example", "team/app", State(present));
}

// Names, a host at another port, and addresses.
AllowlistTarget Mixed() {
  return Target({Key(Serves::kApi, "registry.example"), Key(Serves::kTokens, "auth.example"),
                 Key(Serves::kManifests, "auth.example"), Key(Serves::kBlobs, "minio.corp:9000"),
                 Key(Serves::kBlobs, "minio.corp"), Key(Serves::kBlobs, "192.0.2.7:8080"),
                 Key(Serves::kBlobs, "[2001:db8::7]:8443")});
}

std::string List(const std::vector<AllowlistTarget>& targets, AllowlistFormat format) {
  const Result<std::string> list = MakeAllowlist(targets, format);
  EXPECT_TRUE(list) << list.error().message;
  return list ? *list : std::string();
}

// Without comments.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("#")) lines.push_back(line);
  }
  return lines;
}

TEST(Allowlist, PlainIsEachHostOnceAndInOrder) {
  EXPECT_THAT(
      Lines(List({Mixed()}, AllowlistFormat::kPlain)),
      ElementsAre("auth.example", "minio.corp", "registry.example", "192.0.2.7", "2001:db8::7"));
}

TEST(Allowlist, IsHeadedByWhenItWasSeenAndHowCompletely) {
  const std::string seen =
      "# - registry.example/team/app: last complete scan 2026-11-26 06:00:00 UTC; newest scan "
      "2026-11-26 07:00:00 UTC, partial, coverage 99.9 %\n";
  for (const AllowlistFormat format : kAll) {
    if (format == AllowlistFormat::kJson) continue;
    EXPECT_THAT(List({Mixed()}, format), HasSubstr(seen));
  }
  AllowlistTarget dropped = Mixed();
  dropped.dropped = 3;
  EXPECT_THAT(List({dropped}, AllowlistFormat::kPlain),
              HasSubstr("INCOMPLETE: 3 hosts did not fit max_endpoints"));
}

TEST(Allowlist, SquidAndCiliumAndPlainHaveNoPorts) {
  for (const AllowlistFormat format :
       {AllowlistFormat::kPlain, AllowlistFormat::kSquid, AllowlistFormat::kCilium}) {
    const std::string list = List({Mixed()}, format);
    for (const char* port : {"9000", "8080", "8443"}) EXPECT_THAT(list, Not(HasSubstr(port)));
    EXPECT_THAT(list, HasSubstr("# Some are at another port"));
    EXPECT_THAT(List({Target({Key(Serves::kApi, "a.example")})}, format),
                Not(HasSubstr("another port")));
  }
}

TEST(Allowlist, SquidHasOneAclForNamesAndOneForAddresses) {
  EXPECT_THAT(Lines(List({Mixed()}, AllowlistFormat::kSquid)),
              ElementsAre("acl registry_backend_hosts dstdomain -n auth.example",
                          "acl registry_backend_hosts dstdomain -n minio.corp",
                          "acl registry_backend_hosts dstdomain -n registry.example",
                          "acl registry_backend_addresses dst -n 192.0.2.7",
                          "acl registry_backend_addresses dst -n 2001:db8::7"));
}

TEST(Allowlist, CiliumAllowsNamesAndAddressesByRulesOfTheirOwn) {
  const std::string list = List({Mixed()}, AllowlistFormat::kCilium);
  EXPECT_THAT(list, HasSubstr("    - toFQDNs:\n"
                              "        - matchName: \"auth.example\"\n"
                              "        - matchName: \"minio.corp\"\n"
                              "        - matchName: \"registry.example\"\n"
                              "    - toCIDR:\n"
                              "        - \"192.0.2.7/32\"\n"
                              "        - \"2001:db8::7/128\"\n"));
  EXPECT_THAT(List({Target({Key(Serves::kApi, "192.0.2.7")})}, AllowlistFormat::kCilium),
              Not(HasSubstr("toFQDNs:")));
  EXPECT_THAT(List({Target({Key(Serves::kApi, "a.example")})}, AllowlistFormat::kCilium),
              Not(HasSubstr("toCIDR")));
}

TEST(Allowlist, ConfigApprovesEachHostAsItIs) {
  const AllowlistTarget target = Mixed();
  const std::vector<std::string> lines = Lines(List({target}, AllowlistFormat::kConfig));
  ASSERT_GT(lines.size(), 2U);
  EXPECT_EQ(lines[0], "policy:");
  EXPECT_EQ(lines[1], "  approved_hosts:");
  Policy policy;
  for (std::size_t i = 2; i < lines.size(); ++i) {
    std::smatch entry;
    ASSERT_TRUE(std::regex_match(lines[i], entry, std::regex("    - \"(.*)\""))) << lines[i];
    const Result<HostPattern> pattern = HostPattern::Parse(entry[1].str());
    ASSERT_TRUE(pattern) << pattern.error().message;
    policy.approved_hosts.push_back(*pattern);
  }
  EXPECT_EQ(policy.approved_hosts.size(), 6U);
  for (const EndpointKey& key : target.endpoints) {
    EXPECT_EQ(IsApproved(policy, key.backend_host, ""), true) << key.backend_host.text();
  }
}

TEST(Allowlist, JsonHasPortsAndWhatHostsServe) {
  const Json list = Json::parse(List({Mixed()}, AllowlistFormat::kJson));
  ASSERT_EQ(list["targets"].size(), 1U);
  EXPECT_EQ(list["targets"][0]["registry"], "registry.example");
  EXPECT_EQ(list["targets"][0]["last_complete_scan"], "2026-11-26T06:00:00.000Z");
  EXPECT_EQ(list["targets"][0]["newest_scan"]["outcome"], "partial");
  EXPECT_EQ(list["targets"][0]["newest_scan"]["coverage_ratio"], 0.9996);
  std::map<std::string, Json> serves;
  for (const Json& host : list["hosts"]) serves[host["backend_host"]] = host["serves"];
  EXPECT_EQ(serves.size(), 6U);
  EXPECT_EQ(serves["auth.example"], Json::array({"tokens", "manifests"}));
  EXPECT_EQ(serves["[2001:db8::7]:8443"], Json::array({"blobs"}));
}

TEST(Allowlist, OfSeveralTargetsIsTheHostsOfAll) {
  AllowlistTarget other =
      Target({Key(Serves::kApi, "other.example"), Key(Serves::kBlobs, "minio.corp")});
  other.registry = "other.example";
  const std::string list = List({Mixed(), other}, AllowlistFormat::kPlain);
  EXPECT_THAT(Lines(list), ElementsAre("auth.example", "minio.corp", "other.example",
                                       "registry.example", "192.0.2.7", "2001:db8::7"));
  EXPECT_THAT(list, AllOf(HasSubstr("# - registry.example/team/app: "),
                          HasSubstr("# - other.example/team/app: ")));
  EXPECT_THAT(List({Mixed(), other}, AllowlistFormat::kConfig), HasSubstr("--target"));
}

TEST(Allowlist, LeavesOutWhatIsAbsent) {
  TargetState state = State({Key(Serves::kApi, "a.example"), Key(Serves::kBlobs, "gone.example")});
  state.endpoints.at(Key(Serves::kBlobs, "gone.example")).absent_since = kLater;
  EXPECT_THAT(Lines(List({AllowlistTargetOf("a.example", "x", state)}, AllowlistFormat::kPlain)),
              ElementsAre("a.example"));
}

TEST(Allowlist, IsNotMadeBeforeTheBaselineOfEveryTarget) {
  TargetState fresh = State({Key(Serves::kApi, "a.example")});
  fresh.baseline.reset();
  const AllowlistTarget not_ready = AllowlistTargetOf("a.example", "x", fresh);
  for (const AllowlistFormat format : kAll) {
    EXPECT_FALSE(MakeAllowlist({}, format));
    EXPECT_FALSE(MakeAllowlist({not_ready}, format));
    const Result<std::string> list = MakeAllowlist({Mixed(), not_ready}, format);
    ASSERT_FALSE(list);
    EXPECT_THAT(list.error().message, AllOf(HasSubstr("a.example/x: there is no complete scan yet"),
                                            Not(HasSubstr("team/app"))));
  }
  fresh.baseline = kScanned;
  fresh.last_success.reset();  // the third partial scan was the baseline
  EXPECT_THAT(List({AllowlistTargetOf("a.example", "x", fresh)}, AllowlistFormat::kPlain),
              HasSubstr("no complete scan yet; newest scan 2026-11-26 07:00:00 UTC, partial"));
}

TEST(Allowlist, OfAReportWantsACompleteScan) {
  const auto list_of = [](const Json& report) {
    return MakeAllowlist({AllowlistTargetOf(testing::Read(report.dump())->front())},
                         AllowlistFormat::kPlain);
  };
  const Result<std::string> complete = list_of(testing::OurReport({{"v1", {"cdn.example"}}}));
  ASSERT_TRUE(complete) << complete.error().message;
  EXPECT_THAT(Lines(*complete), ElementsAre("cdn.example", "registry.example"));
  EXPECT_THAT(*complete, HasSubstr("last complete scan 2026-11-26 06:00:00 UTC; newest scan "
                                   "2026-11-26 06:00:00 UTC, complete, coverage 100.0 %"));
  const std::pair<Json, const char*> others[] = {
      {testing::OurReport({{"v1", {"cdn.example"}}}, "partial"), "partial scan"},
      {testing::OriginalReport({"a.s3.amazonaws.com"}), "a sample"},
      {{{"error", "Authentication failed"}}, "Authentication failed"},
  };
  for (const auto& [report, why] : others) {
    const Result<std::string> list = list_of(report);
    ASSERT_FALSE(list);
    EXPECT_THAT(list.error().message, HasSubstr(why));
  }
}

TEST(Allowlist, OfManyTargetsThatAreNotReadyTheFirstTenAreNamed) {
  std::vector<AllowlistTarget> targets;
  for (int i = 0; i < 3000; ++i) {
    targets.push_back(AllowlistTargetOf("registry.example", "r" + std::to_string(i), {}));
  }
  const std::string why = MakeAllowlist(targets, AllowlistFormat::kPlain).error().message;
  EXPECT_THAT(why, AllOf(HasSubstr("registry.example/r9: there is no complete scan yet"),
                         Not(HasSubstr("r10:")), ::testing::EndsWith("; and 2990 more")));
  targets.resize(11);
  EXPECT_THAT(MakeAllowlist(targets, AllowlistFormat::kPlain).error().message,
              ::testing::EndsWith("; and 1 more"));
  targets.resize(10);
  EXPECT_THAT(MakeAllowlist(targets, AllowlistFormat::kPlain).error().message,
              Not(HasSubstr("more")));
}

TEST(Allowlist, AStrangeNameStaysInItsComment) {
  AllowlistTarget target = Mixed();
  target.repository = "x\nevil.example";
  for (const AllowlistFormat format : kAll) {
    for (const std::string& line : Lines(List({target}, format))) {
      EXPECT_FALSE(line.starts_with("evil.example")) << line;
    }
  }
}

TEST(Allowlist, FormatsGoByTheirNames) {
  EXPECT_EQ(ParseAllowlistFormat("squid"), AllowlistFormat::kSquid);
  EXPECT_EQ(ParseAllowlistFormat("Squid"), std::nullopt);
  EXPECT_EQ(ParseAllowlistFormat(""), std::nullopt);
  EXPECT_EQ(AllowlistMediaType(AllowlistFormat::kJson), "application/json");
}

}  // namespace
}  // namespace registry_backend
