#include "tests/simulator/content.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace registry_backend::simulator {
namespace {

// Keys in the order they are set, as registries' own clients write them.
using Json = nlohmann::ordered_json;

Json ToJson(const Descriptor& descriptor) {
  Json json = {{"mediaType", descriptor.media_type},
               {"digest", descriptor.digest},
               {"size", descriptor.size}};
  if (!descriptor.os.empty()) {
    json["platform"] = {{"architecture", descriptor.architecture}, {"os", descriptor.os}};
    if (!descriptor.variant.empty()) json["platform"]["variant"] = descriptor.variant;
  }
  if (!descriptor.urls.empty()) json["urls"] = descriptor.urls;
  return json;
}

Json ToJson(const std::vector<Descriptor>& descriptors) {
  Json list = Json::array();
  for (const Descriptor& descriptor : descriptors) list.push_back(ToJson(descriptor));
  return list;
}

Json StartManifest(std::string_view media_type, OwnMediaType own) {
  Json json = {{"schemaVersion", 2}};
  if (own == OwnMediaType::kWritten) json["mediaType"] = media_type;
  return json;
}

// The unpadded URL form of RFC 4648 section 5.
std::string Base64Url(std::string_view text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');  // and a terminating zero
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(size));
  while (encoded.ends_with('=')) encoded.pop_back();
  std::ranges::replace(encoded, '+', '-');
  std::ranges::replace(encoded, '/', '_');
  return encoded;
}

// Writes signatures into the JSON text `payload`, before the tail `"\n}"`, as libtrust does.
std::string Sign(const std::string& payload) {
  static constexpr std::string_view kTail = "\n}";
  const std::size_t head = payload.size() - kTail.size();
  const Json is_signed = {
      {"formatLength", head}, {"formatTail", Base64Url(kTail)}, {"time", "2016-01-01T00:00:00Z"}};
  const Json signature = {{"header", {{"alg", "ES256"}}},
                          {"signature", Base64Url("made up")},
                          {"protected", Base64Url(is_signed.dump())}};
  return payload.substr(0, head) + ",\n   \"signatures\": " + Json::array({signature}).dump() +
         std::string(kTail);
}

}  // namespace

std::string Sha256Digest(std::string_view bytes) {
  std::array<unsigned char, 32> hash{};
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 failed");
  }
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string digest = "sha256:";
  for (const unsigned byte : hash) {
    digest += kHex[byte >> 4];
    digest += kHex[byte & 15];
  }
  return digest;
}

std::string_view ImageMediaType(Format format) {
  return format == Format::kDocker ? "application/vnd.docker.distribution.manifest.v2+json"
                                   : "application/vnd.oci.image.manifest.v1+json";
}

std::string_view IndexMediaType(Format format) {
  return format == Format::kDocker ? "application/vnd.docker.distribution.manifest.list.v2+json"
                                   : "application/vnd.oci.image.index.v1+json";
}

std::string_view ConfigMediaType(Format format) {
  return format == Format::kDocker ? "application/vnd.docker.container.image.v1+json"
                                   : "application/vnd.oci.image.config.v1+json";
}

std::string_view LayerMediaType(Format format) {
  return format == Format::kDocker ? "application/vnd.docker.image.rootfs.diff.tar.gzip"
                                   : "application/vnd.oci.image.layer.v1.tar+gzip";
}

std::string_view ForeignLayerMediaType(Format format) {
  return format == Format::kDocker ? "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
                                   : "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
}

Descriptor Describe(std::string_view media_type, std::string_view bytes) {
  Descriptor descriptor;
  descriptor.media_type = media_type;
  descriptor.digest = Sha256Digest(bytes);
  descriptor.size = bytes.size();
  return descriptor;
}

std::string ImageManifest(Format format, const Descriptor& config,
                          const std::vector<Descriptor>& layers, OwnMediaType own,
                          std::string_view artifact_type) {
  Json json = StartManifest(ImageMediaType(format), own);
  if (!artifact_type.empty()) json["artifactType"] = artifact_type;
  json["config"] = ToJson(config);
  json["layers"] = ToJson(layers);
  return json.dump(2);
}

std::string IndexManifest(Format format, const std::vector<Descriptor>& manifests,
                          OwnMediaType own) {
  Json json = StartManifest(IndexMediaType(format), own);
  json["manifests"] = ToJson(manifests);
  return json.dump(2);
}

Schema1Manifest MakeSchema1Manifest(const std::string& repository, const std::string& tag,
                                    const std::vector<std::string>& layers) {
  Json manifest = {
      {"schemaVersion", 1},      {"name", repository},        {"tag", tag},
      {"architecture", "amd64"}, {"fsLayers", Json::array()}, {"history", Json::array()}};
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    manifest["fsLayers"].push_back({{"blobSum", *layer}});
    const Json history = {{"id", layer->substr(layer->find(':') + 1)}, {"os", "linux"}};
    manifest["history"].push_back({{"v1Compatibility", history.dump()}});
  }
  const std::string payload = manifest.dump(3);
  return {payload, Sign(payload)};
}

}  // namespace registry_backend::simulator
