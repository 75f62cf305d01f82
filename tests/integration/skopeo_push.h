#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/integration/docker_registry.h"
#include "tests/integration/oci_layout.h"

namespace registry_backend::testing {

enum class PushAs {
  kOci,     // as the layout has it
  kDocker,  // converted: Docker schema 2 manifests, an index becomes a manifest list
};

// Pushes a layout with all its platforms. Layers and configs keep their digests (if the layers are
// compressed); manifests do not when converted. Throws std::runtime_error with skopeo's output.
void SkopeoPush(const DockerRegistry& registry, const OciLayout& layout,
                const std::string& repository, const std::string& tag, PushAs as = PushAs::kOci);

// Uploads one blob with plain requests; returns its digest. For a registry without a password.
std::string PushBlob(const DockerRegistry& registry, const std::string& repository,
                     const std::string& bytes);

// Gives the manifest of `tag` further names, by PUTting the same bytes there.
void AddTags(const DockerRegistry& registry, const std::string& repository, const std::string& tag,
             const std::vector<std::string>& names);

struct PushedImage {
  std::string platform = {};  // from the index; empty for a bare manifest
  std::string digest = {};
  std::uint64_t size = 0;  // bytes of the manifest as served
  std::string config = {};
  std::vector<std::string> layers = {};
};

struct PushedTag {
  std::string media_type = {};  // of the Content-Type that the registry answers
  std::string digest = {};
  std::uint64_t size = 0;
  std::vector<PushedImage> images = {};
};

// What the registry serves under a tag, asked with plain requests, digests computed here.
[[nodiscard]] PushedTag ReadPushed(const DockerRegistry& registry, const std::string& repository,
                                   const std::string& tag);

}  // namespace registry_backend::testing
