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

LayoutSpec Small() {
  return {.images = {{.platform = "linux/amd64", .layers = {"base", "amd64"}},
                     {.platform = "linux/arm64", .layers = {"base", "arm64"}}}};
}

// Pushes layouts to team/app and keeps account of what is there.
class Pusher {
 public:
  explicit Pusher(const DockerRegistry& registry) : registry_(registry) {}

  void Push(const LayoutSpec& spec, PushAs as, const std::vector<std::string>& tags) {
    const TempDir directory{"layout"};
    const OciLayout layout = WriteOciLayout(directory / "layout", spec);
    SkopeoPush(registry_, layout, kRepository, tags.front(), as);
    AddTags(registry_, kRepository, tags.front(), {tags.begin() + 1, tags.end()});
    app_.blobs.merge(layout.BlobDigests());
    for (const std::string& tag : tags) {
      app_.tags[tag] = ReadPushed(registry_, kRepository, tag);
      app_.manifests.insert(app_.tags[tag].digest);
      for (const PushedImage& image : app_.tags[tag].images) app_.manifests.insert(image.digest);
    }
    app_.newest_first.clear();
    for (const auto& [tag, unused] : app_.tags) {
      app_.newest_first.insert(app_.newest_first.begin(), tag);
    }
  }

  [[nodiscard]] const TeamApp& app() const { return app_; }

 private:
  const DockerRegistry& registry_;
  TeamApp app_;
};

}  // namespace

std::string BaseUrl(const std::string& host) { return "https://" + host + "/"; }

TeamApp PushTeamApp(DockerRegistry& registry, const std::string& redirect_host) {
  Pusher pusher(registry);
  pusher.Push(OciIndex(), PushAs::kOci, {"v202501-1", "v202504-1", "v202507-1", "v202510-1"});
  pusher.Push(DockerList(), PushAs::kDocker, {"v202502-1", "v202505-1", "v202508-1"});
  pusher.Push(Bare(), PushAs::kOci, {"v202503-1", "v202506-1", "v202509-1"});
  if (!redirect_host.empty()) registry.Restart(BaseUrl(redirect_host));
  return pusher.app();
}

TeamApp PushSmallTeamApp(const DockerRegistry& registry) {
  Pusher pusher(registry);
  pusher.Push(Small(), PushAs::kOci, {"v202502-1"});
  pusher.Push(Small(), PushAs::kDocker, {"v202501-1"});
  return pusher.app();
}

}  // namespace registry_backend::testing
