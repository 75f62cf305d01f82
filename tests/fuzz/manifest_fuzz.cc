#include <string>

#include "exporter/registry/digest.h"
#include "exporter/registry/manifest.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// First line: a Content-Type; the rest: a manifest's bytes.
namespace registry_backend::testing {
namespace {

void CheckDescriptor(const Descriptor& descriptor) {
  Require(IsDigest(descriptor.digest), "a digest is valid", descriptor.digest);
  const std::string names =
      std::string(kLowerLetters) + std::string(kUpperLetters) + std::string(kDigits) + "_.-/";
  const std::string& platform = descriptor.platform;
  Require(!platform.empty() && platform.size() <= 64 && IsOf(names, platform),
          "a platform is fit for a label", platform);
  Require(descriptor.urls.size() <= 8, "few of a foreign layer's URLs are kept");
  for (const Url& url : descriptor.urls) {
    Require(!url.has_userinfo(), "a foreign layer's URL has no userinfo", url.text());
  }
}

void CheckManifest(std::string_view content_type, std::string_view bytes) {
  const Result<Manifest> manifest = ParseManifest(bytes, content_type);
  if (!manifest) {
    Require(manifest.error().kind == ErrorKind::kProtocol, "a bad manifest breaks the protocol");
    return;
  }
  const std::string& type = manifest->media_type;
  const bool is_index_type = type == kDockerManifestList || type == kOciIndex;
  Require(is_index_type || type == kDockerManifest || type == kOciManifest, "the type is known",
          type);
  Require(manifest->is_index == is_index_type, "the type says what it is", type);
  if (manifest->is_index) {
    Require(manifest->blobs.empty() && !manifest->is_artifact, "an index has no blobs");
  } else {
    Require(!manifest->blobs.empty(), "an image manifest has a config");
    Require(manifest->manifests.empty(), "an image manifest has no manifests");
  }
  for (const Descriptor& descriptor : manifest->blobs) CheckDescriptor(descriptor);
  for (const Descriptor& descriptor : manifest->manifests) CheckDescriptor(descriptor);

  const Result<Manifest> served = ParseManifest(bytes, type);
  Require(served && served->media_type == type && served->blobs == manifest->blobs &&
              served->manifests == manifest->manifests,
          "with its own type as Content-Type it is the same manifest", type);
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend::testing;
  FuzzedInput input(data, size);
  const std::string_view content_type = input.Line();
  CheckManifest(content_type, input.Rest());
  return 0;
}
