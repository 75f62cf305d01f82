#include "exporter/inventory/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

HostPattern Pattern(std::string_view text) { return *HostPattern::Parse(text); }

EndpointKey Blobs(const std::string& host) { return {Serves::kBlobs, *Host::Parse(host)}; }

std::vector<HostPattern> Patterns(std::initializer_list<std::string_view> texts) {
  std::vector<HostPattern> patterns;
  for (const std::string_view text : texts) patterns.push_back(Pattern(text));
  return patterns;
}

TEST(HostPattern, IsShownInOneSpelling) {
  const struct {
    std::string_view text;
    std::string_view shown;
  } kCases[] = {
      {"cdn.example.com", "cdn.example.com"},
      {"CDN.Example.COM.", "cdn.example.com"},
      {"minio.corp:9000", "minio.corp:9000"},
      {"Minio.Corp.:9000", "minio.corp:9000"},
      {"cdn.example.com:443", "cdn.example.com"},
      {"cdn.example.com:80", "cdn.example.com"},
      {"cdn.example.com:4430", "cdn.example.com:4430"},
      {"cdn.example.com:08080", "cdn.example.com:8080"},
      {"10.0.0.1:5000", "10.0.0.1:5000"},
      {"2001:DB8:0:0::1", "[2001:db8::1]"},
      {"[2001:DB8::1]:5000", "[2001:db8::1]:5000"},
      {"[2001:db8::1]:443", "[2001:db8::1]"},
      {"2001:db8::443", "[2001:db8::443]"},
      {"localhost", "localhost"},
      {"my_bucket.s3.amazonaws.com", "my_bucket.s3.amazonaws.com"},
      {"b\xc3\xbc"
       "cher.example",
       "xn--bcher-kva.example"},
      {"B\xc3\x9c"
       "CHER.example:9000",
       "xn--bcher-kva.example:9000"},
      {"*.b\xc3\xbc"
       "cher.example",
       "*.xn--bcher-kva.example"},
      {"*.Example.NET.", "*.example.net"},
      {"*.example.net:443", "*.example.net"},
      {"*.example.net:9000", "*.example.net:9000"},
      {"*.corp", "*.corp"},
  };
  for (const auto& c : kCases) {
    const auto pattern = HostPattern::Parse(c.text);
    ASSERT_TRUE(pattern) << c.text << ": " << pattern.error().message;
    EXPECT_EQ(pattern->text(), c.shown);
    EXPECT_EQ(Pattern(c.shown), *pattern) << "and can be read again";
  }
}

TEST(HostPattern, RefusesWhatIsNone) {
  for (const std::string& text : {std::string(),
                                  std::string("*"),
                                  std::string("*."),
                                  std::string("*.*"),
                                  std::string("*.*.example.net"),
                                  std::string("**.example.net"),
                                  std::string("*example.net"),
                                  std::string("cdn*.example.net"),
                                  std::string("cdn.*.example.net"),
                                  std::string("cdn.example.*"),
                                  std::string("example.net*"),
                                  std::string("*.example.net:*"),
                                  std::string("*:9000"),
                                  std::string("*..example.net"),
                                  std::string("*. example.net"),
                                  std::string("*.10.0.0.1"),
                                  std::string("*.[2001:db8::1]"),
                                  std::string("*.2001:db8::1"),
                                  std::string("*.1"),
                                  std::string(".example.net"),
                                  std::string("a..b"),
                                  std::string("a.example, b.example"),
                                  std::string("a.example b.example"),
                                  std::string(" a.example"),
                                  std::string("a.example\n"),
                                  std::string("a.example:"),
                                  std::string("a.example:0"),
                                  std::string("a.example:65536"),
                                  std::string("a.example:https"),
                                  std::string("a.example:-1"),
                                  std::string("a.example:1:2"),
                                  std::string("https://a.example"),
                                  std::string("//a.example"),
                                  std::string("a.example/path"),
                                  std::string("a.example?q"),
                                  std::string("u:p@a.example"),
                                  std::string("a\\b.example"),
                                  std::string("10.0.0.0/8"),
                                  std::string("1.2.3"),
                                  std::string("a\0.example", 10),
                                  std::string("\xc3\xbc\0.example", 11),
                                  std::string("\xff\xfe.example"),
                                  std::string("\xef\xbc\x8a.example.net"),
                                  std::string("[a.example"),
                                  std::string(64, 'a') + ".example",
                                  std::string(5000, 'a')}) {
    const auto pattern = HostPattern::Parse(text);
    ASSERT_FALSE(pattern) << text << " is " << pattern->text();
    EXPECT_EQ(pattern.error().kind, ErrorKind::kInternal);
    EXPECT_LT(pattern.error().message.size(), 200U);
  }
}

