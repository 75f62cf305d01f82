#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

#include "exporter/registry/manifest.h"

namespace registry_backend {

// A manifest as a registry served it.
struct FetchedManifest {
  std::shared_ptr<const Manifest> manifest;  // never null
  std::string digest;                        // of the bytes as served
  std::size_t size = 0;                      // bytes as served
  bool is_from_another = false;              // another registry than the target's served it
};

// Manifests kept from scan to scan, so that what has not changed is not fetched again: by digest,
// whose bytes never change, and by the tags that last named them. Bounded: what two scans in a row
// did not use goes (one may have failed early), and when it is full what is new is not taken in,
// since a scan that is too large for it would otherwise push out each manifest just before it is
// needed again. Not thread-safe.
class ManifestCache {
 public:
  explicit ManifestCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void BeginScan();

  void Put(FetchedManifest fetched);
  // Null if it is not there; valid until the next call of Put or BeginScan.
  const FetchedManifest* Find(const std::string& digest);

  // What a tag named when it was last asked for: the digest, and the answer's ETag (RFC 9110
  // §8.8.3).
  struct TagState {
    std::string digest;
    std::string etag;
    int scans_unused = 0;
  };
  void PutTag(const std::string& tag, std::string digest, std::string etag);
  // Null where the tag, or its manifest, is not there.
  const TagState* FindTag(const std::string& tag);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    FetchedManifest fetched;
    int scans_unused = 0;  // the one under way included
  };

  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, Entry> manifests_;  // by digest
  std::unordered_map<std::string, TagState> tags_;
};

}  // namespace registry_backend
