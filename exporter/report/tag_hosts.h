#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "exporter/discovery/scan_result.h"

namespace registry_backend {

// The hosts that a pull of these images needs for blobs, each with how many of their blobs, layers
// and configs, come from it or by way of it. A blob that they share counts once.
std::map<Host, std::uint64_t> BlobsByHost(const ScanResult& result,
                                          const std::vector<ScannedImage>& images);

}  // namespace registry_backend