TEST(HostPattern, DoesNotRepeatAUrlThatMayHoldASecret) {
  for (const std::string_view text :
       {"https://b.s3.amazonaws.com/x?X-Amz-Signature=hunter2", "u:hunter2@a.example",
        "a.example?sig=hunter2", "a.example#hunter2", "\\\\hunter2"}) {
    EXPECT_THAT(HostPattern::Parse(text).error().message, Not(HasSubstr("hunter2"))) << text;
  }
}

TEST(HostPattern, Matches) {
  const struct {
    std::string_view pattern;
    std::string_view host;
    bool matches;
  } kCases[] = {
      {"cdn.example.com", "cdn.example.com", true},
      {"CDN.example.com.", "cdn.example.com", true},
      {"cdn.example.com", "a.cdn.example.com", false},
      {"cdn.example.com", "cdn.example.com.evil.example", false},
      {"cdn.example.com", "xcdn.example.com", false},
      {"cdn.example.com", "cdn.example.com:9000", false},
      {"cdn.example.com:443", "cdn.example.com", true},
      {"minio.corp:9000", "minio.corp:9000", true},
      {"minio.corp:9000", "minio.corp", false},
      {"minio.corp:9000", "minio.corp:9001", false},
      {"minio.corp:9000", "minio.corp:90001", false},
      {"*.example.net", "a.example.net", true},
      {"*.example.net", "a.b.example.net", true},
      {"*.example.net", "example.net", false},
      {"*.example.net", "badexample.net", false},
      {"*.example.net", "a.example.net.evil.example", false},
      {"*.example.net", "a.example.net:9000", false},
      {"*.example.net:9000", "a.example.net:9000", true},
      {"*.example.net:9000", "a.example.net", false},
      {"*.example.net:9000", "example.net:9000", false},
      {"*.example.net:9000", "a.example.net:19000", false},
      {"*.b\xc3\xbc"
       "cher.example",
       "cdn.xn--bcher-kva.example", true},
      {"*.net", "a.example.net", true},
      {"[2001:DB8::1]", "[2001:db8::1]", true},
      {"2001:db8::1", "[2001:db8::1]:5000", false},
      {"*.example.net", "10.0.0.1", false},
  };
  for (const auto& c : kCases) {
    const auto host = Host::Parse(c.host);
    if (!host) continue;  // a port that cannot be
    EXPECT_EQ(Pattern(c.pattern).Matches(*host), c.matches) << c.pattern << " " << c.host;
  }
}

TEST(HostPattern, KnowsWhenItIsForAWholeCloud) {
  for (const std::string_view text : {"*.amazonaws.com",
                                      "*.s3.amazonaws.com",
                                      "*.us-east-1.amazonaws.com",
                                      "*.s3.us-east-1.amazonaws.com",
                                      "*.s3.dualstack.us-east-1.amazonaws.com",
                                      "*.s3.us-gov-west-1.amazonaws.com",
                                      "*.s3-us-west-2.amazonaws.com",
                                      "*.s3-accelerate.amazonaws.com",
                                      "*.dkr.ecr.eu-west-1.amazonaws.com",
                                      "*.amazonaws.com.cn",
                                      "*.s3.cn-north-1.amazonaws.com.cn",
                                      "*.amazonaws.com:9000",
                                      "*.cloudfront.net",
                                      "*.windows.net",
                                      "*.core.windows.net",
                                      "*.blob.core.windows.net",
                                      "*.googleapis.com",
                                      "*.storage.googleapis.com",
                                      "*.cloudflarestorage.com",
                                      "*.r2.cloudflarestorage.com",
                                      "*.eu.r2.cloudflarestorage.com",
                                      "*.r2.dev",
                                      "*.digitaloceanspaces.com",
                                      "*.nyc3.digitaloceanspaces.com",
                                      "*.nyc3.cdn.digitaloceanspaces.com",
                                      "*.backblazeb2.com",
                                      "*.s3.us-west-001.backblazeb2.com",
                                      "*.wasabisys.com",
                                      "*.s3.eu-central-1.wasabisys.com",
                                      "*.akamaized.net",
                                      "*.fastly.net",
                                      "*.azurecr.io",
                                      "*.github.io",
                                      "*.com",
                                      "*.co.uk",
                                      "*.AmazonAWS.com."}) {
    EXPECT_TRUE(Pattern(text).IsWholeCloud()) << text;
  }
  for (const std::string_view text :
       {"s3.amazonaws.com", "cdn.example.com", "*.example.net", "*.example.co.uk", "*.corp",
        "*.internal", "*.localhost", "*.bucket.s3.amazonaws.com",
        "*.bucket.s3.us-east-1.amazonaws.com", "*.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "*.account.blob.core.windows.net", "*.d111111abcdef8.cloudfront.net", "*.evilamazonaws.com",
        "*.amazonaws.com.example", "*.docker.io", "*.hashicorp.com"}) {
    EXPECT_FALSE(Pattern(text).IsWholeCloud()) << text;
  }
}

