#include "tests/simulator/catalog.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unordered_set>
#include <utility>

namespace registry_backend::simulator {
namespace {

using nlohmann::json;

std::string DigestIn(const json& descriptor, const char* key = "digest") {
  if (!descriptor.is_object()) return {};
  const auto digest = descriptor.find(key);
  if (digest == descriptor.end() || !digest->is_string()) return {};
  return digest->get<std::string>();
}

std::vector<std::string> DigestsIn(const json& manifest, const char* key,
                                   const char* digest_key = "digest") {
  std::vector<std::string> digests;
  const auto list = manifest.find(key);
  if (list == manifest.end() || !list->is_array()) return digests;
  for (const json& descriptor : *list) {
    if (std::string digest = DigestIn(descriptor, digest_key); !digest.empty()) {
      digests.push_back(std::move(digest));
    }
  }
  return digests;
}

// Schema 1 has other names for things, and lists the top layer first.
std::vector<std::string> LayersIn(const json& manifest) {
  if (manifest.contains("layers")) return DigestsIn(manifest, "layers");
  std::vector<std::string> layers = DigestsIn(manifest, "fsLayers", "blobSum");
  std::ranges::reverse(layers);
  return layers;
}

StoredManifest ReadManifest(std::string bytes, std::string_view media_type) {
  StoredManifest manifest;
  manifest.digest = Sha256Digest(bytes);
  const json parsed = json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_object()) {
    if (const auto config = parsed.find("config"); config != parsed.end()) {
      manifest.config = DigestIn(*config);
    }
    manifest.layers = LayersIn(parsed);
    manifest.children = DigestsIn(parsed, "manifests");
  }
  manifest.bytes = std::make_shared<const std::string>(std::move(bytes));
  manifest.media_type = media_type;
  return manifest;
}

// Walks from one manifest to all blobs below it; `seen` also cuts cycles.
void CollectBlobs(const Repository& repository, const std::string& manifest_digest,
                  std::unordered_set<std::string>& seen, std::vector<std::string>& blobs) {
  const auto found = repository.manifests.find(manifest_digest);
  if (found == repository.manifests.end() || !seen.insert(manifest_digest).second) return;
  const StoredManifest& manifest = found->second;
  const auto add = [&](const std::string& digest) {
    if (!digest.empty() && seen.insert(digest).second) blobs.push_back(digest);
  };
  add(manifest.config);
  for (const std::string& layer : manifest.layers) add(layer);
  for (const std::string& child : manifest.children) CollectBlobs(repository, child, seen, blobs);
}

}  // namespace

Image Artifact(std::string_view artifact_type, std::string_view layer_media_type,
               std::string bytes) {
  return {.config_media_type = std::string(kEmptyMediaType),
          .layers = {{.bytes = std::move(bytes), .media_type = std::string(layer_media_type)}},
          .artifact_type = std::string(artifact_type)};
}

void Catalog::AddRepository(const std::string& repository) { repositories_[repository]; }

std::string Catalog::AddBlob(const std::string& repository, std::string bytes) {
  auto& blobs = repositories_[repository].blobs;
  std::string digest = Sha256Digest(bytes);
  if (!blobs.contains(digest)) {
    blobs[digest] = {std::make_shared<const std::string>(std::move(bytes)), blobs.size() + 1};
  }
  return digest;
}

std::string Catalog::AddManifest(const std::string& repository, std::string bytes,
                                 std::string_view media_type) {
  return Store(repository, ReadManifest(std::move(bytes), media_type));
}

std::string Catalog::Store(const std::string& repository, StoredManifest manifest) {
  std::string digest = manifest.digest;
  repositories_[repository].manifests.try_emplace(digest, std::move(manifest));
  return digest;
}

std::string Catalog::AddImage(const std::string& repository, const Image& image) {
  const auto or_else = [](const std::string& type, std::string_view absent) {
    return type.empty() ? absent : std::string_view(type);
  };
  std::vector<Descriptor> layers;
  for (const Layer& layer : image.layers) {
    const bool foreign = !layer.urls.empty();
    const std::string_view usual =
        foreign ? ForeignLayerMediaType(image.format) : LayerMediaType(image.format);
    layers.push_back(Describe(or_else(layer.media_type, usual), layer.bytes));
    layers.back().urls = layer.urls;
    if (!foreign) AddBlob(repository, layer.bytes);
  }
  AddBlob(repository, image.config);
  const Descriptor config =
      Describe(or_else(image.config_media_type, ConfigMediaType(image.format)), image.config);
  return AddManifest(repository,
                     ImageManifest(image.format, config, layers, image.own, image.artifact_type),
                     ImageMediaType(image.format));
}

