#include "exporter/registry/manifest.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "exporter/registry/digest.h"
#include "exporter/registry/json.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
constexpr std::size_t kMaxUrls = 8;  // of a descriptor
constexpr std::size_t kMaxUrlsOfAll = 10'000;

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

// What counts of a manifest's text.
class ManifestReader final : public JsonReader {
 public:
  bool is_object = false;
  bool is_schema1 = false;
  std::string media_type;
  std::string artifact_type;
  std::string config_type;
  std::vector<Descriptor> configs;                // one at most
  std::optional<std::vector<Descriptor>> layers;  // those of one `layers` key, if there is one
  std::optional<std::vector<Descriptor>> manifests;
  [[nodiscard]] bool has_config() const { return config_keys_ > 0; }
  std::string fault;  // the first thing wrong with descriptors, after which none is kept

 private:
  // What a value that has begun is.
  enum class Place {
    kRoot,
    kConfig,
    kLayers,
    kLayer,
    kManifests,
    kManifest,
    kPlatform,
    kUrls,
    kNone
  };

  void OnBegin(Container container) override {
    const Place place = PlaceOf(container);
    if (IsDescriptor(place)) {
      descriptor_ = {};
      digests_ = 0;
      os_.clear();
      architecture_.clear();
      variant_.clear();
    }
    if (place == Place::kNone) RefuseOther();
    places_.push_back(place);
  }

  void OnEnd() override {
    const Place place = places_.back();
    places_.pop_back();
    if (place == Place::kPlatform) {
      NamePlatform();
    } else if (IsDescriptor(place)) {
      Keep(place);
    }
  }

  void OnKey(std::string_view key) override {
    key_ = key;
    if (IsDescriptor(Here()) && key == "digest" && ++digests_ > 1) {
      Refuse("a descriptor has two digests");
    }
    if (Here() != Place::kRoot) return;
    if (key == "mediaType" && ++type_keys_ > 1) Refuse("it has `mediaType` twice");
    if (key == "fsLayers") is_schema1 = true;
    if (key == "config" && ++config_keys_ > 1) Refuse("it has `config` twice");
  }

  void OnText(std::string_view text) override {
    switch (Here()) {
      case Place::kRoot:
        if (key_ == "mediaType") media_type = text;
        if (key_ == "artifactType") artifact_type = text;
        break;
      case Place::kConfig:
        if (key_ == "mediaType") config_type = text;
        [[fallthrough]];
      case Place::kLayer:
      case Place::kManifest:
        if (key_ == "digest") descriptor_.digest = text;
        return;
      case Place::kPlatform:
        if (key_ == "os") os_ = text;
        if (key_ == "architecture") architecture_ = text;
        if (key_ == "variant") variant_ = text;
        return;
      case Place::kUrls:
        AddUrl(text);
        return;
      default:
        break;
    }
    RefuseOther();
  }

  void OnInteger(std::int64_t number) override {
    if (Here() == Place::kRoot && key_ == "schemaVersion" && number == 1) is_schema1 = true;
    RefuseOther();
  }

  void OnOther(std::string_view type) override {
    // A list that is null is an empty one.
    const bool no_list = type == "null" && Here() == Place::kRoot;
    if (no_list && key_ == "layers") {
      BeginList(layers);
    } else if (no_list && key_ == "manifests") {
      BeginList(manifests);
    } else {
      RefuseOther();
    }
  }

  [[nodiscard]] Place Here() const { return places_.empty() ? Place::kNone : places_.back(); }
  static bool IsDescriptor(Place place) {
    return place == Place::kConfig || place == Place::kLayer || place == Place::kManifest;
  }

  Place PlaceOf(Container container) {
    const bool object = container == Container::kObject;
    if (places_.empty()) {
      is_object = object;
      return object ? Place::kRoot : Place::kNone;
    }
    switch (places_.back()) {
      case Place::kRoot:
        if (object) return key_ == "config" ? Place::kConfig : Place::kNone;
        if (key_ == "layers") return BeginList(layers), Place::kLayers;
        if (key_ == "manifests") return BeginList(manifests), Place::kManifests;
        return Place::kNone;
      case Place::kLayers:
        return object ? Place::kLayer : Place::kNone;
      case Place::kManifests:
        return object ? Place::kManifest : Place::kNone;
      case Place::kConfig:
      case Place::kLayer:
      case Place::kManifest:
        if (object) return key_ == "platform" ? Place::kPlatform : Place::kNone;
        return key_ == "urls" ? Place::kUrls : Place::kNone;
      default:
        return Place::kNone;
    }
  }

  // A value that is not what its place wants is about to be passed over.
  void RefuseOther() {
    switch (Here()) {
      case Place::kRoot:
        if (key_ == "config") Refuse("`config` is no descriptor");
        if (key_ == "layers" || key_ == "manifests") Refuse("`" + key_ + "` is no array");
        break;
      case Place::kLayers:
        Refuse("an element of `layers` is no descriptor");
        break;
      case Place::kManifests:
        Refuse("an element of `manifests` is no descriptor");
        break;
      default:
        break;
    }
  }

