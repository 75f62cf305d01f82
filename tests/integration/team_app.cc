#include "tests/integration/team_app.h"

#include <utility>

#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

LayoutSpec OciIndex() {
  return {.images = {{.platform = "linux/amd64", .layers = {"base", "tools", "oci amd64"}},
                     {.platform = "linux/arm64", .layers = {"base", "oci arm64"}}}};
}

LayoutSpec DockerList() {
  return {.images = {{.platform = "linux/amd64", .layers = {"base", "docker amd64"}},
                     {.platform = "linux/arm64", .layers = {"base", "docker arm64"}}}};
}

LayoutSpec Bare() {
  return {.images = {{.platform = "linux/amd64", .layers = {"base", "tools", "bare"}}},
          .index = false};
}

}  // namespace

std::string BaseUrl(const std::string& host) { return "https://" + host + "/"; }

TeamApp PushTeamApp(DockerRegistry& registry, const std::string& redirect_host) {
  const TempDir directory{"layouts"};
  TeamApp app;
  const auto push = [&](const char* name, const LayoutSpec& spec, PushAs as,
                        const std::vector<std::string>& tags) {
    const OciLayout layout = WriteOciLayout(directory / name, spec);
    SkopeoPush(registry, layout, kRepository, tags.front(), as);
    AddTags(registry, kRepository, tags.front(), {tags.begin() + 1, tags.end()});
    app.blobs.merge(layout.BlobDigests());
    for (const std::string& tag : tags) {
      app.tags[tag] = ReadPushed(registry, kRepository, tag);
      app.manifests.insert(app.tags[tag].digest);
      for (const PushedImage& image : app.tags[tag].images) app.manifests.insert(image.digest);
    }
  };
  push("index", OciIndex(), PushAs::kOci, {"v202501-1", "v202504-1", "v202507-1", "v202510-1"});
  push("list", DockerList(), PushAs::kDocker, {"v202502-1", "v202505-1", "v202508-1"});
  push("bare", Bare(), PushAs::kOci, {"v202503-1", "v202506-1", "v202509-1"});
  for (const auto& [tag, unused] : app.tags) {
    app.newest_first.insert(app.newest_first.begin(), tag);
  }
  if (!redirect_host.empty()) registry.Restart(BaseUrl(redirect_host));
  return app;
}

}  // namespace registry_backend::testing