std::string Catalog::AddImage(const std::string& repository, Format format,
                              const std::string& config, const std::vector<std::string>& layers) {
  Image image{.format = format, .config = config};
  for (const std::string& layer : layers) image.layers.push_back({.bytes = layer});
  return AddImage(repository, image);
}

std::string Catalog::AddSchema1Image(const std::string& repository, const std::string& tag,
                                     const std::vector<std::string>& layers) {
  std::vector<std::string> digests;
  for (const std::string& layer : layers) digests.push_back(AddBlob(repository, layer));
  Schema1Manifest text = MakeSchema1Manifest(repository, tag, digests);
  StoredManifest manifest = ReadManifest(std::move(text.bytes), kSchema1MediaType);
  manifest.digest = Sha256Digest(text.payload);
  return Store(repository, std::move(manifest));
}

std::string Catalog::AddIndex(const std::string& repository, Format format,
                              const std::vector<Descriptor>& manifests) {
  return AddManifest(repository, IndexManifest(format, manifests), IndexMediaType(format));
}

void Catalog::Tag(const std::string& repository, const std::string& tag,
                  const std::string& digest) {
  repositories_[repository].tags[tag] = digest;
}

bool Catalog::RemoveTag(const std::string& repository, const std::string& tag) {
  const auto found = repositories_.find(repository);
  return found != repositories_.end() && found->second.tags.erase(tag) > 0;
}

const Repository* Catalog::Find(const std::string& repository) const {
  const auto found = repositories_.find(repository);
  return found == repositories_.end() ? nullptr : &found->second;
}

const StoredManifest* Catalog::FindManifest(const std::string& repository,
                                            const std::string& reference) const {
  const Repository* const content = Find(repository);
  if (content == nullptr) return nullptr;
  const auto tag = content->tags.find(reference);
  const auto found = content->manifests.find(tag == content->tags.end() ? reference : tag->second);
  return found == content->manifests.end() ? nullptr : &found->second;
}

const StoredBlob* Catalog::FindBlob(const std::string& repository,
                                    const std::string& digest) const {
  const Repository* const content = Find(repository);
  if (content == nullptr) return nullptr;
  const auto found = content->blobs.find(digest);
  return found == content->blobs.end() ? nullptr : &found->second;
}

Descriptor Catalog::DescribeManifest(const std::string& repository, const std::string& reference,
                                     const std::string& os, const std::string& architecture,
                                     const std::string& variant) const {
  const StoredManifest* const manifest = FindManifest(repository, reference);
  if (manifest == nullptr) throw std::out_of_range("no manifest " + reference);
  Descriptor descriptor;
  descriptor.media_type = manifest->media_type;
  descriptor.digest = manifest->digest;
  descriptor.size = manifest->bytes->size();
  descriptor.os = os;
  descriptor.architecture = architecture;
  descriptor.variant = variant;
  return descriptor;
}

std::vector<std::string> Catalog::BlobsOf(const std::string& repository,
                                          const std::string& tag) const {
  std::vector<std::string> blobs;
  const Repository* const content = Find(repository);
  if (content == nullptr) return blobs;
  if (const auto found = content->tags.find(tag); found != content->tags.end()) {
    std::unordered_set<std::string> seen;
    CollectBlobs(*content, found->second, seen, blobs);
  }
  return blobs;
}

std::vector<std::string> Catalog::OwnBlobsOf(const std::string& repository,
                                             const std::string& tag) const {
  std::vector<std::string> own = BlobsOf(repository, tag);
  if (own.empty()) return own;
  std::unordered_set<std::string> others;
  for (const auto& [other, digest] : Find(repository)->tags) {
    if (other == tag) continue;
    for (std::string& blob : BlobsOf(repository, other)) others.insert(std::move(blob));
  }
  std::erase_if(own, [&](const std::string& blob) { return others.contains(blob); });
  return own;
}

}  // namespace registry_backend::simulator