  void Refuse(std::string why) {
    if (!fault.empty()) return;
    fault = std::move(why);
    configs.clear();
    if (layers) layers->clear();
    if (manifests) manifests->clear();
  }

  // Readers of JSON differ in which of two they take.
  void BeginList(std::optional<std::vector<Descriptor>>& list) {
    if (list) Refuse("it has `" + key_ + "` twice");
    if (!list) list.emplace();
  }

  void NamePlatform() {
    if (os_.empty() || architecture_.empty()) return;
    const std::string name = os_ + "/" + architecture_ + (variant_.empty() ? "" : "/" + variant_);
    if (IsPlatformName(name)) descriptor_.platform = name;
  }

  void AddUrl(std::string_view text) {
    if (descriptor_.urls.size() >= kMaxUrls || urls_ >= kMaxUrlsOfAll) return;
    Result<Url> url = Url::Parse(text);
    if (!url || url->has_userinfo()) return;
    descriptor_.urls.push_back(*std::move(url));
    ++urls_;
  }

  void Keep(Place place) {
    const std::string_view where = place == Place::kConfig  ? "`config`"
                                   : place == Place::kLayer ? "an element of `layers`"
                                                            : "an element of `manifests`";
    if (!IsDigest(descriptor_.digest)) Refuse(std::string(where) + " has no valid digest");
    if (!fault.empty()) return;
    if (descriptor_.platform.empty()) descriptor_.platform = kUnnamedPlatform;
    std::vector<Descriptor>& list = place == Place::kConfig  ? configs
                                    : place == Place::kLayer ? *layers
                                                             : *manifests;
    list.push_back(std::move(descriptor_));
  }

  std::vector<Place> places_;
  std::string key_;
  Descriptor descriptor_;  // the one that has begun
  std::string os_;
  std::string architecture_;
  std::string variant_;
  int digests_ = 0;
  int config_keys_ = 0;
  int type_keys_ = 0;
  std::size_t urls_ = 0;
};

bool IsIndexType(std::string_view type) { return type == kDockerManifestList || type == kOciIndex; }

bool IsKnownType(std::string_view type) {
  return type == kDockerManifest || type == kOciManifest || IsIndexType(type);
}

std::string_view WithoutParameters(std::string_view content_type) {
  return Trim(content_type.substr(0, content_type.find(';')));
}

// OCI image-spec manifest.md, "Guidelines for Artifact Usage". A config without a type is an old
// image's.
bool IsArtifact(const ManifestReader& read) {
  if (!read.artifact_type.empty()) return true;
  return !read.config_type.empty() && read.config_type != kDockerConfig &&
         read.config_type != kOciConfig;
}

Result<std::string> DecideType(const ManifestReader& read, std::string_view content_type) {
  if (read.is_schema1) return Broken("it is of schema 1, which clients no longer support");
  if (!read.media_type.empty()) {
    if (IsKnownType(read.media_type)) return read.media_type;
    return Broken("media type '" + Printable(read.media_type) + "' is not supported");
  }
  const std::string_view served = WithoutParameters(content_type);
  if (IsKnownType(served)) return std::string(served);
  if (read.manifests) return std::string(kOciIndex);
  if (read.layers || read.has_config()) return std::string(kOciManifest);
  return Broken("it has neither layers nor manifests");
}

}  // namespace

bool IsSchema1(std::string_view content_type) {
  const std::string_view type = WithoutParameters(content_type);
  return EqualIgnoringCase(type, "application/vnd.docker.distribution.manifest.v1+json") ||
         EqualIgnoringCase(type, "application/vnd.docker.distribution.manifest.v1+prettyjws");
}

Result<Manifest> ParseManifest(std::string_view bytes, std::string_view content_type) {
  ManifestReader read;
  if (!read.Read(bytes) || !read.is_object) return Broken("it is no JSON object");
  Result<std::string> type = DecideType(read, content_type);
  if (!type) return type.error();

  Manifest manifest;
  manifest.media_type = *std::move(type);
  manifest.is_index = IsIndexType(manifest.media_type);
  const std::string_view served = WithoutParameters(content_type);
  if (IsKnownType(served) && IsIndexType(served) != manifest.is_index) {
    return Broken("its type " + manifest.media_type + " contradicts its Content-Type");
  }
  // Both shapes at once let two readers see two images (CVE-2021-41190).
  if (read.manifests && (read.layers || read.has_config())) {
    return Broken("it has both layers and manifests");
  }
  if (manifest.is_index != read.manifests.has_value()) {
    return Broken("its shape contradicts its type " + manifest.media_type);
  }
  if (!read.fault.empty()) return Broken(read.fault);
  if (manifest.is_index) {
    manifest.manifests = *std::move(read.manifests);
    return manifest;
  }
  if (read.configs.empty()) return Broken("it has no config");
  manifest.is_artifact = IsArtifact(read);
  if (read.layers) manifest.blobs = *std::move(read.layers);
  manifest.blobs.insert(manifest.blobs.begin(), std::move(read.configs.front()));
  return manifest;
}

}  // namespace registry_backend
