#include <algorithm>

#include "exporter/discovery/scan_plan.h"

// ScanPlan, continued: how far it is.
namespace registry_backend {

ScanPlan::Progress ScanPlan::progress() const {
  const std::size_t waiting =
      blob_queue_.size() + manifest_queue_.size() + confirm_queue_.size() + (next_page_ ? 1 : 0);
  const ScanCounts asked{tags_.size() + rejected_tags_, manifests_.size(), blobs_.size()};
  const ScanCounts& lost = result_.unpullable;
  // A manifest that was given up may come by a tag at last: it is not counted as two.
  const auto at_most = [](std::uint64_t answered, std::uint64_t all) {
    return std::min(answered, all);
  };
  return {finished_,
          finished_ + under_way_ + waiting,
          asked,
          {at_most(found_tags_ + failed_.tags + lost.tags, asked.tags),
           at_most(result_.manifests.size() + failed_.manifests + lost.manifests, asked.manifests),
           at_most(result_.blobs.size() + failed_.blobs + lost.blobs, asked.blobs)}};
}

void ScanPlan::CountFailure(ScanError::Scope scope) {
  switch (scope) {
    case ScanError::Scope::kTag:
      ++failed_.tags;
      break;
    case ScanError::Scope::kManifest:
      ++failed_.manifests;
      break;
    case ScanError::Scope::kBlob:
      ++failed_.blobs;
      break;
    case ScanError::Scope::kTarget:
      break;
  }
}

}  // namespace registry_backend
