#include "exporter/inventory/tag_summary.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

namespace registry_backend {
namespace {

constexpr std::size_t kMaxRows = 500'000;  // see ScanResult::ImagesBelow; of all tags
constexpr std::string_view kAndMore = "...";

// Sorted, joined by commas, and cut where it is longer than a label should be.
std::string Join(const std::set<std::string_view>& platforms) {
  std::string text;
  for (const std::string_view platform : platforms) {
    if (!text.empty()) text += ',';
    if (text.size() + platform.size() + kAndMore.size() >= TagSummary::kMaxPlatforms) {
      return text.append(kAndMore);
    }
    text += platform;
  }
  return text;
}

TagSummary Summarise(const ScannedTag& tag, const ScannedManifest& manifest,
                     const std::vector<ScannedImage>& images) {
  std::set<std::string_view> platforms;
  std::set<std::string_view> blobs;
  std::set<std::string_view> layers;
  for (const ScannedImage& image : images) {
    if (!image.is_artifact() && image.names_platform()) platforms.insert(image.platform);
    if (!image.manifest->config.empty()) blobs.insert(image.manifest->config);
    layers.insert(image.manifest->layers.begin(), image.manifest->layers.end());
  }
  blobs.insert(layers.begin(), layers.end());
  return {.name = std::string(tag.name),
          .media_type = std::string(manifest.media_type),
          .platforms = Join(platforms),
          .blobs = blobs.size(),
          .digest = std::string(tag.digest),
          .layers = layers.size()};
}

}  // namespace

std::vector<TagSummary> SummariseTags(const ScanResult& result, std::size_t at_most) {
  std::vector<TagSummary> summaries;
  std::size_t budget = kMaxRows;
  const std::size_t count = std::min(at_most, result.tags.size());
  for (std::size_t i = 0; i < count; ++i) {
    const ScannedTag& tag = result.tags[i];
    const auto manifest = result.manifests.find(tag.digest);
    if (manifest == result.manifests.end()) continue;
    const auto images = result.ImagesBelow(tag.digest, budget);
    if (images) summaries.push_back(Summarise(tag, manifest->second, *images));
  }
  return summaries;
}

}  // namespace registry_backend