TEST(ParseHostList, ReadsOneALine) {
  const auto list = ParseHostList(
      "\xEF\xBB\xBF*.example.net\r\n"
      "\n"
      "# of team platform\n"
      "   \t\n"
      "  CDN.example.com:443  # until June\n"
      "#minio.corp\n"
      "minio.corp:9000");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(*list, Patterns({"*.example.net", "cdn.example.com", "minio.corp:9000"}));
}

TEST(ParseHostList, MayBeEmpty) {
  for (const std::string_view text : {"", "\n\n", "# nothing yet", " \r\n#\n"}) {
    const auto list = ParseHostList(text);
    ASSERT_TRUE(list) << list.error().message;
    EXPECT_THAT(*list, IsEmpty());
  }
}

TEST(ParseHostList, NamesTheLineThatIsWrong) {
  const auto list = ParseHostList("a.example\n\n# b\nb.*.example\nc*\n");
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().message,
            "line 4: 'b.*.example' is no host to approve: a * can only be its whole first label");
  EXPECT_THAT(ParseHostList("a.example b.example").error().message, HasSubstr("line 1: "));
}

TEST(Policy, AHostIsApprovedByAnyEntryOrAsTheTargetsOwn) {
  const Policy policy{.approved_hosts = Patterns({"cdn.example.com", "*.example.net"})};
  const auto approved = [&policy](const std::string& host) {
    return IsApproved(policy, *Host::Parse(host), "registry.example:5000");
  };
  EXPECT_EQ(approved("cdn.example.com"), true);
  EXPECT_EQ(approved("a.b.example.net"), true);
  EXPECT_EQ(approved("registry.example:5000"), true);
  EXPECT_EQ(approved("registry.example"), false) << "another port is another server";
  EXPECT_EQ(approved("example.net"), false);
  EXPECT_EQ(approved("evil.example"), false);
}

TEST(Policy, ARegionIsAllowedByItsName) {
  const Policy policy{.allowed_regions = {"us-east-1", "EU-West-1"}};
  const auto allowed = [](const Policy& by, const std::string& region) {
    return IsRegionAllowed(by, Serves::kBlobs, {.storage_region = region});
  };
  EXPECT_EQ(allowed(policy, "us-east-1"), true);
  EXPECT_EQ(allowed(policy, "eu-west-1"), true);
  EXPECT_EQ(allowed(policy, "us-east-10"), false);
  EXPECT_EQ(allowed(policy, ""), false) << "what is not known is not allowed";
  Policy lenient = policy;
  lenient.allowed_regions.emplace_back("unknown");
  EXPECT_EQ(allowed(lenient, ""), true);
  EXPECT_EQ(allowed(lenient, "us-west-2"), false);
  for (const Serves serves : {Serves::kApi, Serves::kTokens, Serves::kManifests}) {
    EXPECT_EQ(IsRegionAllowed(policy, serves, {}), std::nullopt) << "only blobs are kept anywhere";
  }
}

TEST(Policy, AnEmptyListJudgesNothing) {
  EXPECT_EQ(IsApproved({}, *Host::Parse("registry.example"), "registry.example"), std::nullopt);
  EXPECT_EQ(IsRegionAllowed({}, Serves::kBlobs, {.storage_region = "us-east-1"}), std::nullopt);
  TargetState state;
  state.baseline = WallTime(std::chrono::hours(1));
  state.endpoints[Blobs("cdn.example.com")] = {};
  EXPECT_THAT(ApprovedHostsObserved({}, state), IsEmpty());
}

TEST(Policy, AnEntryIsObservedWhereAnEndpointThatIsPresentNeedsIt) {
  const Policy policy{.approved_hosts = Patterns({"*.example.net", "gone.example", "never.example",
                                                  "registry.example", "REGISTRY.example:443"})};
  TargetState state;
  state.endpoints[{Serves::kApi, *Host::Parse("registry.example")}] = {};
  state.endpoints[Blobs("a.example.net")] = {};
  state.endpoints[Blobs("gone.example")] = {.absent_since = WallTime(std::chrono::hours(1))};
  EXPECT_THAT(ApprovedHostsObserved(policy, state), IsEmpty()) << "before the baseline";
  state.baseline = WallTime(std::chrono::hours(1));
  EXPECT_THAT(ApprovedHostsObserved(policy, state),
              ElementsAre(Pair("*.example.net", true), Pair("gone.example", false),
                          Pair("never.example", false), Pair("registry.example", true)));
}

}  // namespace
}  // namespace registry_backend
