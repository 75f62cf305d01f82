#include "exporter/report/tag_hosts.h"

#include <string_view>
#include <unordered_set>

namespace registry_backend {

std::map<Host, std::uint64_t> BlobsByHost(const ScanResult& result,
                                          const std::vector<ScannedImage>& images) {
  std::unordered_set<std::string_view> counted;
  std::map<std::uint32_t, std::uint64_t> by_route;
  const auto count = [&](std::string_view digest) {
    const auto blob = result.blobs.find(digest);
    if (blob != result.blobs.end() && counted.insert(digest).second) ++by_route[blob->second];
  };
  for (const ScannedImage& image : images) {
    count(image.manifest->config);
    for (const std::string_view layer : image.manifest->layers) count(layer);
  }
  std::map<Host, std::uint64_t> by_host;
  for (const auto& [route, blobs] : by_route) {
    for (const Host& host : result.routes[route]) by_host[host] += blobs;
  }
  return by_host;
}

}  // namespace registry_backend
