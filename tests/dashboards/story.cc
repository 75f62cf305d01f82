#include "tests/dashboards/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace registry_backend::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr const char* kEastLayers =
    "prod-us-east-1-starport-layer-bucket.s3.dualstack.us-east-1.amazonaws.com";
constexpr const char* kWestLayers =
    "prod-us-west-2-starport-layer-bucket.s3.dualstack.us-west-2.amazonaws.com";
constexpr const char* kCloudFront = "d2pzqrh4kt1x7u.cloudfront.net";
constexpr const char* kCloudflare = "production.cloudflare.docker.com";
constexpr const char* kR2 = "docker-images-prod.8f2c1d07b4a94e63.r2.cloudflarestorage.com";
constexpr const char* kGoogle = "storage.googleapis.com";
constexpr const char* kGitLabCdn = "cdn.registry.gitlab-static.net";

Policy Allow(const std::vector<std::string>& hosts, std::vector<std::string> regions = {}) {
  Policy policy;
  for (const std::string& host : hosts) policy.approved_hosts.push_back(*HostPattern::Parse(host));
  policy.allowed_regions = std::move(regions);
  return policy;
}

// Names from `newest` down to number 1.
template <typename Name>
std::vector<std::string> Tags(int newest, Name name) {
  std::vector<std::string> tags;
  for (int i = newest; i > 0; --i) tags.push_back(name(i));
  return tags;
}

// HashiCorp's own, where another region takes part from yesterday on.
Situation TerraformEnterprise(Day day) {
  Situation now;
  const double west = day < 6.3 ? 0 : 0.18;
  now.hosts = {{Serves::kApi, "images.releases.hashicorp.com", 0, "direct"},
               {Serves::kBlobs, kEastLayers, 1 - west}};
  if (west > 0) now.hosts.push_back({Serves::kBlobs, kWestLayers, west});
  const int releases = 34 + (day > 1.4) + (day > 4.6);
  now.tags = Tags(releases, [](int i) {
    return i > 30 ? fmt::format("1.{}.0", i - 31)
                  : fmt::format("v{}{:02}-1", 2024 + i / 12, 1 + i % 12);
  });
  return now;
}

// Docker Hub: a CDN is added, another one left.
Situation DockerHub(Day day) {
  Situation now;
  now.hosts = {{Serves::kApi, "registry-1.docker.io", 0, "direct"},
               {Serves::kTokens, "auth.docker.io"},
               {Serves::kBlobs, kR2, 0.5}};
  if (day < 4.8) now.hosts.push_back({Serves::kBlobs, kCloudflare, day < 2.2 ? 0.5 : 0.2});
  if (day >= 2.2) now.hosts.push_back({Serves::kBlobs, kCloudFront, day < 4.8 ? 0.3 : 0.5});
  const int builds = 24 + static_cast<int>(std::max(0.0, day + 2) / 1.5);
  now.tags = Tags(builds, [](int i) { return fmt::format("1.29.{}", i); });
  return now;
}

// GitLab: a CDN takes over by and by.
Situation GitLab(Day day) {
  double cdn = 0;
  for (const auto& [since, share] : std::vector<std::pair<Day, double>>{
           {0.8, 0.01}, {1.7, 0.05}, {2.6, 0.2}, {3.7, 0.6}, {5.1, 1}}) {
    if (day >= since) cdn = share;
  }
  Situation now;
  now.hosts = {{Serves::kApi, "registry.gitlab.com", 0, "direct"}, {Serves::kTokens, "gitlab.com"}};
  if (cdn < 1) now.hosts.push_back({Serves::kBlobs, kGoogle, 1 - cdn});
  if (cdn > 0) now.hosts.push_back({Serves::kBlobs, kGitLabCdn, cdn});
  now.tags =
      Tags(18 + (day > 3), [](int i) { return fmt::format("alpine-v18.{}.{}", i / 3, i % 3); });
  return now;
}

// Quay: for a day much of what is asked for gets no answer; on another it is asked too often.
Situation Quay(Day day) {
  Situation now;
  now.hosts = {{Serves::kApi, "quay.io", 0, "direct"},
               {Serves::kTokens, "quay.io"},
               {Serves::kBlobs, "cdn01.quay.io", 0.5},
               {Serves::kBlobs, "cdn02.quay.io", 0.3},
               {Serves::kBlobs, "cdn03.quay.io", 0.2}};
  now.tags = Tags(28 + static_cast<int>(std::max(0.0, day) / 3),
                  [](int i) { return fmt::format("v3.{}.{}", i / 4, i % 4); });
  if (day >= 1.55 && day < 2.5) {
    now.trouble = {ErrorKind::kTimeout, "https://quay.io/v2/…: no answer within 30s",
                   day < 1.9 ? 0.38 : 0.12};
  } else if (day >= 4.1 && day < 4.3) {
    now.trouble = {ErrorKind::kRateLimited, "https://quay.io/v2/…: 429 Too Many Requests", 0.05};
  }
  return now;
}

