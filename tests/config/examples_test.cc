#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "exporter/config/config.h"
#include "tests/support/markdown.h"

// deploy/examples/ can be used as it is, and docs/howto/registries.md speaks of all of it.
namespace registry_backend {
namespace {

const std::filesystem::path kRoot = REGISTRY_BACKEND_SOURCE_DIR;

using Repositories = std::set<std::string>;

const std::map<std::string, Repositories> kExamples = {
    {"artifactory.yml", {"artifactory.example.com/docker-local/team/app"}},
    {"docker-hub.yml",
     {"registry-1.docker.io/library/alpine", "registry-1.docker.io/library/nginx"}},
    {"ecr-private.yml", {"123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app"}},
    {"ecr-public.yml", {"public.ecr.aws/docker/library/alpine"}},
    {"ghcr.yml", {"ghcr.io/example/app"}},
    {"gitlab.yml", {"registry.gitlab.com/group/project/app"}},
    {"harbor.yml", {"harbor.example.com/project/app"}},
    {"quay.yml", {"quay.io/example/app"}},
    {"registry-k8s-io.yml", {"registry.k8s.io/coredns/coredns", "registry.k8s.io/pause"}},
    {"terraform-enterprise.yml", {"images.releases.hashicorp.com/hashicorp/terraform-enterprise"}},
};

TEST(ConfigExamples, AreValidAndNameTheirRegistries) {
  for (const auto& [name, repositories] : kExamples) {
    const Result<Config> config = LoadConfig(kRoot / "deploy/examples" / name);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_TRUE(config->warnings.empty()) << config->warnings.front();
    Repositories found;
    for (const TargetOptions& target : config->targets) {
      EXPECT_EQ(target.registry.registry.origin().scheme, "https") << name;
      found.insert(target.registry.registry.host().text() + "/" + target.registry.repository);
    }
    EXPECT_EQ(found, repositories) << name;
  }
}

TEST(ConfigExamples, AreAllTestedAndSpokenOf) {
  const std::filesystem::path page = kRoot / "docs/howto/registries.md";
  std::set<std::filesystem::path> linked;
  for (const std::string& link : testing::LinkTargets(testing::ReadDocument(page))) {
    linked.insert((page.parent_path() / link).lexically_normal());
  }
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "deploy/examples")) {
    EXPECT_TRUE(kExamples.contains(entry.path().filename())) << entry.path();
    EXPECT_TRUE(linked.contains(entry.path())) << entry.path();
    ++count;
  }
  EXPECT_EQ(count, kExamples.size());
}

}  // namespace
}  // namespace registry_backend
