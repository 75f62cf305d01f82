#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/metrics/exposition.h"
#include "exporter/metrics/families.h"

namespace registry_backend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const WallTime kBaseline = WallTime(std::chrono::hours(500'000));

EndpointKey Endpoint(Serves serves, const std::string& host) {
  return {serves, *Host::Parse(host)};
}

// The registry, its token service, a bucket that is there and one that is gone.
TargetSnapshot Target() {
  TargetSnapshot target{.name = "app", .registry = "r.example:5000", .repository = "team/app"};
  auto& endpoints = target.state.endpoints;
  endpoints[Endpoint(Serves::kApi, "r.example:5000")] = {};
  endpoints[Endpoint(Serves::kBlobs, "r.example:5000")] = {};
  endpoints[Endpoint(Serves::kTokens, "auth.example")] = {};
  endpoints[Endpoint(Serves::kBlobs, "b.cdn.example")] = {.info = {.storage_region = "us-east-1"}};
  endpoints[Endpoint(Serves::kBlobs, "old.example")] = {.info = {.storage_region = "us-west-2"},
                                                        .absent_since = kBaseline};
  target.state.baseline = kBaseline;
  return target;
}

std::shared_ptr<const Policy> Approving(std::initializer_list<std::string_view> hosts) {
  Policy policy;
  for (const std::string_view host : hosts) {
    policy.approved_hosts.push_back(*HostPattern::Parse(host));
  }
  return std::make_shared<const Policy>(std::move(policy));
}

// What a scraper reads of the families whose names have one of `parts` in them.
std::string Exposition(const std::vector<TargetSnapshot>& targets,
                       std::initializer_list<std::string_view> parts) {
  Snapshot snapshot;
  for (const TargetSnapshot& target : targets) {
    snapshot.targets.push_back(std::make_shared<const TargetSnapshot>(target));
  }
  std::vector<prometheus::MetricFamily> families = TargetFamilies(snapshot);
  std::erase_if(families, [&](const prometheus::MetricFamily& family) {
    return std::ranges::none_of(
        parts, [&](std::string_view part) { return family.name.find(part) != std::string::npos; });
  });
  return WriteExposition(families, ExpositionFormat::kText);
}

std::string PolicyText(const TargetSnapshot& target) {
  return Exposition({target}, {"approved", "region_allowed"});
}

TEST(PolicyFamilies, SayWhetherEachEndpointIsApproved) {
  TargetSnapshot target = Target();
  target.policy = Approving({"*.CDN.example", "old.example", "spare.example"});
  const std::string expected =
      R"(# HELP registry_backend_endpoint_approved Whether the host is an approved one, where approved hosts are set.
# TYPE registry_backend_endpoint_approved gauge
registry_backend_endpoint_approved{registry="r.example:5000",repository="team/app",serves="api",backend_host="r.example:5000"} 1
registry_backend_endpoint_approved{registry="r.example:5000",repository="team/app",serves="tokens",backend_host="auth.example"} 0
registry_backend_endpoint_approved{registry="r.example:5000",repository="team/app",serves="blobs",backend_host="b.cdn.example"} 1
registry_backend_endpoint_approved{registry="r.example:5000",repository="team/app",serves="blobs",backend_host="old.example"} 1
registry_backend_endpoint_approved{registry="r.example:5000",repository="team/app",serves="blobs",backend_host="r.example:5000"} 1
# HELP registry_backend_approved_host_observed Whether a pull needs a host that this entry of the approved hosts is for.
# TYPE registry_backend_approved_host_observed gauge
registry_backend_approved_host_observed{registry="r.example:5000",repository="team/app",approved_host="*.cdn.example"} 1
registry_backend_approved_host_observed{registry="r.example:5000",repository="team/app",approved_host="old.example"} 0
registry_backend_approved_host_observed{registry="r.example:5000",repository="team/app",approved_host="spare.example"} 0
)";
  EXPECT_EQ(PolicyText(target), expected);
  target.state.baseline.reset();
  EXPECT_EQ(PolicyText(target),
            expected.substr(0, expected.find("# HELP registry_backend_approved_host_observed")))
      << "before the baseline no entry can be called unused";
}

TEST(PolicyFamilies, SayWhetherBlobsAreInAnAllowedRegion) {
  TargetSnapshot target = Target();
  target.policy = std::make_shared<const Policy>(Policy{.allowed_regions = {"us-east-1"}});
  EXPECT_EQ(
      PolicyText(target),
      R"(# HELP registry_backend_endpoint_region_allowed Whether the blobs are kept in an allowed region, where allowed regions are set.
# TYPE registry_backend_endpoint_region_allowed gauge
registry_backend_endpoint_region_allowed{registry="r.example:5000",repository="team/app",serves="blobs",backend_host="b.cdn.example"} 1
registry_backend_endpoint_region_allowed{registry="r.example:5000",repository="team/app",serves="blobs",backend_host="old.example"} 0
registry_backend_endpoint_region_allowed{registry="r.example:5000",repository="team/app",serves="blobs",backend_host="r.example:5000"} 0
)");
}

TEST(PolicyFamilies, AreOnlyThereWhereAPolicyIsSet) {
  TargetSnapshot target = Target();
  EXPECT_EQ(PolicyText(target), "");
  target.policy = std::make_shared<const Policy>();
  EXPECT_EQ(PolicyText(target), "");
  TargetSnapshot other = Target();
  other.registry = "other.example";
  other.policy = Approving({"a.example"});
  const std::string text = Exposition({target, other}, {"approved"});
  EXPECT_THAT(text, HasSubstr("registry=\"other.example\""));
  EXPECT_THAT(text, Not(HasSubstr("registry=\"r.example:5000\"")));
}

TEST(PolicyFamilies, JudgeWhatIsKnownByThePolicyOfTheMoment) {
  TargetSnapshot target = Target();
  const std::string token_service = "serves=\"tokens\",backend_host=\"auth.example\"} ";
  target.policy = Approving({"a.example"});
  EXPECT_THAT(PolicyText(target), HasSubstr(token_service + "0"));
  target.policy = Approving({"auth.example"});
  EXPECT_THAT(PolicyText(target), HasSubstr(token_service + "1"));
}

TEST(TagFamilies, TellTheNewestTags) {
  TargetSnapshot target = Target();
  EXPECT_EQ(Exposition({target}, {"_tag_"}), "");
  target.state.tags = {{"v2", "type/index", "linux/amd64,linux/arm64", 9},
                       {"v1", "type/image", "", 0}};
  EXPECT_EQ(
      Exposition({target}, {"_tag_"}),
      R"(# HELP registry_backend_tag_info One of the newest tags, by its manifest's type and its images' platforms.
# TYPE registry_backend_tag_info gauge
registry_backend_tag_info{registry="r.example:5000",repository="team/app",tag="v2",media_type="type/index",platforms="linux/amd64,linux/arm64"} 1
registry_backend_tag_info{registry="r.example:5000",repository="team/app",tag="v1",media_type="type/image",platforms=""} 1
# HELP registry_backend_tag_blobs Unique blobs below one of the newest tags.
# TYPE registry_backend_tag_blobs gauge
registry_backend_tag_blobs{registry="r.example:5000",repository="team/app",tag="v2"} 9
registry_backend_tag_blobs{registry="r.example:5000",repository="team/app",tag="v1"} 0
)");
}

}  // namespace
}  // namespace registry_backend
