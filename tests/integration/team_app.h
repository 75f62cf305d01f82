#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/docker_registry.h"
#include "tests/integration/skopeo_push.h"

namespace registry_backend::testing {

inline constexpr char kUser[] = "user";
inline constexpr char kPassword[] = "s3cret-Zq81-of-the-test";
inline constexpr char kRepository[] = "team/app";

// The hosts that the registry's redirects name in these tests. Nothing is ever sent to them.
inline constexpr char kBucketHost[] =
    "prod-us-east-1-starport-layer-bucket.s3.dualstack.us-east-1.amazonaws.com";
inline constexpr char kOtherHost[] =
    "prod-us-west-2-starport-layer-bucket.s3.dualstack.us-west-2.amazonaws.com";
[[nodiscard]] std::string BaseUrl(const std::string& host);

// What team/app holds: ten tags over an OCI index of two platforms, a Docker manifest list of two,
// and a bare OCI manifest, with layers shared between them.
struct TeamApp {
  std::map<std::string, PushedTag> tags = {};  // as the registry serves them
  std::vector<std::string> newest_first = {};  // the tags v202510-1 … v202501-1
  std::set<std::string> manifests = {};        // distinct digests, indexes and lists included
  std::set<std::string> blobs = {};            // distinct layers and configs, from the layouts
};

// Pushes it; then, if `redirect_host` is not empty, restarts the registry with redirects there.
[[nodiscard]] TeamApp PushTeamApp(DockerRegistry& registry, const std::string& redirect_host = "");

// Less of it, for storage that takes its time: one image for two platforms under two tags, as an
// OCI index (v202502-1) and as a Docker manifest list (v202501-1) of the same five blobs.
[[nodiscard]] TeamApp PushSmallTeamApp(const DockerRegistry& registry);

}  // namespace registry_backend::testing
