#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/simulator/content.h"

namespace registry_backend::simulator {

using Bytes = std::shared_ptr<const std::string>;

// A manifest's bytes and what they name. Bytes that are no manifest name nothing.
struct StoredManifest {
  std::string digest;
  Bytes bytes;
  std::string media_type;             // of the Content-Type header
  std::string config;                 // digest, or empty
  std::vector<std::string> layers;    // digests, from the bottom
  std::vector<std::string> children;  // digests of an index's manifests
};

struct StoredBlob {
  Bytes bytes;
  std::size_t ordinal = 0;  // in the order blobs were added to the repository, from 1
};

struct Repository {
  std::map<std::string, std::string> tags;  // tag → manifest digest
  std::unordered_map<std::string, StoredManifest> manifests;
  std::unordered_map<std::string, StoredBlob> blobs;
};

// A layer of an Image.
struct Layer {
  std::string bytes;
  std::string media_type = {};         // empty: the format's own, foreign if there are urls
  std::vector<std::string> urls = {};  // a foreign layer's: AddImage does not add its bytes
};

// What a manifest of one image names; for what is not written here take AddBlob and AddManifest.
struct Image {
  Format format = Format::kOci;
  std::string config = "{}";
  std::string config_media_type = {};  // empty: the format's own
  std::vector<Layer> layers = {};      // from the bottom
  OwnMediaType own = OwnMediaType::kWritten;
  std::string artifact_type = {};  // empty: no artifact
};

// What is no image but stored as one: an empty config, and one layer of any type.
Image Artifact(std::string_view artifact_type, std::string_view layer_media_type,
               std::string bytes);

// What a registry holds: plain content, without behaviour. A copy shares the bytes. Not
// thread-safe: a running Simulator's catalog is edited through Simulator::EditCatalog.
//
// Hand-made content need not be consistent: a manifest may name blobs that are not there (404), a
// tag may point at an unknown digest (404), a descriptor may lie.
class Catalog {
 public:
  void AddRepository(const std::string& repository);
  // These return the digest of `bytes`; what is there already stays. An unknown repository is
  // added.
  std::string AddBlob(const std::string& repository, std::string bytes);
  std::string AddManifest(const std::string& repository, std::string bytes,
                          std::string_view media_type);
  // Adds a config blob, the layers and the manifest that names them; returns the manifest's digest.
  std::string AddImage(const std::string& repository, const Image& image);
  std::string AddImage(const std::string& repository, Format format, const std::string& config,
                       const std::vector<std::string>& layers);
  // Adds the layers and their schema 1 manifest, which is no one's but this tag's; returns its
  // digest, which is not that of the bytes served.
  std::string AddSchema1Image(const std::string& repository, const std::string& tag,
                              const std::vector<std::string>& layers);
  // Adds a manifest list or image index and returns its digest.
  std::string AddIndex(const std::string& repository, Format format,
                       const std::vector<Descriptor>& manifests);
  // Points `tag` at a manifest, new or in place of the one it had.
  void Tag(const std::string& repository, const std::string& tag, const std::string& digest);
  // Whether it was there. What it pointed at stays.
  bool RemoveTag(const std::string& repository, const std::string& tag);

  const std::map<std::string, Repository>& repositories() const { return repositories_; }
  // Null if there is none; valid until the next edit. `reference` is a tag or a digest.
  const Repository* Find(const std::string& repository) const;
  const StoredManifest* FindManifest(const std::string& repository,
                                     const std::string& reference) const;
  const StoredBlob* FindBlob(const std::string& repository, const std::string& digest) const;
  // Of a manifest that is there, for an index. Throws std::out_of_range if it is not.
  Descriptor DescribeManifest(const std::string& repository, const std::string& reference,
                              const std::string& os = {}, const std::string& architecture = {},
                              const std::string& variant = {}) const;

  // Digests of the configs and layers reachable from a tag, each once.
  std::vector<std::string> BlobsOf(const std::string& repository, const std::string& tag) const;
  // Those of BlobsOf that no other tag of the repository reaches.
  std::vector<std::string> OwnBlobsOf(const std::string& repository, const std::string& tag) const;

 private:
  std::string Store(const std::string& repository, StoredManifest manifest);

  std::map<std::string, Repository> repositories_;
};

// What a generated tag points at.
enum class TagKind {
  kDockerList,   // a manifest list with linux/amd64 alone
  kDockerImage,  // a manifest, no list
  kOciIndex,     // linux/amd64, linux/arm64 and an `unknown/unknown` attestation
  kOciImage,     // a manifest, no index
};

struct GenerateOptions {
  std::string repository = "hashicorp/terraform-enterprise";
  std::size_t tags = 40;
  std::size_t layers_per_tag = 55;  // of each platform's image
  double shared_ratio = 0.5;        // share of an image's layers that all tags of its platform have
  std::vector<TagKind> kinds = {TagKind::kDockerList, TagKind::kDockerImage, TagKind::kOciIndex,
                                TagKind::kOciImage};  // tags take them in turn; not empty
  std::uint64_t seed = 1;  // another seed, other bytes and so other digests
};

// Adds a repository; the same options always give the same bytes. With kinds of one image alone it
// holds one manifest and one config a tag, and layers_per_tag × tags layers less the shared ones.
void Generate(const GenerateOptions& options, Catalog& catalog);
Catalog Generate(const GenerateOptions& options);

// Oldest first, named as HashiCorp does:
// v202401-1, v202402-1, …, the newest third 1.0.0, 1.0.1, ….
std::vector<std::string> GeneratedTagNames(std::size_t count);

}  // namespace registry_backend::simulator
