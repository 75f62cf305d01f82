#include "exporter/registry/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "exporter/registry/digest.h"
#include "exporter/registry/json.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
constexpr std::size_t kMaxUrls = 8;  // of a descriptor

Error Broken(std::string_view what) {
  return {ErrorKind::kProtocol, "the manifest is not usable: " + std::string(what)};
}

// A name fit for reports and labels; anything else is `unknown`.
bool IsPlatformName(std::string_view name) {
  return name.size() <= 64 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-' || c == '/';
         });
}

std::string PlatformOf(const Json& descriptor) {
  const auto platform = descriptor.find("platform");
  if (platform == descriptor.end() || !platform->is_object()) return std::string(kUnnamedPlatform);
  const std::string os = TextMember(*platform, "os");
  const std::string architecture = TextMember(*platform, "architecture");
  const std::string variant = TextMember(*platform, "variant");
  if (os.empty() || architecture.empty()) return std::string(kUnnamedPlatform);
  const std::string name = os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
  return IsPlatformName(name) ? name : std::string(kUnnamedPlatform);
}

std::vector<Url> UrlsOf(const Json& descriptor) {
  std::vector<Url> urls;
  const auto array = descriptor.find("urls");
  if (array == descriptor.end() || !array->is_array()) return urls;
  for (const Json& text : *array) {
    if (urls.size() >= kMaxUrls) break;
    if (!text.is_string()) continue;
    Result<Url> url = Url::Parse(text.get_ref<const std::string&>());
    if (url && !url->has_userinfo()) urls.push_back(*std::move(url));
  }
  return urls;
}

Result<Descriptor> ReadDescriptor(const Json& json, std::string_view where) {
  if (!json.is_object()) return Broken(std::string(where) + " is no descriptor");
  Descriptor descriptor;
  descriptor.digest = TextMember(json, "digest");
  if (!IsDigest(descriptor.digest)) return Broken(std::string(where) + " has no valid digest");
  descriptor.platform = PlatformOf(json);
  descriptor.urls = UrlsOf(json);
  return descriptor;
}

// Appends the descriptors of the array `name` to `list`; a missing or null array is an empty one.
Status ReadDescriptors(const Json& object, const char* name, std::vector<Descriptor>& list) {
  const auto array = object.find(name);
  if (array == object.end() || array->is_null()) return Ok();
  if (!array->is_array()) return Broken(std::string("`") + name + "` is no array");
  list.reserve(list.size() + array->size());
  for (const Json& element : *array) {
    Result<Descriptor> descriptor =
        ReadDescriptor(element, std::string("an element of `") + name + "`");
    if (!descriptor) return descriptor.error();
    list.push_back(*std::move(descriptor));
  }
  return Ok();
}

bool IsIndexType(std::string_view type) { return type == kDockerManifestList || type == kOciIndex; }

bool IsKnownType(std::string_view type) {
  return type == kDockerManifest || type == kOciManifest || IsIndexType(type);
}

std::string_view WithoutParameters(std::string_view content_type) {
  return Trim(content_type.substr(0, content_type.find(';')));
}

// OCI image-spec manifest.md, "Guidelines for Artifact Usage". A config without a type is an old
// image's.
bool IsArtifact(const Json& json) {
  if (!TextMember(json, "artifactType").empty()) return true;
  const std::string config = TextMember(json.at("config"), "mediaType");
  return !config.empty() && config != kDockerConfig && config != kOciConfig;
}

Result<std::string> DecideType(const Json& json, std::string_view content_type) {
  const auto version = json.find("schemaVersion");
  if (json.contains("fsLayers") || (version != json.end() && *version == 1)) {
    return Broken("it is of schema 1, which clients no longer support");
  }
  const std::string own = TextMember(json, "mediaType");
  if (!own.empty()) {
    if (!IsKnownType(own)) return Broken("media type '" + Printable(own) + "' is not supported");
    return own;
  }
  const std::string_view served = WithoutParameters(content_type);
  if (IsKnownType(served)) return std::string(served);
  if (json.contains("manifests")) return std::string(kOciIndex);
  if (json.contains("config") || json.contains("layers")) return std::string(kOciManifest);
  return Broken("it has neither layers nor manifests");
}

}  // namespace

bool IsSchema1(std::string_view content_type) {
  const std::string_view type = WithoutParameters(content_type);
  return EqualIgnoringCase(type, "application/vnd.docker.distribution.manifest.v1+json") ||
         EqualIgnoringCase(type, "application/vnd.docker.distribution.manifest.v1+prettyjws");
}

Result<Manifest> ParseManifest(std::string_view bytes, std::string_view content_type) {
  const Json json = ParseJson(bytes);
  if (!json.is_object()) return Broken("it is no JSON object");
  Result<std::string> type = DecideType(json, content_type);
  if (!type) return type.error();

  Manifest manifest;
  manifest.media_type = *std::move(type);
  manifest.is_index = IsIndexType(manifest.media_type);
  const std::string_view served = WithoutParameters(content_type);
  if (IsKnownType(served) && IsIndexType(served) != manifest.is_index) {
    return Broken("its type " + manifest.media_type + " contradicts its Content-Type");
  }
  // Both shapes at once let two readers see two images (CVE-2021-41190).
  if (json.contains("manifests") && (json.contains("layers") || json.contains("config"))) {
    return Broken("it has both layers and manifests");
  }
  if (manifest.is_index != json.contains("manifests")) {
    return Broken("its shape contradicts its type " + manifest.media_type);
  }
  if (manifest.is_index) {
    if (Status read = ReadDescriptors(json, "manifests", manifest.manifests); !read) {
      return read.error();
    }
    return manifest;
  }
  const auto config = json.find("config");
  if (config == json.end()) return Broken("it has no config");
  Result<Descriptor> descriptor = ReadDescriptor(*config, "`config`");
  if (!descriptor) return descriptor.error();
  manifest.blobs.push_back(*std::move(descriptor));
  manifest.is_artifact = IsArtifact(json);
  if (Status read = ReadDescriptors(json, "layers", manifest.blobs); !read) return read.error();
  return manifest;
}

}  // namespace registry_backend
