#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Bytes as registries hold them: digests, media types and manifests. Pure functions over values.
namespace registry_backend::simulator {

// `sha256:` and the lower-case hexadecimal hash of `bytes`.
std::string Sha256Digest(std::string_view bytes);

// The two families of media types a registry serves.
enum class Format { kDocker, kOci };

std::string_view ImageMediaType(Format format);   // a manifest of one image
std::string_view IndexMediaType(Format format);   // a manifest list or image index
std::string_view ConfigMediaType(Format format);  // an image's config
std::string_view LayerMediaType(Format format);   // a layer, tar and gzip
// A layer that may not be copied, tar and gzip: it is fetched from its urls, not from registries.
std::string_view ForeignLayerMediaType(Format format);

inline constexpr std::string_view kZstdLayerMediaType =
    "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kEmptyMediaType = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kSchema1MediaType =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";

// What a manifest says about something it names. A field left empty is not written.
struct Descriptor {
  std::string media_type;
  std::string digest;
  std::size_t size = 0;  // bytes
  std::string os;        // `platform.os`; the platform is written if os is not empty
  std::string architecture;
  std::string variant;
  std::vector<std::string> urls;  // of a foreign layer
};

// A descriptor of `bytes` with their real digest and size.
Descriptor Describe(std::string_view media_type, std::string_view bytes);

// Whether a manifest states its own type; OCI allows to leave it out.
enum class OwnMediaType { kWritten, kOmitted };

// The JSON text of a manifest of one image, or of an artifact if `artifact_type` is not empty.
std::string ImageManifest(Format format, const Descriptor& config,
                          const std::vector<Descriptor>& layers,
                          OwnMediaType own = OwnMediaType::kWritten,
                          std::string_view artifact_type = {});

// The JSON text of a manifest list (Docker) or image index (OCI).
std::string IndexManifest(Format format, const std::vector<Descriptor>& manifests,
                          OwnMediaType own = OwnMediaType::kWritten);

// A schema 1 manifest as Docker wrote them until 2016. Its digest is that of the payload: what is
// signed, without the signatures that are written into it.
struct Schema1Manifest {
  std::string payload;
  std::string bytes;  // as served; the signature is made up
};
// `layers` are digests, from the bottom.
Schema1Manifest MakeSchema1Manifest(const std::string& repository, const std::string& tag,
                                    const std::vector<std::string>& layers);

}  // namespace registry_backend::simulator
