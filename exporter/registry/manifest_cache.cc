#include "exporter/registry/manifest_cache.h"

#include <utility>

namespace registry_backend {
namespace {

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
    if (entry.second.used) return false;
    bytes_ -= BytesOf(entry.second.fetched);
    return true;
  });
  std::erase_if(tags_, [](const auto& tag) { return !tag.second.used; });
  for (auto& [digest, entry] : manifests_) entry.used = false;
  for (auto& [name, tag] : tags_) tag.used = false;
}

void ManifestCache::Put(FetchedManifest fetched) {
  const std::size_t bytes = BytesOf(fetched);
  if (bytes_ + bytes > max_bytes_ || manifests_.contains(fetched.digest)) return;
  bytes_ += bytes;
  std::string digest = fetched.digest;
  manifests_.emplace(std::move(digest), Entry{std::move(fetched)});
}

const FetchedManifest* ManifestCache::Find(const std::string& digest) {
  const auto found = manifests_.find(digest);
  if (found == manifests_.end()) return nullptr;
  found->second.used = true;
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
  found->second.used = true;
  return &found->second;
}

}  // namespace registry_backend
