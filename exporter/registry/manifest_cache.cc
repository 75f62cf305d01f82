#include "exporter/registry/manifest_cache.h"

#include <utility>

namespace registry_backend {
namespace {

constexpr int kScansKept = 2;  // without being used

// About what the manifest takes in memory, allocations included.
std::size_t BytesOf(const FetchedManifest& fetched) {
  constexpr std::size_t kEach = 512;
  constexpr std::size_t kDescriptor = sizeof(Descriptor) + 96;  // and its digest's text
  constexpr std::size_t kUrl = sizeof(Url) + 256;
  const Manifest& manifest = *fetched.manifest;
  std::size_t bytes = kEach;
  for (const auto* list : {&manifest.blobs, &manifest.manifests}) {
    for (const Descriptor& descriptor : *list) {
      bytes += kDescriptor + descriptor.urls.size() * kUrl;
    }
  }
  return bytes;
}

}  // namespace

void ManifestCache::BeginScan() {
  std::erase_if(manifests_, [this](const auto& entry) {
    if (entry.second.scans_unused < kScansKept) return false;
    bytes_ -= BytesOf(entry.second.fetched);
    return true;
  });
  std::erase_if(tags_, [](const auto& tag) { return tag.second.scans_unused >= kScansKept; });
  for (auto& [digest, entry] : manifests_) ++entry.scans_unused;
  for (auto& [name, tag] : tags_) ++tag.scans_unused;
}

void ManifestCache::Put(FetchedManifest fetched) {
  if (Find(fetched.digest) != nullptr) return;
  const std::size_t bytes = BytesOf(fetched);
  if (bytes_ + bytes > max_bytes_) return;
  bytes_ += bytes;
  std::string digest = fetched.digest;
  manifests_.emplace(std::move(digest), Entry{std::move(fetched)});
}

const FetchedManifest* ManifestCache::Find(const std::string& digest) {
  const auto found = manifests_.find(digest);
  if (found == manifests_.end()) return nullptr;
  found->second.scans_unused = 0;
  return &found->second.fetched;
}

void ManifestCache::PutTag(const std::string& tag, std::string digest, std::string etag) {
  if (manifests_.contains(digest)) {
    tags_.insert_or_assign(tag, TagState{std::move(digest), std::move(etag)});
  } else {
    tags_.erase(tag);
  }
}

const ManifestCache::TagState* ManifestCache::FindTag(const std::string& tag) {
  const auto found = tags_.find(tag);
  if (found == tags_.end() || Find(found->second.digest) == nullptr) return nullptr;
  found->second.scans_unused = 0;
  return &found->second;
}

}  // namespace registry_backend