// A registry of one's own, that refuses its password for a day, and since this night once more.
Situation Harbor(Day day) {
  Situation now;
  now.hosts = {{Serves::kApi, "harbor.corp.example:8443", 0, "direct"},
               {Serves::kTokens, "harbor.corp.example:8443"},
               {Serves::kBlobs, "harbor.corp.example:8443", 1, "direct"}};
  now.tags = Tags(12 + static_cast<int>(std::max(0.0, day)),
                  [](int i) { return fmt::format("2026.{}.0", i); });
  if ((day >= 3.1 && day < 4.1) || day >= 6.6) {
    now.trouble = {ErrorKind::kAuth, "https://harbor.corp.example:8443/v2/…: 401 Unauthorized", 1};
  }
  return now;
}

// Kubernetes' registry, that redirects manifests as well, and on two days by another bucket.
Situation Kubernetes(Day day) {
  Situation now;
  const std::string prefix = "prod-registry-k8s-io-";
  now.hosts = {{Serves::kApi, "registry.k8s.io", 0, "direct"},
               {Serves::kManifests, "us-east4-docker.pkg.dev"},
               {Serves::kBlobs, prefix + "us-east-1.s3.dualstack.us-east-1.amazonaws.com", 1}};
  if (day >= 3.4 && day < 5.6) {
    now.hosts.back().share = 0.6;
    now.hosts.push_back(
        {Serves::kBlobs, prefix + "us-east-2.s3.dualstack.us-east-2.amazonaws.com", 0.4});
  }
  now.tags = Tags(22 + (day > 2), [](int i) { return fmt::format("v1.{}.{}", 30 + i / 6, i % 6); });
  return now;
}

}  // namespace

std::vector<WatchedRepository> Story() {
  const std::vector<std::string> both = {"linux/amd64", "linux/arm64"};
  const std::vector<std::string> many = {"linux/amd64", "linux/arm/v7", "linux/arm64",
                                         "linux/ppc64le", "linux/s390x"};
  return {
      {"terraform-enterprise",
       "platform",
       "images.releases.hashicorp.com",
       "hashicorp/terraform-enterprise",
       hours(6),
       {"linux/amd64"},
       54,
       milliseconds(48),
       TerraformEnterprise,
       [](Day) { return Allow({kEastLayers}, {"us-east-1"}); }},
      {"nginx", "web", "registry-1.docker.io", "library/nginx", hours(6), many, 7, milliseconds(95),
       DockerHub,
       // Who looks after it approves the new host within some hours, and has not yet tidied up.
       [](Day day) {
         std::vector<std::string> hosts = {"auth.docker.io", kR2, kCloudflare};
         if (day >= 2.65) hosts.emplace_back(kCloudFront);
         return Allow(hosts);
       }},
      {"gitlab-runner", "ci", "registry.gitlab.com", "gitlab-org/gitlab-runner", hours(4), both, 9,
       milliseconds(130), GitLab, nullptr},
      {"prometheus", "observability", "quay.io", "prometheus/prometheus", hours(6), both, 11,
       milliseconds(160), Quay, [](Day) { return Allow({"*.quay.io"}); }},
      {"base-images",
       "platform",
       "harbor.corp.example:8443",
       "platform/base",
       hours(2),
       {},
       6,
       milliseconds(12),
       Harbor,
       [](Day) { return Allow({"harbor.corp.example:8443"}); }},
      {"kube-apiserver", "platform", "registry.k8s.io", "kube-apiserver", hours(12), both, 12,
       milliseconds(70), Kubernetes,
       [](Day) {
         return Allow({"us-east4-docker.pkg.dev",
                       "prod-registry-k8s-io-us-east-1.s3.dualstack.us-east-1.amazonaws.com",
                       "prod-registry-k8s-io-us-east-2.s3.dualstack.us-east-2.amazonaws.com"},
                      {"us-east-1", "us-east-2"});
       }},
  };
}

Reachability ReachabilityOf(const std::string& host, Day day) {
  if (host == kWestLayers) return {.reached = false, .seconds = 10};  // the firewall's block
  if (host == "cdn02.quay.io" && day >= 4.3 && day < 4.34) return {.reached = false, .seconds = 10};
  if (host == "harbor.corp.example:8443") return {.seconds = 0.012, .certificate_ends = 12.5};
  if (host == kGitLabCdn) return {.seconds = 0.09, .certificate_ends = 26};
  if (host.ends_with("quay.io")) return {.seconds = 0.14, .certificate_ends = 61};
  if (host.ends_with("amazonaws.com")) return {.seconds = 0.045, .certificate_ends = 203};
  return {.seconds = 0.08, .certificate_ends = 88};
}

}  // namespace registry_backend::testing
