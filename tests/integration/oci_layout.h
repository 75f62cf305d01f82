#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace registry_backend::testing {

// "sha256:" and the hexadecimal digest of `bytes`.
[[nodiscard]] std::string Sha256Digest(std::string_view bytes);

enum class LayerFormat {
  kTarGzip,
  // Mind that skopeo compresses plain layers when it pushes to a registry: their digests change.
  kTar,
};

// One image for one platform.
struct ImageSpec {
  std::string platform = "linux/amd64";  // os/architecture[/variant]
  // A layer each: a tar archive with one file of this content. Equal content gives the same layer,
  // byte by byte, in every image and layout.
  std::vector<std::string> layers = {};
};

struct LayoutSpec {
  std::vector<ImageSpec> images = {};
  bool index = true;  // false: a bare manifest; `images` must then hold one
  LayerFormat layer_format = LayerFormat::kTarGzip;
  bool media_type_in_manifest = true;  // umoci and old tools leave it out
  std::string tag = "latest";          // its name inside the layout
};

struct BlobInfo {
  std::string media_type = {};
  std::string digest = {};
  std::uint64_t size = 0;  // bytes
};

struct ImageInfo {
  std::string platform = {};
  BlobInfo manifest = {};
  BlobInfo config = {};
  std::vector<BlobInfo> layers = {};
};

// A layout on disk and what is in it. The directory belongs to the caller.
struct OciLayout {
  std::filesystem::path directory = {};
  std::string tag = {};
  BlobInfo top = {};  // the index, or the bare manifest
  std::vector<ImageInfo> images = {};

  // Distinct digests of layers and configs: what a pull of everything downloads besides manifests.
  [[nodiscard]] std::set<std::string> BlobDigests() const;
};

// Writes an OCI image layout (oci-layout, index.json, blobs/sha256/*) into `directory`, which is
// made. Times in it are zero: the same specification gives the same bytes. Throws on a bad
// specification and on write errors.
[[nodiscard]] OciLayout WriteOciLayout(const std::filesystem::path& directory,
                                       const LayoutSpec& spec);

}  // namespace registry_backend::testing
