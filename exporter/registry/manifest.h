#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/url/url.h"

namespace registry_backend {

inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerManifestList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";

// The platform of a manifest for which the index names none.
inline constexpr std::string_view kUnnamedPlatform = "unknown";

// What a manifest says of a blob or of another manifest (OCI image-spec descriptor.md).
struct Descriptor {
  std::string digest;    // valid, see IsDigest
  std::string platform;  // os/architecture[/variant]; `unknown` where the index names none
  // Where else the content is to be had: of a foreign layer, which clients take from there and not
  // from the registry. Usable http and https URLs only, the first few.
  std::vector<Url> urls;

  bool operator==(const Descriptor&) const = default;
};

// An image manifest (config and layers) or an index (manifests) in Docker's or OCI's form.
struct Manifest {
  std::string media_type;  // one of the four above
  bool is_index = false;
  bool is_artifact = false;           // its config is none of an image, or it has an artifactType
  std::vector<Descriptor> blobs;      // of an image manifest: its config first, then its layers
  std::vector<Descriptor> manifests;  // of an index
};

// Whether `content_type` (parameters are ignored) is one of Docker's image manifest version 2,
// schema 1: the signed form or the bare one.
bool IsSchema1(std::string_view content_type);

// Reads a manifest's bytes. Its kind is what its `mediaType` says, else `content_type` (parameters
// are ignored), else its shape. Error kProtocol: no JSON object, another type (schema 1, say), a
// kind that contradicts the shape, a descriptor without a valid digest.
Result<Manifest> ParseManifest(std::string_view bytes, std::string_view content_type);

}  // namespace registry_backend
